"""Coupons that come on a cart and off it."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine.cases import Answer, Applied, Case
from reference_server.engine.coupon_rules import CouponCase, CouponOutcome, CouponRules, is_over
from reference_server.engine.deciding import Decider
from reference_server.engine.kinds import Kind
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import CartContents, Changes, coupons_of
from reference_server.engine.working import Writes
from reference_server.ports import BackendUnavailableError, Promotion
from reference_server.storage.sqlite import SqliteStore


class _NewestOnly(Decider):
    """A coupon takes the place of those that are on the cart."""

    def coupon_rules(self, case: Case) -> Answer | None:
        answer = super().coupon_rules(case)
        if case.kind != "apply_coupon" or not isinstance(answer, Applied):
            return answer
        collection = coupons_of(case.intent.cart_id)
        others = {(collection, code): None for code in self._coupon_case(case).applied}
        return replace(answer, writes=replace(answer.writes, entries={**others, **answer.writes.entries}))


class _NoRevision(Decider):
    """A coupon that goes on the cart leaves the cart's revision as it was."""

    def coupon_rules(self, case: Case) -> Answer | None:
        answer = super().coupon_rules(case)
        if case.kind == "apply_coupon" and isinstance(answer, Applied):
            return replace(answer, writes=replace(answer.writes, carts={}))
        return answer


class _AnswersOnly(CouponRules):
    def apply(self, case: CouponCase) -> CouponOutcome:
        return CouponOutcome(changed=False, present=True)


class _NewestFirst(SqliteStore):
    """Shows the coupon that was applied last first."""

    async def read_cart(self, principal: str, cart_id: str, queue_id: str = "") -> CartContents:
        contents = await super().read_cart(principal, cart_id, queue_id)
        return replace(contents, coupon_codes=contents.coupon_codes[::-1])


class _OpenForCoupons(CouponRules):
    def cart_closed(self, case: CouponCase) -> Refused | None:
        return None if case.kind == "apply_coupon" else super().cart_closed(case)


class _OpenForRemovals(CouponRules):
    def cart_closed(self, case: CouponCase) -> Refused | None:
        return None if case.kind == "remove_coupon" else super().cart_closed(case)


class _IgnoresMissingCarts(CouponRules):
    def judge(self, case: CouponCase) -> CouponOutcome | Refused:
        if case.kind == "apply_coupon" and case.cart is None:
            return CouponOutcome(changed=False, present=False)
        return super().judge(case)


class _AppliesAgain(CouponRules):
    """A coupon that is there already is applied once more, and goes behind the others."""

    def already_applied(self, case: CouponCase) -> Refused | None:
        return None


class _AgainIsFine(CouponRules):
    """A coupon that is there already is applied, and changes nothing."""

    def judge(self, case: CouponCase) -> CouponOutcome | Refused:
        judged = super().judge(case)
        if isinstance(judged, Refused) and judged.refusal.reason == Reason.REASON_COUPON_ALREADY_APPLIED:
            return CouponOutcome(changed=False, present=True)
        return judged


class _TellsItsOwnQueue(Decider):
    """Only the queue that put a coupon on the cart is told that it is there; to others its place is taken."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._appliers: dict[tuple[str, str, str], str] = {}

    def coupon_rules(self, case: Case) -> Answer | None:
        answer = super().coupon_rules(case)
        if case.kind != "apply_coupon":
            return answer
        queue_id = case.situation.queue_id
        name = (case.situation.principal, case.intent.cart_id, case.intent.coupon_code)
        mine = self._appliers.setdefault(name, queue_id) == queue_id
        if isinstance(answer, Refused) and not mine:
            return Applied(changed=False)
        return answer


class _CouponsUnguarded(SqliteStore):
    """Puts a coupon on the cart without looking whether the cart has changed meanwhile."""

    def still_holds(self, changes: Changes) -> bool:
        if any(name.startswith("coupons/") for name, _ in changes.entries):
            changes = replace(changes, expected_carts={}, expected_collections={})
        return super().still_holds(changes)


class _KeepsThem(CouponRules):
    def remove(self, case: CouponCase) -> CouponOutcome:
        return CouponOutcome(changed=False, present=False)


class _RemovesAll(Decider):
    """Takes every coupon off the cart when one is to go."""

    def coupon_rules(self, case: Case) -> Answer | None:
        answer = super().coupon_rules(case)
        if case.kind != "remove_coupon" or not isinstance(answer, Applied) or not answer.changed:
            return answer
        collection = coupons_of(case.intent.cart_id)
        all_gone = {(collection, code): None for code in self._coupon_case(case).applied}
        return replace(answer, writes=replace(answer.writes, entries={**answer.writes.entries, **all_gone}))


class _MissingRefused(CouponRules):
    """Rejects the removal of a coupon that is not on the cart."""

    def judge(self, case: CouponCase) -> CouponOutcome | Refused:
        judged = super().judge(case)
        if case.kind == "remove_coupon" and isinstance(judged, CouponOutcome) and not judged.changed:
            return refuse(Reason.REASON_COUPON_UNKNOWN, "the coupon is not on this cart")
        return judged


class _RemovalsNeedACart(CouponRules):
    def judge(self, case: CouponCase) -> CouponOutcome | Refused:
        if case.kind == "remove_coupon" and case.cart is None:
            return refuse(Reason.REASON_CART_NOT_FOUND, "no add has made this cart")
        return super().judge(case)


class _ChangesNothingLoudly(Decider):
    """Gives the cart a new revision for the removal of a coupon that was not on it."""

    def coupon_rules(self, case: Case) -> Answer | None:
        answer = super().coupon_rules(case)
        cart = case.working.cart(case.intent.cart_id)
        if case.kind != "remove_coupon" or not isinstance(answer, Applied) or answer.changed or cart is None:
            return answer
        change = self.change(case)
        moved = replace(cart, revision=change.revision, update_time_us=change.time_us)
        return Applied(changed=True, writes=Writes(carts={case.intent.cart_id: moved}))


class _AsksToRemove(Decider):
    """Asks the shop about a coupon that is to be taken off."""

    def kind(self, case: Case) -> Kind | None:
        found = super().kind(case)
        if found is not None and case.kind == "remove_coupon":
            return replace(found, look_up="look_up_promotions")
        return found


class _KeepsWhatIsOver(Decider):
    """Takes no coupon off that is expired or withdrawn."""

    def coupon_rules(self, case: Case) -> Answer | None:
        if case.kind == "remove_coupon" and self._coupon_case(case).is_on_cart:
            try:
                promotion = case.situation.promotions(case.intent.coupon_code)
            except BackendUnavailableError:
                return super().coupon_rules(case)
            if promotion is None:
                return refuse(Reason.REASON_COUPON_UNKNOWN, "the shop has no such coupon")
            if is_over(promotion, case.situation.now_us):
                return refuse(Reason.REASON_COUPON_EXPIRED, "the coupon is no longer good")
        return super().coupon_rules(case)


class _UnknownWithoutBackend(Decider):
    """Rejects a coupon that the shop says nothing of, be it that the shop does not answer."""

    def backing_services(self, case: Case) -> Answer | None:
        answer = super().backing_services(case)
        if case.kind == "apply_coupon" and isinstance(answer, Refused):
            return refuse(Reason.REASON_COUPON_UNKNOWN, "the shop has no such coupon")
        return answer


class _CartBeforeBackend(Decider):
    """Looks at cart and coupons first, and asks the shop when nothing there refuses."""

    def backing_services(self, case: Case) -> Answer | None:
        if case.kind == "apply_coupon":
            coupon_case = self._coupon_case(case)
            if coupon_case.cart is None or coupon_case.cart.closed or coupon_case.is_on_cart:
                return None
        return super().backing_services(case)


class _OptimisticWithoutBackend(Decider):
    """Puts a coupon on that it can ask nobody about."""

    def backing_services(self, case: Case) -> Answer | None:
        answer = super().backing_services(case)
        if case.kind != "apply_coupon" or not isinstance(answer, Refused):
            return answer
        coupon_case = self._coupon_case(case)
        code = case.intent.coupon_code
        coupon_case.promotions = {code: Promotion(coupon_code=code, basis_points_off=1, stackable=True)}
        return None


class _LimitFirst(CouponRules):
    """Looks first whether there is room on the cart."""

    TABLE: ClassVar[tuple[tuple[str, bool], ...]] = (("limit_exceeded", True), *CouponRules.TABLE[:-1])


class _ShopFirst(CouponRules):
    """Looks first whether the shop knows the code, and at the cart then."""

    TABLE: ClassVar[tuple[tuple[str, bool], ...]] = (
        ("unknown", True),
        *(rule for rule in CouponRules.TABLE if rule[0] != "unknown"),
    )


class _CurrencyFirst(CouponRules):
    """Looks at the currency before time and principal."""

    TABLE: ClassVar[tuple[tuple[str, bool], ...]] = (
        *CouponRules.TABLE[:4],
        ("currency_mismatch", True),
        *(rule for rule in CouponRules.TABLE[4:] if rule[0] != "currency_mismatch"),
    )


class _StackableBeforeUsed(CouponRules):
    """Looks what is beside a coupon before it looks where else the coupon is."""

    TABLE: ClassVar[tuple[tuple[str, bool], ...]] = (
        *(rule for rule in CouponRules.TABLE if rule[0] not in ("already_used", "limit_exceeded")),
        ("already_used", True),
        ("limit_exceeded", True),
    )


def _ruled(rules: type[CouponRules]) -> Callable[[Policy], Decider]:
    """A decider with these coupon rules."""
    return lambda policy: Decider(policy, coupons=rules(policy))


MUTANTS = (
    Mutant(
        "coupon-replaces-coupon",
        "Takes the coupons off that are on a cart when another is applied.",
        ("coupons/apply",),
        "decider",
        _NewestOnly,
    ),
    Mutant(
        "coupon-without-revision",
        "Puts a coupon on a cart without giving the cart a new revision.",
        (
            "coupons/apply",
            "revision/judged-at",
            "coupons/snapshot-shows-all",
        ),
        "decider",
        _NoRevision,
    ),
    Mutant(
        "coupon-answered-only",
        "Answers that a coupon is applied, and does nothing.",
        ("coupons/apply",),
        "decider",
        _ruled(_AnswersOnly),
    ),
    Mutant(
        "newest-coupon-first",
        "Shows the coupons of a cart in reverse.",
        (
            "coupons/apply",
            "coupons/snapshot-shows-all",
            "coupons/share-off",
        ),
        "open_store",
        stored_in(_NewestFirst),
    ),
    Mutant(
        "coupons-on-closed-carts",
        "Puts coupons on a closed cart.",
        ("coupons/apply-cart", "deciding/refusal-order"),
        "decider",
        _ruled(_OpenForCoupons),
    ),
    Mutant(
        "coupons-off-closed-carts",
        "Takes coupons off a closed cart.",
        ("coupons/apply-cart",),
        "decider",
        _ruled(_OpenForRemovals),
    ),
    Mutant(
        "coupon-for-no-cart",
        "Answers that a coupon is applied to a cart that no add has made.",
        ("coupons/apply-cart", "deciding/refusal-order"),
        "decider",
        _ruled(_IgnoresMissingCarts),
    ),
    Mutant(
        "applies-a-coupon-again",
        "Puts a coupon that is on the cart on it once more, behind the others.",
        ("coupons/already-applied", "deciding/refusal-order"),
        "decider",
        _ruled(_AppliesAgain),
    ),
    Mutant(
        "coupon-again-is-no-error",
        "Answers that a coupon is applied, changing nothing, when it is on the cart already.",
        ("coupons/already-applied", "deciding/refusal-order"),
        "decider",
        _ruled(_AgainIsFine),
    ),
    Mutant(
        "coupon-of-another-queue",
        "Tells only the queue that put a coupon on a cart that it is there.",
        ("coupons/already-applied",),
        "decider",
        _TellsItsOwnQueue,
    ),
    Mutant(
        "coupons-unguarded",
        "Puts a coupon on a cart without looking whether another queue has changed the cart meanwhile.",
        (
            "coupons/already-applied",
            "coupons/once-per-principal",
            "effects/concurrent-queues",
        ),
        "open_store",
        stored_in(_CouponsUnguarded),
    ),
    Mutant(
        "keeps-removed-coupons",
        "Answers that a coupon is removed, and does nothing.",
        (
            "coupons/remove",
            "coupons/limit",
            "coupons/totals",
        ),
        "decider",
        _ruled(_KeepsThem),
    ),
    Mutant(
        "removes-all-coupons",
        "Takes all coupons off a cart when one is removed.",
        ("coupons/remove",),
        "decider",
        _RemovesAll,
    ),
    Mutant(
        "missing-coupon-refused",
        "Rejects the removal of a coupon that is not on the cart.",
        ("coupons/remove",),
        "decider",
        _ruled(_MissingRefused),
    ),
    Mutant(
        "coupon-removal-needs-a-cart",
        "Rejects the removal of a coupon from a cart that is not there.",
        ("coupons/remove",),
        "decider",
        _ruled(_RemovalsNeedACart),
    ),
    Mutant(
        "missing-coupon-changes-the-cart",
        "Gives the cart a new revision when a coupon is removed that was not on it.",
        (
            "coupons/remove",
            "revision/unchanged",
        ),
        "decider",
        _ChangesNothingLoudly,
    ),
    Mutant(
        "asks-to-remove-a-coupon",
        "Defers the removal of a coupon while the promotions cannot be reached.",
        ("coupons/remove-free",),
        "decider",
        _AsksToRemove,
    ),
    Mutant(
        "keeps-expired-coupons-on",
        "Does not take a coupon off that is expired or withdrawn.",
        ("coupons/remove-free",),
        "decider",
        _KeepsWhatIsOver,
    ),
    Mutant(
        "unknown-without-promotions",
        "Rejects coupons as unknown while the promotions cannot be reached.",
        (
            "coupons/backend",
            "backend/deferred",
        ),
        "decider",
        _UnknownWithoutBackend,
    ),
    Mutant(
        "applies-coupons-unasked",
        "Applies coupons while the promotions cannot be reached.",
        (
            "coupons/backend",
            "backend/deferred",
        ),
        "decider",
        _OptimisticWithoutBackend,
    ),
    Mutant(
        "cart-before-promotions",
        "Rejects a coupon by what is on the cart, while the promotions cannot be reached.",
        (
            "coupons/backend",
            "deciding/refusal-order",
        ),
        "decider",
        _CartBeforeBackend,
    ),
    Mutant(
        "coupon-limit-first",
        "Rejects any coupon for a cart that has no room, whatever else is wrong.",
        ("deciding/refusal-order", "coupons/already-applied"),
        "decider",
        _ruled(_LimitFirst),
    ),
    Mutant(
        "unknown-coupon-first",
        "Says that a coupon is unknown before it looks at the cart.",
        ("deciding/refusal-order", "coupons/apply-cart"),
        "decider",
        _ruled(_ShopFirst),
    ),
    Mutant(
        "coupon-currency-first",
        "Looks at the currency of a coupon before it looks at its time and whom it is for.",
        ("deciding/refusal-order",),
        "decider",
        _ruled(_CurrencyFirst),
    ),
    Mutant(
        "coupon-stackable-before-used",
        "Looks what is beside a coupon before it looks where else the coupon is.",
        ("deciding/refusal-order",),
        "decider",
        _ruled(_StackableBeforeUsed),
    ),
)
