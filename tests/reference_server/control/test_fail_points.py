from __future__ import annotations

import asyncio

import pytest

from reference_server.control.fail_points import Action, FailPoints, InjectedError, Point


async def test_nothing_armed_does_nothing() -> None:
    points = FailPoints(die=lambda: pytest.fail("died"))
    await points.before_commit("ann")
    await points.after_commit("ann")
    points.while_deciding("ann", 1)


async def test_abort_strikes_once_where_it_was_armed() -> None:
    deaths: list[str] = []
    points = FailPoints(die=lambda: deaths.append("died"))
    points.arm("ann", Point.AFTER_COMMIT, Action.ABORT, 1)
    await points.before_commit("ann")
    await points.after_commit("bob")
    assert deaths == []
    await points.after_commit("ann")
    await points.after_commit("ann")
    assert deaths == ["died"]


async def test_throwing_strikes_its_sequence_as_often_as_armed() -> None:
    points = FailPoints()
    points.arm("ann", Point.WHILE_DECIDING, Action.THROW, 2, sequence=3)
    points.while_deciding("ann", 2)
    for _ in range(2):
        with pytest.raises(InjectedError):
            points.while_deciding("ann", 3)
    points.while_deciding("ann", 3)


async def test_two_held_submissions_are_both_released_and_a_later_one_can_be_held_again() -> None:
    points = FailPoints()
    points.arm("ann", Point.BEFORE_COMMIT, Action.HOLD, 2)
    both = asyncio.gather(points.before_commit("ann"), points.before_commit("ann"))
    await points.await_held("ann")
    assert not both.done()
    points.release("ann")
    await both
    points.arm("ann", Point.BEFORE_COMMIT, Action.HOLD, 1)
    waiting = asyncio.ensure_future(points.await_held("ann"))
    later = asyncio.ensure_future(points.before_commit("ann"))
    await waiting
    points.release("ann")
    await later


async def test_release_disarms_what_has_not_struck() -> None:
    points = FailPoints(die=lambda: pytest.fail("died"))
    points.arm("ann", Point.BEFORE_COMMIT, Action.ABORT, 1)
    points.arm("bob", Point.WHILE_DECIDING, Action.THROW, 1, sequence=1)
    points.release("ann")
    await points.before_commit("ann")
    with pytest.raises(InjectedError):
        points.while_deciding("bob", 1)
