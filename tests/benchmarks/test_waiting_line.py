"""Whose turn it is."""

from __future__ import annotations

import threading

import pytest

from benchmarks.real_orders.waiting_line import WaitingLine


def test_the_first_to_come_is_the_first_to_be_served() -> None:
    line: WaitingLine[str] = WaitingLine()
    for item in ("a", "b", "a"):
        line.add(item)
    assert [line.take(), line.take()] == ["a", "b"]


def test_an_item_added_while_it_is_served_is_served_again_but_never_by_two() -> None:
    line: WaitingLine[str] = WaitingLine()
    line.add("a")
    assert line.take() == "a"
    line.add("a")
    line.add("b")
    assert line.take() == "b", "a is still being served"
    line.finish("a", again=False)
    assert line.take() == "a"


def test_an_item_that_did_not_get_through_waits_again_behind_the_others() -> None:
    line: WaitingLine[str] = WaitingLine()
    line.add("a")
    line.add("b")
    assert line.take() == "a"
    line.finish("a", again=True)
    assert [line.take(), line.take()] == ["b", "a"]


def test_the_line_is_empty_only_when_nobody_is_served_any_more() -> None:
    line: WaitingLine[str] = WaitingLine()
    line.add("a")
    assert line.take() == "a"
    assert not line.wait_until_empty(0.01)
    line.finish("a", again=False)
    assert line.wait_until_empty(0.01)


def test_closing_sends_waiting_workers_home() -> None:
    line: WaitingLine[str] = WaitingLine()
    taken: list[str | None] = ["nothing yet"]
    worker = threading.Thread(target=lambda: taken.append(line.take()))
    worker.start()
    line.close()
    worker.join(10)
    assert taken[-1] is None


def test_the_error_of_a_worker_reaches_whoever_waits() -> None:
    line: WaitingLine[str] = WaitingLine()
    line.add("a")
    line.fail(ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        line.wait_until_empty(10)
    with pytest.raises(ValueError, match="broken"):
        line.check()
    assert line.take() is None
