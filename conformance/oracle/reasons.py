"""The table of reasons: state, disposition, recorded or not (spec: answers/reason-policy).

Written down a second time, apart from the options in `reason.proto`, so that a slip in either shows up.
"""

from __future__ import annotations

from dataclasses import dataclass

from conformance.oracle.values import State


@dataclass(frozen=True, slots=True)
class Policy:
    """What every refusal with a reason looks like."""

    state: State
    disposition: str
    has_delay: bool = False


_TERMINAL = "TERMINAL"
_RETRY = "RETRY"
_ACT = "RETRY_AFTER_ACTION"

REASONS: dict[str, Policy] = {
    "PAYLOAD_MISMATCH": Policy(State.CONFLICT, _ACT),
    "SEQUENCE_CONFLICT": Policy(State.CONFLICT, _ACT),
    "QUEUE_DIVERGED": Policy(State.CONFLICT, _ACT),
    "SEQUENCE_GAP": Policy(State.DEFERRED, _RETRY),
    "PREDECESSOR_NOT_DECIDED": Policy(State.DEFERRED, _RETRY),
    "RATE_LIMITED": Policy(State.DEFERRED, _RETRY, has_delay=True),
    "BACKEND_UNAVAILABLE": Policy(State.DEFERRED, _RETRY, has_delay=True),
    "INTERNAL": Policy(State.DEFERRED, _RETRY, has_delay=True),
    "OUTCOME_PURGED": Policy(State.PURGED, _TERMINAL),
    "KEY_REUSED": Policy(State.REJECTED, _TERMINAL),
    "UNSUPPORTED_FEATURE": Policy(State.REJECTED, _TERMINAL),
    "UNSUPPORTED_INTENT": Policy(State.REJECTED, _TERMINAL),
    "OPERATION_TOO_LARGE": Policy(State.REJECTED, _TERMINAL),
    "MALFORMED": Policy(State.REJECTED, _TERMINAL),
    "REPLAY_WINDOW_EXPIRED": Policy(State.REJECTED, _ACT),
    "QUARANTINED": Policy(State.REJECTED, _TERMINAL),
    "CARD_NUMBER_REFUSED": Policy(State.REJECTED, _TERMINAL),
    "PRINCIPAL_CLAIMED": Policy(State.REJECTED, _ACT),
    "CART_CLOSED": Policy(State.REJECTED, _ACT),
    "CART_NOT_FOUND": Policy(State.REJECTED, _TERMINAL),
    "LINE_CHANGED": Policy(State.REJECTED, _ACT),
    "SKU_UNKNOWN": Policy(State.REJECTED, _TERMINAL),
    "SKU_UNLISTED": Policy(State.REJECTED, _TERMINAL),
    "CURRENCY_MISMATCH": Policy(State.REJECTED, _TERMINAL),
    "PRICE_ABOVE_LIMIT": Policy(State.REJECTED, _ACT),
    "LINE_LIMIT_EXCEEDED": Policy(State.REJECTED, _TERMINAL),
    "INSUFFICIENT_INVENTORY": Policy(State.REJECTED, _ACT),
    "COUPON_UNKNOWN": Policy(State.REJECTED, _TERMINAL),
    "COUPON_NOT_STARTED": Policy(State.REJECTED, _ACT),
    "COUPON_EXPIRED": Policy(State.REJECTED, _TERMINAL),
    "COUPON_NOT_ELIGIBLE": Policy(State.REJECTED, _TERMINAL),
    "COUPON_ALREADY_APPLIED": Policy(State.REJECTED, _TERMINAL),
    "COUPON_ALREADY_USED": Policy(State.REJECTED, _TERMINAL),
    "COUPON_NOT_STACKABLE": Policy(State.REJECTED, _ACT),
    "COUPON_LIMIT_EXCEEDED": Policy(State.REJECTED, _TERMINAL),
    "WISHLIST_FULL": Policy(State.REJECTED, _ACT),
    "ADDRESS_NOT_FOUND": Policy(State.REJECTED, _ACT),
    "ADDRESS_CHANGED": Policy(State.REJECTED, _ACT),
    "ADDRESS_INCOMPLETE": Policy(State.REJECTED, _ACT),
    "ADDRESS_BOOK_FULL": Policy(State.REJECTED, _ACT),
    "PAYMENT_TOKEN_INVALID": Policy(State.REJECTED, _ACT),
    "PAYMENT_METHODS_FULL": Policy(State.REJECTED, _ACT),
    "CLAIM_TOKEN_INVALID": Policy(State.REJECTED, _TERMINAL),
    "GUEST_ALREADY_CLAIMED": Policy(State.REJECTED, _TERMINAL),
}
