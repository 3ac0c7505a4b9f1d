"""What Spin prints is read as it is meant, and what it does not say is never taken for granted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.model.output import SpinOutputError, Step, Trace, read_exploration, read_trace

FINISHED = """
(Spin Version 6.5.2 -- 6 December 2019)

State-vector 180 byte, depth reached 56, errors: 0
   386933 states, stored
  3187010 states, matched

pan: elapsed time 2.75 seconds
"""

BROKEN = """
pan:1: assertion violated (broken==0) (at depth 24)
pan: wrote one_queue.pml.trail

(Spin Version 6.5.2 -- 6 December 2019)
Warning: Search not completed

State-vector 180 byte, depth reached 25, errors: 1
     3520 states, stored
"""

REPLAY = """
                  @client|puts operation 1 on disk: key 1, PLAIN
              @network|operation 1 arrives
              >APPLIED
                  @server|prunes the record of sequence 1
              @network|operation 1 arrives
              !3
              >REJECTED
spin: rules.pml:105, Error: assertion violated
spin: text of failed assertion: assert((broken==0))
#processes: 12
		broken = 3
		queue[0].watermark = 2
 29:	proc  3 (Network:1) one_queue.pml:141 (state 10)
"""


def test_a_finished_search_says_how_much_it_saw() -> None:
    found = read_exploration(FINISHED)
    assert (found.states, found.depth, found.errors) == (386_933, 56, 0)


def test_a_search_that_stopped_at_an_error_is_understood() -> None:
    assert read_exploration(BROKEN).errors == 1


@pytest.mark.parametrize(
    "trouble",
    [
        "error: max search depth too small",
        "pan: out of memory",
        "Warning: Search not completed",
        "pan: reached -DMEMLIM bound\nSearch not completed",
    ],
)
def test_a_search_that_was_cut_short_is_never_taken_for_one_without_errors(trouble: str) -> None:
    with pytest.raises(SpinOutputError, match="not finished"):
        read_exploration(trouble + FINISHED)


@pytest.mark.parametrize("text", ["", "Segmentation fault", "State-vector 180 byte, depth reached 56, errors: 0"])
def test_a_verifier_that_says_nothing_has_shown_nothing(text: str) -> None:
    with pytest.raises(SpinOutputError, match="no summary"):
        read_exploration(text)


def test_a_trace_is_steps_with_what_followed_from_them() -> None:
    trace = read_trace(REPLAY)
    assert trace == Trace(
        (
            Step("client", "puts operation 1 on disk: key 1, PLAIN"),
            Step("network", "operation 1 arrives", ("answer: APPLIED",)),
            Step("server", "prunes the record of sequence 1"),
            Step("network", "operation 1 arrives", ("answer: REJECTED",)),
        ),
        broken=3,
    )
    assert trace.length == "4"


def test_draining_counts_as_d() -> None:
    trace = read_trace("@client|puts operation 1 on disk\n@afterwards|the client submits\n:operation 1 arrives\n!7\n")
    assert trace.length == "1+d"


def test_what_repeats_itself_is_told_once() -> None:
    again = ":operation 1 arrives\n>DEFERRED\n"
    trace = read_trace(f"@afterwards|the client submits\n{again * 7}>CONFLICT\n!7\n")
    assert trace.steps[0].follows == (
        "operation 1 arrives",
        "answer: DEFERRED",
        "and so on, 7 times in all",
        "answer: CONFLICT",
    )


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=30))
def test_telling_a_repetition_once_loses_nothing(lines: list[str]) -> None:
    told = read_trace("@afterwards|x\n" + "".join(f":{line}\n" for line in lines) + "!1\n").steps[0].follows
    assert list(told)[:2] == lines[:2] or told[1].startswith("and so on")
    assert {line for line in told if not line.startswith("and so on")} == set(lines)
    assert len(told) <= len(lines) or len(lines) < 3


@pytest.mark.parametrize("text", ["", "@client|puts operation 1 on disk\n>APPLIED\n", "spin: trail not found\n"])
def test_a_trace_that_breaks_nothing_is_no_trace(text: str) -> None:
    with pytest.raises(SpinOutputError, match="without a broken property"):
        read_trace(text)


def test_a_step_without_an_actor_is_refused() -> None:
    with pytest.raises(SpinOutputError, match="without an actor"):
        read_trace("@operation 1 arrives\n!1\n")
