"""What the shop may have charged at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.real_orders.feed import PriceFeed


def feed(times: Iterable[int]) -> PriceFeed:
    ticking: Iterator[int] = iter(times)
    return PriceFeed({"70001": 100}, clock=lambda: next(ticking))


def test_before_the_first_move_the_opening_price_holds() -> None:
    prices = feed([50, 60])
    prices.move("70001", 200, lambda: None)
    assert prices.charged("70001", 10, 20) == {100}


def test_while_the_shop_is_being_told_either_price_may_hold() -> None:
    prices = feed([50, 60])
    prices.move("70001", 200, lambda: None)
    assert prices.charged("70001", 55, 55) == {100, 200}


def test_after_a_move_only_the_new_price_holds() -> None:
    prices = feed([50, 60, 90, 95])
    prices.move("70001", 200, lambda: None)
    prices.move("70001", 300, lambda: None)
    assert prices.charged("70001", 61, 89) == {200}
    assert prices.charged("70001", 96, 99) == {300}
    assert prices.now("70001") == 300
    assert prices.move_count == 2


def test_a_price_that_the_shop_was_not_told_of_is_not_in_the_history() -> None:
    prices = feed([50, 60])

    def fails() -> None:
        raise OSError("the shop is away")

    try:
        prices.move("70001", 200, fails)
    except OSError:
        assert prices.now("70001") == 100
    assert prices.move_count == 0


def test_an_unknown_product_was_never_charged() -> None:
    assert feed([]).charged("POST", 0, 100) == frozenset()
    assert not feed([]).knows("POST")
