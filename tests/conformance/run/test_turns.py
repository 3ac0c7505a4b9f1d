"""The fuzzed checks of a campaign share its time by turns."""

from __future__ import annotations

import pytest

from conformance.run.turns import FIRST_TURN, Turns, is_fuzzed

A, B = "test_fuzz.py::test_a", "test_fuzz.py::test_b"


def test_only_checks_that_play_drawn_plans_take_turns() -> None:
    assert is_fuzzed(A)
    assert not is_fuzzed("test_store.py::test_fuzz")


def test_first_turns_are_alike_and_short_enough_for_several_rounds() -> None:
    turns = Turns(end=60.0, check_count=2)
    assert turns.turn(A, 0.0) == turns.turn(B, 8.0) == 10.0
    assert Turns(end=6.0, check_count=2).turn(A, 0.0) == 1.0
    assert Turns(end=1e6, check_count=2).turn(A, 0.0) == FIRST_TURN


def test_who_reaches_something_new_gets_a_longer_turn_and_who_does_not_a_shorter_one() -> None:
    turns = Turns(end=600.0, check_count=2)
    first = turns.turn(A, 0.0)
    turns.took(A, new_count=3)
    assert turns.turn(A, 10.0) == 2 * first
    turns.took(A, new_count=0)
    turns.took(A, new_count=0)
    assert turns.turn(A, 10.0) == first / 2


def test_no_turn_is_so_short_that_a_family_starves_nor_so_long_that_the_others_do() -> None:
    turns = Turns(end=1e6, check_count=2)
    first = turns.turn(A, 0.0)
    turns.turn(B, 0.0)
    for _ in range(20):
        turns.took(A, new_count=1)
        turns.took(B, new_count=0)
    assert turns.turn(A, 1.0) == 8 * first
    assert turns.turn(B, 1.0) == first / 2


def test_no_turn_goes_beyond_the_end() -> None:
    turns = Turns(end=60.0, check_count=1)
    turns.turn(A, 0.0)
    assert turns.turn(A, 58.0) == 2.0
    assert turns.turn(A, 61.0) == 0.0


@pytest.mark.parametrize(("now", "again"), [(59.0, True), (60.0, False)])
def test_a_check_comes_again_while_there_is_time(now: float, again: bool) -> None:
    turns = Turns(end=60.0, check_count=2)
    turns.turn(A, 0.0)
    assert turns.comes_again(A, now) is again
    assert not turns.comes_again(B, now), "it never had a turn, so it is a scripted check"


def test_a_check_that_found_what_is_wrong_takes_no_more_turns() -> None:
    turns = Turns(end=60.0, check_count=2)
    turns.turn(A, 0.0)
    turns.leaves(A)
    assert not turns.comes_again(A, 1.0)
