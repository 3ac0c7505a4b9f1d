"""Stock, limits and backing services."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cartsync.v1 import cart_pb2, operation_pb2, outcome_pb2

from conformance.mutants.mutant import Mutant, judged_by
from reference_server.engine.cart_rules import CartRules, LineCase
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.kinds import LINE_KINDS
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.snapshot import CartPricing
from reference_server.ports import BackendUnavailableError, Offer
from reference_server.settlement import Settlement


class _Oversells(CartRules):
    def insufficient_inventory(self, case: LineCase) -> Refused | None:
        clamps = case.intent.quantity_policy == operation_pb2.QUANTITY_POLICY_CLAMP
        return super().insufficient_inventory(case) if clamps else None

    def granted(self, case: LineCase) -> int:
        clamps = case.intent.quantity_policy == operation_pb2.QUANTITY_POLICY_CLAMP if case.raises else False
        return super().granted(case) if clamps else case.requested


class _KeepsLastBack(CartRules):
    """The last piece cannot be had."""

    def insufficient_inventory(self, case: LineCase) -> Refused | None:
        if case.offer is None or not case.offer.available_quantity:
            return super().insufficient_inventory(case)
        less = replace(case.offer, available_quantity=case.offer.available_quantity - 1)
        return super().insufficient_inventory(replace(case, offer=less))


class _StockOfTheOperation(CartRules):
    """Compares the stock with what is added, not with what the line would hold."""

    def insufficient_inventory(self, case: LineCase) -> Refused | None:
        added = case.requested - case.line.quantity
        return super().insufficient_inventory(replace(case, requested=added, line=replace(case.line, quantity=0)))

    def granted(self, case: LineCase) -> int:
        if case.offer is None or case.offer.available_quantity is None or not case.raises:
            return case.requested
        return case.line.quantity + min(case.requested - case.line.quantity, case.offer.available_quantity)


class _ClampsSilently(CartRules):
    def quantity_clamped(self, case: LineCase) -> outcome_pb2.Adjustment | None:
        return None


class _NeverClamps(CartRules):
    """All or nothing, whatever the client asked for."""

    def insufficient_inventory(self, case: LineCase) -> Refused | None:
        available = case.offer.available_quantity if case.offer is not None else None
        if available is None or case.requested <= available:
            return None
        return refuse(Reason.REASON_INSUFFICIENT_INVENTORY, "not enough", available_quantity=available)


class _ClampsExact(CartRules):
    """Grants what there is, although all or nothing was asked for."""

    def insufficient_inventory(self, case: LineCase) -> Refused | None:
        available = case.offer.available_quantity if case.offer is not None else None
        if available is not None and available > case.line.quantity:
            return None
        return super().insufficient_inventory(case)


class _ClampsToNothing(CartRules):
    """Applies a clamped operation that adds nothing, or takes away what the stock no longer covers."""

    def insufficient_inventory(self, case: LineCase) -> Refused | None:
        if case.intent.quantity_policy == operation_pb2.QUANTITY_POLICY_CLAMP:
            return None
        return super().insufficient_inventory(case)


class _ShowsEverythingAvailable(CartPricing):
    def line(self, sku: str, quantity: int, offer: Offer | None, currency_code: str) -> cart_pb2.CartLine:
        line = super().line(sku, quantity, offer, currency_code)
        if line.availability == cart_pb2.LINE_AVAILABILITY_INSUFFICIENT:
            line.availability = cart_pb2.LINE_AVAILABILITY_AVAILABLE
        return line


class _ShrinksInSight(CartPricing):
    """Shows no more of a line than there is in stock."""

    def line(self, sku: str, quantity: int, offer: Offer | None, currency_code: str) -> cart_pb2.CartLine:
        available = offer.available_quantity if offer is not None else None
        shown = quantity if available is None else min(quantity, available)
        return super().line(sku, max(1, shown), offer, currency_code)


class _LimitAfterClamp(CartRules):
    """Compares with the line limit what the stock leaves, not what is asked for."""

    def line_quantity_exceeded(self, case: LineCase) -> Refused | None:
        may_be_cut = case.raises and case.intent.quantity_policy == operation_pb2.QUANTITY_POLICY_CLAMP
        if may_be_cut and self.granted(case) <= self.policy.max_line_quantity:
            return None
        return super().line_quantity_exceeded(case)


class _LimitOfTheOperation(CartRules):
    """Compares with the line limit what is added, not what the line would hold."""

    def line_quantity_exceeded(self, case: LineCase) -> Refused | None:
        return super().line_quantity_exceeded(replace(case, requested=case.requested - case.line.quantity))


class _AnyNumberOfLines(CartRules):
    def line_count_exceeded(self, case: LineCase) -> Refused | None:
        return None


class _FullCartTakesNothing(CartRules):
    """Refuses more of a line that is there already."""

    def line_count_exceeded(self, case: LineCase) -> Refused | None:
        return super().line_count_exceeded(replace(case, line=replace(case.line, quantity=0)))


class _SellsUnlisted(CartRules):
    def sku_unlisted(self, case: LineCase) -> Refused | None:
        return None


class _AsksForEverything(Decider):
    """Needs the backing services for every operation, decreases and removals included."""

    def backing_services(self, case: Case) -> Answer | None:
        if case.kind not in LINE_KINDS:
            return super().backing_services(case)
        try:
            case.situation.offers(case.intent.sku)
        except BackendUnavailableError:
            return refuse(
                Reason.REASON_BACKEND_UNAVAILABLE,
                "the catalogue does not answer",
                retry_delay=self.policy.trouble_retry_delay,
            )
        return super().backing_services(case)


class _StockForDecreases(CartRules):
    """Refuses to lower a line that is above the stock."""

    def cart_not_found(self, case: LineCase) -> Refused | None:
        refused = super().cart_not_found(case)
        over_limit = case.kind == "set_quantity" and case.requested > 0 and case.offer is None and not case.raises
        if refused is None and over_limit and case.requested < case.line.quantity:
            return refuse(Reason.REASON_INSUFFICIENT_INVENTORY, "the line is not in stock", available_quantity=0)
        return refused


class _RejectsWithoutBackend(Decider):
    """Takes a catalogue that does not answer for one that does not know the product."""

    def backing_services(self, case: Case) -> Answer | None:
        answer = super().backing_services(case)
        if isinstance(answer, Refused):
            return refuse(Reason.REASON_SKU_UNKNOWN, "the catalogue does not know the product")
        return answer


class _UnknownProductsAreAway(Decider):
    """Takes a product that the catalogue does not know for a catalogue that does not answer."""

    def cart_rules(self, case: Case) -> Answer | None:
        answer = super().cart_rules(case)
        if isinstance(answer, Refused) and answer.refusal.reason == Reason.REASON_SKU_UNKNOWN:
            return refuse(Reason.REASON_BACKEND_UNAVAILABLE, "not found", retry_delay=self.policy.trouble_retry_delay)
        return answer


class _ForgetsToLimit(Decider):
    def rate_limit(self, case: Case) -> Answer | None:
        return None


class _LimitsSubmissions(Decider):
    """Looks at the rate limit at the first operation of a submission only."""

    def rate_limit(self, case: Case) -> Answer | None:
        return None if case.working.charged_count else super().rate_limit(case)


class _ChargesReads(Settlement):
    """Look-ups count as operations."""

    async def watermark(self, principal: str, queue_id: str, expected_store_id: str = "") -> tuple[int, str]:
        self._limiter.charge(principal, 1)
        return await super().watermark(principal, queue_id, expected_store_id)

    async def _stay_in_contact(self, principal: str, queue_id: str, contact_time_us: int | None) -> None:
        self._limiter.charge(principal, 1)
        await super()._stay_in_contact(principal, queue_id, contact_time_us)


class _RecordsLimits(Decider):
    """An operation that was once over the limit is not decided before a minute is over."""

    _SECONDS = timedelta(minutes=1)

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self._until_us: dict[tuple[str, str], int] = {}

    def rate_limit(self, case: Case) -> Answer | None:
        name = case.situation.principal, case.operation.idempotency_key
        answer = super().rate_limit(case)
        now_us = case.situation.now_us
        if isinstance(answer, Refused):
            self._until_us[name] = now_us + self._SECONDS // timedelta(microseconds=1)
        elif self._until_us.get(name, 0) > now_us:
            return refuse(Reason.REASON_RATE_LIMITED, "still too early", retry_delay=timedelta(seconds=1))
        return answer


MUTANTS = (
    Mutant(
        "oversells",
        "Applies EXACT operations above the stock.",
        ("stock/exact",),
        "decider",
        judged_by(_Oversells),
    ),
    Mutant(
        "keeps-the-last-piece-back",
        "Rejects a line that is exactly what is in stock.",
        ("stock/exact",),
        "decider",
        judged_by(_KeepsLastBack),
    ),
    Mutant(
        "stock-of-the-operation-only",
        "Compares the stock with what is added, not with what the line would hold.",
        ("stock/exact", "stock/clamp", "stock/clamp-to-nothing"),
        "decider",
        judged_by(_StockOfTheOperation),
    ),
    Mutant(
        "clamps-silently",
        "Grants less than asked for without saying so.",
        ("stock/clamp",),
        "decider",
        judged_by(_ClampsSilently),
    ),
    Mutant(
        "never-clamps",
        "Rejects what it was allowed to clamp.",
        ("stock/clamp",),
        "decider",
        judged_by(_NeverClamps),
    ),
    Mutant(
        "clamps-what-was-exact",
        "Grants a part of what was to be granted in full or not at all.",
        ("stock/exact",),
        "decider",
        judged_by(_ClampsExact),
    ),
    Mutant(
        "clamps-to-nothing",
        "Applies a clamped operation that cannot add anything, and shrinks the line to the stock.",
        ("stock/clamp-to-nothing",),
        "decider",
        judged_by(_ClampsToNothing),
    ),
    Mutant(
        "shows-everything-available",
        "Shows a line above the stock as available.",
        ("stock/availability-shown",),
        "pricing",
        _ShowsEverythingAvailable,
    ),
    Mutant(
        "shrinks-lines-to-stock",
        "Shows no more of a line than there is in stock.",
        ("stock/availability-shown", "snapshot/content"),
        "pricing",
        _ShrinksInSight,
    ),
    Mutant(
        "line-limit-after-clamp",
        "Grants a part of what was above the line limit.",
        ("limits/line-quantity",),
        "decider",
        judged_by(_LimitAfterClamp),
    ),
    Mutant(
        "line-limit-of-the-operation-only",
        "Compares the line limit with what is added, not with what the line would hold.",
        ("limits/line-quantity",),
        "decider",
        judged_by(_LimitOfTheOperation),
    ),
    Mutant(
        "any-number-of-lines",
        "Lets a cart have more lines than its policy says.",
        ("limits/line-count",),
        "decider",
        judged_by(_AnyNumberOfLines),
    ),
    Mutant(
        "full-cart-takes-nothing",
        "Refuses more of what is in a full cart already.",
        ("limits/line-count",),
        "decider",
        judged_by(_FullCartTakesNothing),
    ),
    Mutant(
        "sells-unlisted-products",
        "Adds a product that is not listed.",
        ("stock/unlisted",),
        "decider",
        judged_by(_SellsUnlisted),
    ),
    Mutant(
        "backend-asked-for-decreases",
        "Defers decreases and removals while the backing services are unreachable.",
        ("stock/decrease-free",),
        "decider",
        _AsksForEverything,
    ),
    Mutant(
        "stock-asked-for-decreases",
        "Refuses to set a line to less than it holds.",
        ("stock/decrease-free", "cart/set-sets"),
        "decider",
        judged_by(_StockForDecreases),
    ),
    Mutant(
        "outage-rejects",
        "Rejects what it cannot look up, for good.",
        ("backend/deferred",),
        "decider",
        _RejectsWithoutBackend,
    ),
    Mutant(
        "unknown-products-deferred",
        "Defers an add of a product that nobody knows, so that the queue sticks for ever.",
        ("stock/unknown-sku",),
        "decider",
        _UnknownProductsAreAway,
    ),
    Mutant(
        "no-rate-limit",
        "Decides operations over the rate limit.",
        ("rate/deferred",),
        "decider",
        _ForgetsToLimit,
    ),
    Mutant(
        "limits-submissions-not-operations",
        "Lets a whole submission through when its first operation is within the rate limit.",
        ("rate/deferred",),
        "decider",
        _LimitsSubmissions,
    ),
    Mutant(
        "look-ups-charged",
        "Charges look-ups and reads to the rate limit.",
        ("rate/exempt",),
        "settlement",
        _ChargesReads,
    ),
    Mutant(
        "rate-limit-holds-on",
        "Goes on deferring an operation when the limit has long been lifted.",
        ("rate/deferred", "deciding/deferral-unrecorded"),
        "decider",
        _RecordsLimits,
    ),
)
