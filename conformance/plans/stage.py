"""What a plan is played on: the server under test with its shop and network, in the oracle's words.

`live.py` plays on a real one; tests play on servers in memory. Names of devices are the plan's own, all other names are
what `own_name` made of the plan's. Principals go by `SOLE`, `GUEST` and `STRANGER`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from conformance.oracle.observations import (
    ObservedAddressBook,
    ObservedAnswer,
    ObservedCart,
    ObservedEffect,
    ObservedLookup,
    ObservedPaymentMethods,
    ObservedWishlist,
)
from conformance.oracle.values import CardDetails, Limits, Offer, Promotion, Submission
from conformance.oracle.world import SOLE, Scope


class Means(StrEnum):
    """What can be done to a server under test. Steps that need what is missing are never drawn."""

    OFFERS = "offers"
    CLOSE_CART = "close_cart"
    RATE_LIMIT = "rate_limit"
    BACKEND = "backend"
    CLOCK = "clock"
    HOLD = "hold"
    ABORT = "abort"
    RESTORE = "restore"
    EFFECTS = "effects"
    KILL = "kill"
    STREAM = "stream"
    # The server lists the profile, and what its plans need can be arranged:
    COUPONS = "coupons"
    WISHLIST = "wishlist"
    ADDRESS_BOOK = "address_book"
    PAYMENT_METHODS = "payment_methods"
    PAYMENT_RATE_LIMIT = "payment_rate_limit"
    GUEST_CLAIM = "guest_claim"


ANSWERS_MISSING = "ANSWERS_MISSING"  # a stream ended with OK before everything on it was answered
ANSWERS_TOO_MANY = "ANSWERS_TOO_MANY"  # a stream went on after everything on it was answered


GUEST = "guest"
STRANGER = "stranger"
"""The guest of a plan, and an account beside its own."""


def principal_of(device: str) -> str:
    """Whose a device is, by its name."""
    return {"G": GUEST, "X": STRANGER}.get(device[:1], SOLE)


class CallRefusedError(Exception):
    """A call ended with a status that says it is wrong, or that the store or the principal is another."""

    def __init__(self, code: str, reason: str, message: str) -> None:
        super().__init__(f"{code}{f' ({reason})' if reason else ''}: {message}")
        self.code = code
        self.reason = reason


class Stage(Protocol):
    """Everything a plan can do to a server. Calls whose answer is lost give None; refused ones raise."""

    @property
    def limits(self) -> Limits:
        """The server's policy."""
        ...

    @property
    def means(self) -> frozenset[Means]:
        """What this stage can do."""
        ...

    def own_name(self, name: str) -> str:
        """The name under which a product or cart of the plan is known to the server: nobody else's."""
        ...

    def new_id(self) -> str:
        """A fresh canonical UUID."""
        ...

    def put_offer(self, sku: str, offer: Offer) -> Offer:
        """Put an offer in force, where offers can be arranged; the offer that is in force."""
        ...

    def put_promotion(self, code: str, promotion: Promotion | None) -> None:
        """Put a promotion in force, its times counted from the beginning of the plan; None withdraws it."""
        ...

    def put_token(self, provider: str, token: str, card: CardDetails | None) -> None:
        """Tell what the provider says of a token; None: it does not stand by it."""
        ...

    def claim_token(self) -> str | None:
        """What the guest is given to be claimed with; None when the answer was lost."""
        ...

    def close_cart(self, cart_id: str) -> bool:
        """Close a cart; False when the server knows no such cart."""
        ...

    def set_rate_limit(self, remaining: int | None, scope: Scope = Scope.ALL) -> None:
        """Put a rate limit in force; None lifts it."""
        ...

    def set_backend(self, available: bool) -> None:
        """Make the backing services reachable or not."""
        ...

    def advance(self, seconds: float) -> None:
        """Move the server's clock forward."""
        ...

    def save(self) -> None:
        """Take a backup."""
        ...

    def restore(self) -> None:
        """Put the backup back."""
        ...

    def restart(self) -> None:
        """Stop the server in good order and start it again."""
        ...

    def kill(self) -> None:
        """Kill the server and start it again."""
        ...

    def submit(self, device: str, submission: Submission) -> ObservedAnswer | None:
        """Send a submission and wait for the answer."""
        ...

    def stream(self, device: str, submissions: Sequence[Submission], *, cut: bool) -> Sequence[ObservedAnswer]:
        """Send submissions over one stream, all before the first answer; the answers that came.

        `cut`: the stream is cut after all answers but the last were heard.
        """
        ...

    def cut(self, device: str, submission: Submission) -> None:
        """Send a submission and cut the connection at once."""
        ...

    def hold_and_cut(self, device: str, submission: Submission, *, committed: bool) -> bool:
        """Send a submission, hold it before or after its commit, cut the connection, let it go on.

        False when it was never held, so that nothing is known of what became of it.
        """
        ...

    def crash_at_commit(self, device: str, submission: Submission, *, committed: bool) -> bool:
        """Send a submission, let the server die before or after its commit and start it again.

        False when it did not die there but had to be killed.
        """
        ...

    def kill_during(self, device: str, submission: Submission) -> None:
        """Send a submission and kill the server at once; start it again."""
        ...

    def race(
        self, left: tuple[str, Submission], right: tuple[str, Submission], *, held: bool
    ) -> tuple[ObservedAnswer | None, ObservedAnswer | None]:
        """Send two submissions at once; `held`: the first waits before its commit while the second is under way."""
        ...

    def cart(self, device: str, cart_id: str, queue_id: str) -> ObservedCart | None:
        """Read a cart; `queue_id` empty means without a queue."""
        ...

    def look_up(self, device: str, queue_id: str, first: int, last: int) -> ObservedLookup | None:
        """Look up outcomes."""
        ...

    def wishlist(self, device: str, queue_id: str) -> ObservedWishlist | None:
        """Read all of the wishlist."""
        ...

    def addresses(self, device: str, queue_id: str) -> ObservedAddressBook | None:
        """Read the address book."""
        ...

    def payment_methods(self, device: str, queue_id: str) -> ObservedPaymentMethods | None:
        """Read the payment methods."""
        ...

    def effects(self, principal: str = SOLE) -> Sequence[ObservedEffect]:
        """Read the ledger of a principal."""
        ...
