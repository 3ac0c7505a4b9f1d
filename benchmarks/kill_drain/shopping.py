"""The shop's catalogue, and a shopper's long day: what is written down, in the oracle's words and the client's."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from cartsync.v1 import operation_pb2

from conformance.oracle.values import Add, Adjust, LineIntent, Money, Offer, Remove, Set, Stock
from reference_client import CartClient, Price, intents

PRINCIPAL = "kill-drain"
CARTS = ("main", "wishes", "office")
PRICE = Money("GBP", 255)
OFFERS = {f"SKU-{n:02d}": Offer(PRICE, available=None if n % 3 else 40) for n in range(30)}
"""What the shop sells; it counts the stock of every third product. What is not listed here it does not know."""

_POLICIES = {Stock.EXACT: intents.EXACT, Stock.CLAMP: intents.CLAMP}
_TRANSACTION = 500  # intents written down in one transaction


@dataclass(frozen=True, slots=True)
class Written:
    """One intent as it was written down: what the oracle replays."""

    key: str
    sequence: int
    intent: LineIntent


def draw_intents(draw: random.Random, count: int) -> list[LineIntent]:
    """Mostly adds, some changes of mind, some that cannot be had."""
    return [_draw_intent(draw) for _ in range(count)]


def _draw_intent(draw: random.Random) -> LineIntent:
    cart, sku = draw.choice(CARTS), draw.choice([*OFFERS, "NOT-SOLD"])
    stock = draw.choice((Stock.EXACT, Stock.CLAMP))
    match draw.choices(("add", "adjust", "set", "remove"), (60, 20, 12, 8))[0]:
        case "add":
            return Add(cart, sku, draw.randint(1, 5), PRICE, stock=stock)
        case "adjust":
            return Adjust(cart, sku, draw.choice((-4, -2, -1, 1, 2)), stock)
        case "set":
            return Set(cart, sku, draw.randint(0, 12), stock)
        case _:
            return Remove(cart, sku)


def write_down(client: CartClient, drawn: Sequence[LineIntent]) -> list[Written]:
    """Writes the intents down on the device, in order."""
    written: list[Written] = []
    for first in range(0, len(drawn), _TRANSACTION):
        part = drawn[first : first + _TRANSACTION]
        places = client.enqueue([_operation(intent) for intent in part])
        written += [Written(place.key, place.sequence, intent) for place, intent in zip(places, part, strict=True)]
    return written


def _operation(intent: LineIntent) -> operation_pb2.CartOperation:
    """The intent as the client wants it."""
    cart, sku = intent.cart, intent.sku
    match intent:
        case Add(quantity=quantity, stock=stock):
            price = Price(PRICE.currency, PRICE.minor)
            return intents.add_item(sku, quantity=quantity, price=price, cart_id=cart, policy=_POLICIES[stock])
        case Adjust(delta=delta, stock=stock):
            return intents.adjust_quantity(sku, delta, cart_id=cart, policy=_POLICIES[stock])
        case Set(quantity=quantity, stock=stock):
            return intents.set_quantity(sku, quantity, cart_id=cart, policy=_POLICIES[stock])
        case _:
            return intents.remove_item(sku, cart_id=cart)
