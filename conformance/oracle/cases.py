"""An attempt that is next in line, with everything settled that the world leaves open.

A world does not know everything: whether a pruned record still counts, how a guard compares with a revision that was
never seen, in which instant the server's clock stood. `cases` gives one case for each way it may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from conformance.oracle import address_book, coupon_rules
from conformance.oracle.coupon_rules import Phase
from conformance.oracle.resources import place_of
from conformance.oracle.revisions import Author
from conformance.oracle.values import (
    Adjust,
    ApplyCoupon,
    Attempt,
    DeleteAddress,
    Discard,
    Operation,
    PutAddress,
    Remove,
    Set,
)
from conformance.oracle.world import Place, Queue, Shop, World


@dataclass(frozen=True, slots=True)
class Case:
    """An attempt next in line. `reused`, `covered` and `phase` settle what the world leaves open.

    `reused`: whether its key counts as recorded; `covered`: the last change its guard reaches; `phase`: where the clock
    stands to its promotion.
    """

    world: World
    shop: Shop
    queue_id: str
    attempt: Attempt
    reused: bool = False
    covered: int = 0
    phase: Phase = Phase.DURING

    @property
    def operation(self) -> Operation:
        """The operation attempted."""
        return self.attempt.operation

    @property
    def principal(self) -> str:
        """Whose it is."""
        return self.shop.owner(self.queue_id)

    @property
    def author(self) -> Author:
        """Who makes a change, if it makes one."""
        return Author(self.queue_id, self.operation.sequence, self.operation.key)

    @property
    def place(self) -> Place | None:
        """The resource it acts on."""
        return place_of(self.operation.intent, self.principal)

    @property
    def is_discard(self) -> bool:
        """A discard takes steps 3 and 5 only."""
        return isinstance(self.operation.intent, Discard)


def cases(world: World, shop: Shop, queue_id: str, attempt: Attempt) -> Iterator[Case]:
    """Every way the attempt may meet the server's state."""
    reuses = _reuse(world.queue(queue_id), shop, attempt.operation)
    for reused, covered, phase in product(reuses, _covered(world, shop, queue_id, attempt), _phases(shop, attempt)):
        yield Case(world, shop, queue_id, attempt, reused, covered, phase)


def _reuse(queue: Queue, shop: Shop, operation: Operation) -> tuple[bool, ...]:
    """Whether the key counts as recorded under another sequence; both where its record is or may be pruned."""
    holders = [record for record in queue.records if record.operation.key == operation.key]
    if any(not shop.may_be_pruned(record) for record in holders):
        return (True,)
    discarded = any(
        isinstance(record.operation.intent, Discard) and record.operation.intent.discarded_key == operation.key
        for record in queue.records
    )
    return (False, True) if holders or discarded else (False,)


def _covered(world: World, shop: Shop, queue_id: str, attempt: Attempt) -> tuple[int, ...]:
    """How far the guard may reach among the changes of other queues that matter to it."""
    intent, principal = attempt.operation.intent, shop.owner(queue_id)
    match intent:
        case Adjust() | Set() | Remove():
            cart = world.cart(intent.cart, principal)
            number = cart.last_foreign_change(intent.sku, queue_id)
            return cart.past.coverings(intent.guard, frozenset({number} if number is not None else ()))
        case PutAddress() | DeleteAddress():
            book = world.address_book(principal)
            return book.past.coverings(intent.base, address_book.foreign_changes(intent, queue_id, book))
        case _:
            return (0,)


def _phases(shop: Shop, attempt: Attempt) -> tuple[Phase, ...]:
    intent = attempt.operation.intent
    if not isinstance(intent, ApplyCoupon):
        return (Phase.DURING,)
    return coupon_rules.phases(shop.promotion(intent.code), shop.now, shop.slack)
