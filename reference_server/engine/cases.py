"""One operation on its way through the rules, the answers it can get, and what a submission comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cartsync.v1 import operation_pb2, outcome_pb2

from reference_server.engine.cart_rules import LineCase, LineOutcome
from reference_server.engine.claim_rules import ClaimCase
from reference_server.engine.coupon_rules import CouponCase
from reference_server.engine.offers import OfferLookup
from reference_server.engine.payment_rules import PaymentLookup, no_payments
from reference_server.engine.promotions import PromotionLookup, no_promotions
from reference_server.engine.refusals import Refused
from reference_server.engine.state import Changes, Record
from reference_server.engine.working import NOTHING, Working, Writes
from reference_server.ports import PaymentDetails


@dataclass(frozen=True, slots=True)
class Replayed:
    """Decided before this attempt."""

    record: Record


@dataclass(frozen=True, slots=True)
class Discarded:
    """The operation that had this sequence is cancelled; the chain goes on from its key."""

    discarded_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Applied: what the outcome says of it, and all that it writes.

    `changed` is whether the resource that the outcome's revision is that of is different for it; `writes` then hold
    that resource under its next revision. They may hold something else when it is not.
    """

    changed: bool
    adjustments: tuple[outcome_pb2.Adjustment, ...] = ()
    claimed_lines: tuple[outcome_pb2.ClaimedLine, ...] = ()
    writes: Writes = NOTHING


Answer = Replayed | Refused | LineOutcome | Applied | Discarded


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is true while a submission is decided, apart from the store.

    `allowance` is how many operations may be newly decided (None: no limit), and `payment_allowance` how many of them
    may save a payment method; `while_deciding` is called with the sequence inside the decision of each operation
    that is next in line, and may raise anything.
    """

    principal: str
    queue_id: str
    now_us: int
    offers: OfferLookup
    promotions: PromotionLookup = no_promotions
    payments: PaymentLookup = no_payments
    is_guest: bool = False
    allowance: int | None = None
    rate_limit_delay: timedelta = timedelta(seconds=1)
    payment_allowance: int | None = None
    payment_rate_limit_delay: timedelta = timedelta(seconds=1)
    while_deciding: Callable[[int], None] = lambda _sequence: None


@dataclass(slots=True)
class Case:
    """One operation on its way through the steps; what they find out about it on the way is kept beside it."""

    attempt: operation_pb2.OperationAttempt
    working: Working
    situation: Situation
    operation: operation_pb2.CartOperation = field(init=False)
    kind: str | None = field(init=False)
    card_number_fields: list[str] | None = None
    line_case: LineCase | None = None
    coupon_case: CouponCase | None = None
    claim_case: ClaimCase | None = None
    payment_details: PaymentDetails | None = None

    def __post_init__(self) -> None:
        self.operation = self.attempt.operation
        self.kind = self.operation.WhichOneof("intent")

    @property
    def intent(self) -> Any:
        """The intent's own message; only when `kind` is set."""
        return getattr(self.operation, self.kind or "")


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception inside the decision of one operation, for the log."""

    sequence: int
    idempotency_key: str
    error: Exception


@dataclass(frozen=True, slots=True)
class Decision:
    """What one submission comes to, once `changes` is committed; `results` must not be answered before."""

    results: list[outcome_pb2.OperationResult]
    changes: Changes
    charged_count: int
    failures: list[Failure]
    charged_saving_count: int = 0
