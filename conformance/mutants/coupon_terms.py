"""What a coupon is good for, and where: known codes, time, principals, currency, once, stackable, limit."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine import coupon_changes, instants
from reference_server.engine.cases import Answer, Applied, Case
from reference_server.engine.coupon_rules import CouponCase, CouponRules
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import Changes, uses_of
from reference_server.ports import Promotion
from reference_server.storage.sqlite import SqliteStore

_DAY_US = 86_400_000_000


class _UsesUnguarded(SqliteStore):
    """Looks which carts have a coupon, and not again when it puts it on one."""

    def still_holds(self, changes: Changes) -> bool:
        if any(name.startswith("coupon_uses/") for name in changes.expected_collections):
            changes = replace(changes, expected_collections={})
        return super().still_holds(changes)


class _FoldsCodes(Decider):
    """Takes another spelling of a code for the code."""

    def look_up_promotions(self, case: Case) -> None:
        coupon_case, known = self._coupon_case(case), case.situation.promotions

        def promotion(code: str) -> Promotion | None:
            spellings = (code, code.lower(), code.upper(), code.capitalize())
            return next((found for found in map(known, spellings) if found is not None), None)

        coupon_changes.look_up(coupon_case, promotion)


class _TrimsCodes(Decider):
    """Looks a code up without the spaces, of any kind, around it."""

    def look_up_promotions(self, case: Case) -> None:
        coupon_changes.look_up(self._coupon_case(case), lambda code: case.situation.promotions(code.strip()))


class _RemembersPromotions(Decider):
    """Keeps what the shop once said of a code."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._known: dict[str, Promotion] = {}

    def look_up_promotions(self, case: Case) -> None:
        def promotion(code: str) -> Promotion | None:
            found = self._known.get(code) or case.situation.promotions(code)
            if found is not None:
                self._known[code] = found
            return found

        coupon_changes.look_up(self._coupon_case(case), promotion)


class _TakesUnknown(CouponRules):
    def unknown(self, case: CouponCase) -> Refused | None:
        return None


class _BeforeItsTime(CouponRules):
    def not_started(self, case: CouponCase) -> Refused | None:
        return None


class _NeverOver(CouponRules):
    def expired(self, case: CouponCase) -> Refused | None:
        return None


class _UntilMidnight(CouponRules):
    """A coupon is good until the day of its end is over."""

    def expired(self, case: CouponCase) -> Refused | None:
        return super().expired(replace(case, now_us=case.now_us // _DAY_US * _DAY_US))


class _ShoppersClock(Decider):
    """Judges a coupon by when the shopper entered it."""

    def _coupon_case(self, case: Case) -> CouponCase:
        found = super()._coupon_case(case)
        if case.operation.HasField("enqueue_time"):
            found.now_us = instants.to_us(case.operation.enqueue_time.ToDatetime(UTC))
        return found


class _OverIsNotStarted(CouponRules):
    """Calls a coupon expired whose time has not come."""

    def not_started(self, case: CouponCase) -> Refused | None:
        refused = super().not_started(case)
        return refused and refuse(Reason.REASON_COUPON_EXPIRED, "the coupon is not good now")


class _ForAnybody(CouponRules):
    def not_eligible(self, case: CouponCase) -> Refused | None:
        return None


class _ForOneOnly(CouponRules):
    """Of the principals that a coupon is for it knows one, another where there is another."""

    def not_eligible(self, case: CouponCase) -> Refused | None:
        if case.promotion is None or not case.promotion.eligible_principals:
            return None
        first = frozenset([min(case.promotion.eligible_principals, key=lambda name: name == case.principal)])
        only = replace(case.promotion, eligible_principals=first)
        return super().not_eligible(replace(case, promotions={case.coupon_code: only}))


class _ForSimilarNames(CouponRules):
    """A coupon is for whoever's name is contained in a name it is for."""

    def not_eligible(self, case: CouponCase) -> Refused | None:
        names = case.promotion.eligible_principals if case.promotion is not None else frozenset()
        return None if any(case.principal in name for name in names) else super().not_eligible(case)


class _ForTheBeginningOfAName(CouponRules):
    """A coupon is for whoever's name begins with a name it is for, in any letter case."""

    def not_eligible(self, case: CouponCase) -> Refused | None:
        names = case.promotion.eligible_principals if case.promotion is not None else frozenset()
        name = case.principal.casefold()
        return None if any(name.startswith(begun.casefold()) for begun in names) else super().not_eligible(case)


class _UsesOfOnceOnly(Decider):
    """Remembers where a coupon is only while it is good once."""

    def coupon_rules(self, case: Case) -> Answer | None:
        answer = super().coupon_rules(case)
        promotion = self._coupon_case(case).promotion
        if not isinstance(answer, Applied) or promotion is None or promotion.one_per_principal:
            return answer
        uses = uses_of(case.intent.coupon_code)
        entries = {name: entry for name, entry in answer.writes.entries.items() if name[0] != uses}
        return replace(answer, writes=replace(answer.writes, collections={}, entries=entries))


class _AnyCurrency(CouponRules):
    def currency_mismatch(self, case: CouponCase) -> Refused | None:
        return None


class _CurrencyOfAmounts(CouponRules):
    """Does not look at the currency of a minimum."""

    def currency_mismatch(self, case: CouponCase) -> Refused | None:
        if case.promotion is None or case.promotion.amount_off_minor is not None:
            return super().currency_mismatch(case)
        return None


class _SharesHaveACurrency(CouponRules):
    """Refuses a share without a minimum, which is in no currency at all."""

    def currency_mismatch(self, case: CouponCase) -> Refused | None:
        promotion = case.promotion
        if promotion is None or case.cart is None or promotion.currency_code == case.cart.currency_code:
            return super().currency_mismatch(case)
        return refuse(Reason.REASON_CURRENCY_MISMATCH, "the coupon is in another currency")


class _AsOftenAsYouLike(CouponRules):
    def already_used(self, case: CouponCase) -> Refused | None:
        return None


class _EveryCouponOnce(CouponRules):
    """Takes every coupon for one that is good once."""

    def already_used(self, case: CouponCase) -> Refused | None:
        if case.other_use_count == 0:
            return None
        return refuse(Reason.REASON_COUPON_ALREADY_USED, "the coupon is on another cart")


class _UsedForGood(Decider):
    """Taking a coupon off a cart does not free it for another."""

    def coupon_rules(self, case: Case) -> Answer | None:
        answer = super().coupon_rules(case)
        if case.kind != "remove_coupon" or not isinstance(answer, Applied) or not answer.changed:
            return answer
        uses = uses_of(case.intent.coupon_code)
        entries = {name: entry for name, entry in answer.writes.entries.items() if name[0] != uses}
        return replace(answer, writes=replace(answer.writes, collections={}, entries=entries))


class _OnceForEverybody(Decider):
    """A coupon that is good once is good for one principal."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._users: dict[str, str] = {}

    def coupon_rules(self, case: Case) -> Answer | None:
        answer = super().coupon_rules(case)
        coupon_case = self._coupon_case(case)
        promotion = coupon_case.promotion
        if not isinstance(answer, Applied) or promotion is None or not promotion.one_per_principal:
            return answer
        if self._users.setdefault(coupon_case.coupon_code, coupon_case.principal) != coupon_case.principal:
            return refuse(Reason.REASON_COUPON_ALREADY_USED, "the coupon is good once")
        return answer


class _ClosingFreesCoupons(SqliteStore):
    """What was on a cart that was checked out can be used again."""

    async def close_cart(self, principal: str, cart_id: str) -> bool:
        closed = await super().close_cart(principal, cart_id)
        await self._run(lambda: self._writing(lambda: self._free(principal, cart_id)))
        return closed

    def _free(self, principal: str, cart_id: str) -> None:
        whose = "principal = ? AND name LIKE 'coupon_uses/%'"
        self._connection.execute(
            f"UPDATE collections SET entry_count = entry_count - 1 WHERE {whose} "  # noqa: S608 - stands above
            "AND id IN (SELECT collection FROM entries WHERE entry_id = ?)",
            (principal, cart_id),
        )
        self._connection.execute(
            "DELETE FROM entries WHERE entry_id = ? "  # noqa: S608 - as above
            f"AND collection IN (SELECT id FROM collections WHERE {whose})",
            (cart_id, principal),
        )


class _AllStackable(CouponRules):
    def not_stackable(self, case: CouponCase) -> Refused | None:
        return None


class _LooksAtTheNewOne(CouponRules):
    """Puts a coupon beside one that suffers no other."""

    def suffers_others(self, promotion: Promotion | None) -> bool:
        return True


class _LooksAtTheOldOnes(CouponRules):
    """Puts a coupon that suffers no other beside others."""

    def not_stackable(self, case: CouponCase) -> Refused | None:
        if case.promotion is None:
            return None
        changed = {**case.promotions, case.coupon_code: replace(case.promotion, stackable=True)}
        return super().not_stackable(replace(case, promotions=changed))


class _WithdrawnInTheWay(CouponRules):
    """A coupon on the cart that was withdrawn suffers no other beside it."""

    def suffers_others(self, promotion: Promotion | None) -> bool:
        return promotion is not None and promotion.stackable


class _NeverFull(CouponRules):
    def limit_exceeded(self, case: CouponCase) -> Refused | None:
        return None


class _FullTooEarly(CouponRules):
    def limit_exceeded(self, case: CouponCase) -> Refused | None:
        return super().limit_exceeded(replace(case, applied=("", *case.applied)))


class _OneTooMany(CouponRules):
    def limit_exceeded(self, case: CouponCase) -> Refused | None:
        return super().limit_exceeded(replace(case, applied=case.applied[1:]))


class _CountsThoseThatWere(Decider):
    """The limit is one of coupons ever applied to the cart."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._ever: dict[tuple[str, str], set[str]] = {}

    def coupon_rules(self, case: Case) -> Answer | None:
        answer = super().coupon_rules(case)
        if case.kind != "apply_coupon" or not isinstance(answer, Applied):
            return answer
        ever = self._ever.setdefault((case.situation.principal, case.intent.cart_id), set())
        if len(ever) >= self.policy.max_coupon_count:
            return refuse(Reason.REASON_COUPON_LIMIT_EXCEEDED, "the cart has had enough coupons")
        ever.add(case.intent.coupon_code)
        return answer


def _ruled(rules: type[CouponRules]) -> Callable[[Policy], Decider]:
    """A decider with these coupon rules."""
    return lambda policy: Decider(policy, coupons=rules(policy))


MUTANTS = (
    Mutant(
        "folds-coupon-codes",
        "Takes a code in other letter case for the code.",
        ("coupons/unknown", "deciding/refusal-order"),
        "decider",
        _FoldsCodes,
    ),
    Mutant(
        "trims-coupon-codes",
        "Looks a code up without the spaces around it.",
        ("coupons/unknown",),
        "decider",
        _TrimsCodes,
    ),
    Mutant(
        "takes-unknown-coupons",
        "Puts codes on a cart that the shop does not know.",
        ("coupons/unknown", "deciding/refusal-order"),
        "decider",
        _ruled(_TakesUnknown),
    ),
    Mutant(
        "remembers-promotions",
        "Judges a coupon by what the shop said of it at first.",
        (
            "coupons/unknown",
            "coupons/start-and-end",
            "coupons/backend",
        ),
        "decider",
        _RemembersPromotions,
    ),
    Mutant(
        "coupon-before-its-start",
        "Applies a coupon before its start.",
        ("coupons/start-and-end", "deciding/refusal-order"),
        "decider",
        _ruled(_BeforeItsTime),
    ),
    Mutant(
        "coupon-after-its-end",
        "Applies a coupon after its end.",
        ("coupons/start-and-end", "deciding/refusal-order"),
        "decider",
        _ruled(_NeverOver),
    ),
    Mutant(
        "coupon-until-midnight",
        "Applies a coupon until the day of its end is over.",
        ("coupons/start-and-end", "deciding/refusal-order"),
        "decider",
        _ruled(_UntilMidnight),
    ),
    Mutant(
        "coupon-by-the-shoppers-clock",
        "Judges a coupon by when the shopper entered it.",
        ("coupons/start-and-end",),
        "decider",
        _ShoppersClock,
    ),
    Mutant(
        "coupon-expired-too-early",
        "Says of a coupon before its start that it has expired.",
        ("coupons/start-and-end", "deciding/refusal-order"),
        "decider",
        _ruled(_OverIsNotStarted),
    ),
    Mutant(
        "coupons-for-anybody",
        "Applies a coupon that is for other principals.",
        ("coupons/eligible-principals", "deciding/refusal-order"),
        "decider",
        _ruled(_ForAnybody),
    ),
    Mutant(
        "coupon-for-the-first-named",
        "Knows one of the principals that a coupon is for.",
        ("coupons/eligible-principals",),
        "decider",
        _ruled(_ForOneOnly),
    ),
    Mutant(
        "coupon-for-similar-names",
        "Applies a coupon that is for a principal whose name contains this one's.",
        ("coupons/eligible-principals",),
        "decider",
        _ruled(_ForSimilarNames),
    ),
    Mutant(
        "coupon-for-the-beginning-of-a-name",
        "Applies a coupon that is for a principal whose name is the beginning of this one's.",
        ("coupons/eligible-principals",),
        "decider",
        _ruled(_ForTheBeginningOfAName),
    ),
    Mutant(
        "coupon-in-any-currency",
        "Applies coupons in another currency than the cart's.",
        ("coupons/currency", "deciding/refusal-order"),
        "decider",
        _ruled(_AnyCurrency),
    ),
    Mutant(
        "coupon-minimum-in-any-currency",
        "Looks at the currency of a coupon's amount, and not at that of its minimum.",
        ("coupons/currency",),
        "decider",
        _ruled(_CurrencyOfAmounts),
    ),
    Mutant(
        "shares-have-a-currency",
        "Refuses a share of the subtotal because it is in no currency.",
        (
            "coupons/currency",
            "coupons/share-off",
        ),
        "decider",
        _ruled(_SharesHaveACurrency),
    ),
    Mutant(
        "coupon-as-often-as-you-like",
        "Applies a coupon that is good once to several carts.",
        ("coupons/once-per-principal", "deciding/refusal-order"),
        "decider",
        _ruled(_AsOftenAsYouLike),
    ),
    Mutant(
        "coupon-uses-of-then",
        "Does not know on which carts a coupon is that became good once later.",
        ("coupons/once-per-principal",),
        "decider",
        _UsesOfOnceOnly,
    ),
    Mutant(
        "every-coupon-once",
        "Lets every coupon be on one cart only.",
        ("coupons/once-per-principal",),
        "decider",
        _ruled(_EveryCouponOnce),
    ),
    Mutant(
        "coupon-used-for-good",
        "Does not free a coupon that is good once when it is taken off.",
        ("coupons/once-per-principal",),
        "decider",
        _UsedForGood,
    ),
    Mutant(
        "coupon-once-for-everybody",
        "Lets one principal have a coupon that is good once for each.",
        ("coupons/once-per-principal",),
        "decider",
        _OnceForEverybody,
    ),
    Mutant(
        "checkout-frees-coupons",
        "Lets a coupon that is good once be used again when its cart was checked out.",
        ("coupons/once-per-principal",),
        "open_store",
        stored_in(_ClosingFreesCoupons),
    ),
    Mutant(
        "coupon-uses-unguarded",
        "Does not look again, when it puts a coupon on a cart, on which other carts it is.",
        (
            "coupons/once-per-principal",
            "wishlist/concurrent",
        ),
        "open_store",
        stored_in(_UsesUnguarded),
    ),
    Mutant(
        "all-coupons-stackable",
        "Puts any coupon beside any other.",
        ("coupons/stackable", "deciding/refusal-order"),
        "decider",
        _ruled(_AllStackable),
    ),
    Mutant(
        "coupon-beside-one-alone",
        "Puts a coupon beside one that suffers no other.",
        ("coupons/stackable",),
        "decider",
        _ruled(_LooksAtTheNewOne),
    ),
    Mutant(
        "lone-coupon-beside-others",
        "Puts a coupon that suffers no other beside others.",
        ("coupons/stackable", "deciding/refusal-order"),
        "decider",
        _ruled(_LooksAtTheOldOnes),
    ),
    Mutant(
        "withdrawn-coupon-in-the-way",
        "Puts no coupon beside one that was withdrawn.",
        ("coupons/stackable",),
        "decider",
        _ruled(_WithdrawnInTheWay),
    ),
    Mutant(
        "any-number-of-coupons",
        "Puts any number of coupons on a cart.",
        ("coupons/limit",),
        "decider",
        _ruled(_NeverFull),
    ),
    Mutant(
        "one-coupon-too-few",
        "Refuses the last coupon that a cart has room for.",
        ("coupons/limit",),
        "decider",
        _ruled(_FullTooEarly),
    ),
    Mutant(
        "one-coupon-too-many",
        "Puts one coupon more on a cart than its policy says.",
        ("coupons/limit",),
        "decider",
        _ruled(_OneTooMany),
    ),
    Mutant(
        "counts-removed-coupons",
        "Counts coupons that were taken off against the limit.",
        ("coupons/limit",),
        "decider",
        _CountsThoseThatWere,
    ),
)
