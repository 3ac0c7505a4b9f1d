"""Claims that take over too much or too little."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from cartsync.v1 import reason_pb2

from conformance.mutants.mutant import Mutant
from reference_server.engine.cases import Answer, Applied, Case
from reference_server.engine.claim_rules import ClaimCase, ClaimOutcome, ClaimRules, LineClaim
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import CartHead
from reference_server.ports import BackendUnavailableError, Offer

_LIMIT_REASONS = (Reason.REASON_LINE_LIMIT_EXCEEDED, Reason.REASON_INSUFFICIENT_INVENTORY)


class _TakesTheLarger(ClaimRules):
    def whole(self, quantity_before: int, guest_quantity: int) -> int:
        return max(quantity_before, guest_quantity)


class _TakesTheGuests(ClaimRules):
    def whole(self, quantity_before: int, guest_quantity: int) -> int:
        return guest_quantity


class _TakesNewLinesOnly(ClaimRules):
    """Leaves the lines alone that the account has already."""

    def whole(self, quantity_before: int, guest_quantity: int) -> int:
        return quantity_before or guest_quantity


class _ReplacesTheCart(Decider):
    """The guest's cart takes the place of the account's."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._seen: dict[tuple[str, str], set[str]] = {}

    def cart_rules(self, case: Case) -> Answer | None:
        answer = super().cart_rules(case)
        if not isinstance(answer, Refused):
            self._seen.setdefault((case.situation.principal, case.intent.cart_id), set()).add(case.intent.sku)
        return answer

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        if not isinstance(answer, Applied) or not answer.changed:
            return answer
        cart_id = case.intent.cart_id
        head = answer.writes.carts[cart_id]
        claimed = {line.sku for line in answer.claimed_lines}
        gone = self._seen.get((case.situation.principal, cart_id), set()) - claimed
        lines = {
            (cart_id, sku): case.working.line((cart_id, sku)).after(0, head.revision, case.situation.queue_id)
            for sku in gone
        }
        carts = {cart_id: replace(head, line_count=head.line_count - len(gone))}
        writes = replace(answer.writes, carts=carts, lines={**lines, **answer.writes.lines})
        return replace(answer, writes=writes)


class _RevisionPerLine(Decider):
    """Moves the cart's revision on for every line that a claim changes."""

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        if not isinstance(answer, Applied) or not answer.changed:
            return answer
        cart_id, count = case.intent.cart_id, len(answer.writes.lines)
        head = answer.writes.carts[cart_id]
        carts = {cart_id: replace(head, revision=head.revision + count - 1)}
        return replace(answer, writes=replace(answer.writes, carts=carts))


class _AnyStock(ClaimRules):
    def most_in_stock(self, case: ClaimCase, sku: str) -> int | None:
        return None


class _StockOfTheGuest(ClaimRules):
    """Compares the stock with what the guest had, not with the sum."""

    def most_in_stock(self, case: ClaimCase, sku: str) -> int | None:
        most = super().most_in_stock(case, sku)
        return None if most is None else case.quantities.get(sku, 0) + min(most, case.guest_quantities[sku])


class _AnyQuantity(ClaimRules):
    def most_of_a_line(self, case: ClaimCase, sku: str) -> int | None:
        return None


class _AnyNumberOfLines(ClaimRules):
    def line_count_exceeded(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return False


class _CountsLinesBefore(ClaimRules):
    """Compares with the line limit what the cart had before the claim, for each line anew."""

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        return super().line(case, sku, 0 if case.cart is None else case.cart.line_count)


class _FullCartTakesNothing(ClaimRules):
    """Lets no line of a full cart grow."""

    def line_count_exceeded(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return line_count >= self.policy.max_line_count


class _CutsBelow(ClaimRules):
    """Cuts a line down to the stock, were there more of it before."""

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        line, most = super().line(case, sku, line_count), self.most_in_stock(case, sku)
        return line if most is None else replace(line, quantity_after=min(line.quantity_after, most))


class _AllOrNothing(ClaimRules):
    """Leaves a line alone that cannot become the whole sum."""

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        line = super().line(case, sku, line_count)
        return replace(line, quantity_after=line.quantity_before) if line.limit_reason else line


class _TakesUnlisted(ClaimRules):
    def sku_unlisted(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return False


class _AnyCurrency(ClaimRules):
    def currency_mismatch(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return False


class _CurrencyOfOffers(ClaimRules):
    """Compares an offer with the guest's cart, and not with the account's."""

    def currency_mismatch(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return super().currency_mismatch(replace(case, cart=None), sku, line_count)


class _CurrencyOfCarts(ClaimRules):
    """Compares the carts, and not the offers."""

    def currency_mismatch(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return super().currency_mismatch(replace(case, offers={}), sku, line_count)


class _ReportsChanges(ClaimRules):
    """Reports only the lines that were changed."""

    def apply(self, case: ClaimCase) -> ClaimOutcome:
        outcome = super().apply(case)
        return replace(outcome, lines=tuple(line for line in outcome.lines if line.changed))


class _ReportsWhatWasTaken(ClaimRules):
    """Reports as the guest's quantity what could be taken of it."""

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        line = super().line(case, sku, line_count)
        return replace(line, guest_quantity=line.quantity_after - line.quantity_before)


class _LastLineFirst(ClaimRules):
    def apply(self, case: ClaimCase) -> ClaimOutcome:
        outcome = super().apply(case)
        return replace(outcome, lines=outcome.lines[::-1])


class _NoLimitReason(ClaimRules):
    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        return replace(super().line(case, sku, line_count), limit_reason=Reason.REASON_UNSPECIFIED)


class _AlwaysTheLineLimit(ClaimRules):
    """Where both cut, names the line limit, were the stock lower."""

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        line = super().line(case, sku, line_count)
        above = self.whole(line.quantity_before, line.guest_quantity) > self.policy.max_line_quantity
        if line.limit_reason in _LIMIT_REASONS and above:
            return replace(line, limit_reason=Reason.REASON_LINE_LIMIT_EXCEEDED)
        return line


class _StockBeforeLimit(ClaimRules):
    """Where stock and line limit cut alike, names the stock."""

    CEILINGS: ClassVar[tuple[tuple[str, reason_pb2.Reason.ValueType], ...]] = ClaimRules.CEILINGS[::-1]


class _CurrencyBeforeListing(ClaimRules):
    """Looks at the currency of an offer first."""

    EXCLUSIONS: ClassVar[tuple[tuple[str, reason_pb2.Reason.ValueType], ...]] = ClaimRules.EXCLUSIONS[::-1]


class _NothingIsNotFound(ClaimRules):
    """Rejects the claim of a guest's cart that is not there."""

    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        judged = super().judge(case)
        if isinstance(judged, ClaimOutcome) and judged.first and case.guest_cart is None:
            return refuse(Reason.REASON_CART_NOT_FOUND, "the guest has no such cart")
        return judged


class _EmptyIsNotFound(ClaimRules):
    """Rejects the claim of a guest's cart without lines."""

    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        judged = super().judge(case)
        if isinstance(judged, ClaimOutcome) and judged.first and case.guest_cart is not None and not judged.lines:
            return refuse(Reason.REASON_CART_NOT_FOUND, "the guest's cart has nothing to take")
        return judged


class _TakesClosedCarts(ClaimRules):
    """Takes over what a guest has bought already."""

    def apply(self, case: ClaimCase) -> ClaimOutcome:
        if case.guest_cart is not None and not case.claimed_cart_ids:
            return super().apply(replace(case, guest_cart=replace(case.guest_cart, closed=False)))
        return super().apply(case)


class _NothingClosesNothing(Decider):
    """A claim that takes no line leaves the guest as it was."""

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        if isinstance(answer, Applied) and not answer.changed:
            return replace(answer, writes=replace(answer.writes, claim=None))
        return answer


class _NothingIsAChange(Decider):
    """A claim that takes no line gives the account's cart a new revision all the same."""

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        cart = case.working.cart(case.intent.cart_id)
        if not isinstance(answer, Applied) or answer.changed or cart is None or answer.writes.claim is None:
            return answer
        change = self.change(case)
        moved = replace(cart, revision=change.revision, update_time_us=change.time_us)
        writes = replace(answer.writes, carts={case.intent.cart_id: moved})
        return replace(answer, changed=True, writes=writes)


class _OpenForClaims(ClaimRules):
    def cart_closed(self, case: ClaimCase) -> Refused | None:
        return None


class _TokenFirst(ClaimRules):
    """Looks at token and guest first, and at the account's cart then."""

    TABLE: ClassVar[tuple[str, ...]] = ("token_invalid", "already_claimed", "cart_closed")


class _SecondClaimFirst(ClaimRules):
    """Looks first whether the claim was made before."""

    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        return ClaimOutcome(first=False) if self.claimed_before(case) else super().judge(case)


class _ClosedTakesNothing(ClaimRules):
    """Applies a claim into a closed cart, with nothing taken and the guest closed."""

    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        judged = super().judge(case)
        closed = isinstance(judged, Refused) and judged.refusal.reason == Reason.REASON_CART_CLOSED
        return ClaimOutcome() if closed else judged


class _NeedsACart(ClaimRules):
    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        judged = super().judge(case)
        if isinstance(judged, ClaimOutcome) and judged.changed and case.cart is None:
            return refuse(Reason.REASON_CART_NOT_FOUND, "no add has made this cart")
        return judged


class _AlwaysMakesACart(Decider):
    """A claim makes the account's cart, be there a line to go into it or not."""

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        cart_id = case.intent.cart_id
        if not isinstance(answer, Applied) or answer.changed or case.working.cart(cart_id) is not None:
            return answer
        change = self.change(case)
        carts = {cart_id: CartHead(change.revision, "GBP", change.time_us)}
        return replace(answer, writes=replace(answer.writes, carts=carts))


class _MadeInPounds(ClaimRules):
    """Makes the account's cart in the currency of the shop."""

    def apply(self, case: ClaimCase) -> ClaimOutcome:
        return replace(super().apply(case), currency_code="GBP")


class _TakesNothingUnasked(Decider):
    """Takes a catalogue that does not answer for one that knows no product."""

    def backing_services(self, case: Case) -> Answer | None:
        answer = super().backing_services(case)
        return None if case.kind == "claim_guest_cart" and isinstance(answer, Refused) else answer


class _TakesAllUnasked(Decider):
    """Takes everything over while the catalogue does not answer."""

    def look_up_guest_lines(self, case: Case) -> None:
        try:
            super().look_up_guest_lines(case)
        except BackendUnavailableError:
            found = self._claim_case(case)
            currency_code = found.guest_cart.currency_code if found.guest_cart is not None else ""
            found.offers = {sku: Offer(sku, currency_code, 1, True, None) for sku in found.guest_quantities}


class _AsksForLinesOnly(Decider):
    """Waits for the catalogue only where it has a line to ask about."""

    def backing_services(self, case: Case) -> Answer | None:
        if case.kind == "claim_guest_cart" and not self._claim_case(case).guest_quantities:
            return None
        return super().backing_services(case)


class _RejectsUnasked(Decider):
    """Rejects a claim while the catalogue does not answer."""

    def backing_services(self, case: Case) -> Answer | None:
        answer = super().backing_services(case)
        if case.kind == "claim_guest_cart" and isinstance(answer, Refused):
            return refuse(Reason.REASON_SKU_UNKNOWN, "the catalogue does not know the products")
        return answer


def _ruled(rules: type[ClaimRules]) -> Callable[[Policy], Decider]:
    """A decider with these claim rules."""
    return lambda policy: Decider(policy, claims=rules(policy))


MUTANTS = (
    Mutant(
        "claim-takes-the-larger",
        "Makes a line the larger of both instead of the sum.",
        (
            "claim/adds-lines",
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_TakesTheLarger),
    ),
    Mutant(
        "claim-takes-the-guests-line",
        "Makes a line what the guest had.",
        (
            "claim/adds-lines",
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_TakesTheGuests),
    ),
    Mutant(
        "claim-takes-new-lines-only",
        "Takes over only lines that the account has not.",
        (
            "claim/adds-lines",
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_TakesNewLinesOnly),
    ),
    Mutant(
        "claim-replaces-the-cart",
        "Takes the account's other lines out of its cart.",
        ("claim/adds-lines",),
        "decider",
        _ReplacesTheCart,
    ),
    Mutant(
        "claim-has-a-revision-per-line",
        "Gives the cart a revision for every line that a claim changes.",
        (
            "claim/adds-lines",
            "revision/judged-at",
        ),
        "decider",
        _RevisionPerLine,
    ),
    Mutant(
        "claim-oversells",
        "Takes lines over without looking at the stock.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_AnyStock),
    ),
    Mutant(
        "claim-compares-the-guests-quantity",
        "Compares the stock with what the guest had.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_StockOfTheGuest),
    ),
    Mutant(
        "claim-without-line-limit",
        "Makes lines longer than a line may be.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_AnyQuantity),
    ),
    Mutant(
        "claim-of-any-number-of-lines",
        "Makes more lines than a cart may have.",
        ("claim/limits",),
        "decider",
        _ruled(_AnyNumberOfLines),
    ),
    Mutant(
        "claim-counts-lines-before",
        "Compares with the limit of lines what the cart had before the claim.",
        ("claim/limits",),
        "decider",
        _ruled(_CountsLinesBefore),
    ),
    Mutant(
        "claim-into-a-full-cart",
        "Lets no line of a full cart grow by a claim.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_FullCartTakesNothing),
    ),
    Mutant(
        "claim-cuts-below",
        "Cuts a line below what the account had.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_CutsBelow),
    ),
    Mutant(
        "claim-all-or-nothing",
        "Leaves a line alone where the whole sum is not to be had.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_AllOrNothing),
    ),
    Mutant(
        "claim-takes-unlisted",
        "Takes over what is not for sale any more.",
        (
            "claim/limits",
            "claim/lines-reported",
            "claim/makes-cart",
        ),
        "decider",
        _ruled(_TakesUnlisted),
    ),
    Mutant(
        "claim-in-any-currency",
        "Takes lines over whatever their currency is.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_AnyCurrency),
    ),
    Mutant(
        "claim-ignores-the-carts-currency",
        "Takes lines over into a cart of another currency.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_CurrencyOfOffers),
    ),
    Mutant(
        "claim-ignores-the-offers-currency",
        "Takes lines over that are sold in another currency by now.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_CurrencyOfCarts),
    ),
    Mutant(
        "claim-reports-changes-only",
        "Does not report lines that a limit has left as they were.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_ReportsChanges),
    ),
    Mutant(
        "claim-reports-what-was-taken",
        "Reports as the guest's quantity what was taken of it.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_ReportsWhatWasTaken),
    ),
    Mutant(
        "claim-reports-in-reverse",
        "Reports the lines of a claim in descending order.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_LastLineFirst),
    ),
    Mutant(
        "claim-names-no-limit",
        "Does not say what cut a line of a claim.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_NoLimitReason),
    ),
    Mutant(
        "claim-names-the-line-limit",
        "Names the line limit where the stock is lower.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_AlwaysTheLineLimit),
    ),
    Mutant(
        "claim-names-the-stock",
        "Names the stock where the line limit is the same.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_StockBeforeLimit),
    ),
    Mutant(
        "claim-names-the-currency",
        "Looks at currency and number of lines before it looks whether a product is listed.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_CurrencyBeforeListing),
    ),
    Mutant(
        "claim-of-no-cart-refused",
        "Rejects the claim of a guest's cart that is not there.",
        ("claim/nothing-to-take",),
        "decider",
        _ruled(_NothingIsNotFound),
    ),
    Mutant(
        "claim-of-no-lines-refused",
        "Rejects the claim of a guest's cart without lines.",
        ("claim/nothing-to-take",),
        "decider",
        _ruled(_EmptyIsNotFound),
    ),
    Mutant(
        "claim-of-a-closed-cart",
        "Takes over what the guest has checked out.",
        ("claim/nothing-to-take",),
        "decider",
        _ruled(_TakesClosedCarts),
    ),
    Mutant(
        "claim-of-nothing-closes-nothing",
        "Does not close a guest that had nothing to take over.",
        ("claim/nothing-to-take",),
        "decider",
        _NothingClosesNothing,
    ),
    Mutant(
        "claim-of-nothing-is-a-change",
        "Gives the account's cart a new revision when a claim takes nothing.",
        (
            "claim/nothing-to-take",
            "claim/limits",
            "revision/unchanged",
        ),
        "decider",
        _NothingIsAChange,
    ),
    Mutant(
        "claim-into-a-closed-cart",
        "Takes lines over into a closed cart.",
        ("claim/cart-closed", "deciding/refusal-order"),
        "decider",
        _ruled(_OpenForClaims),
    ),
    Mutant(
        "closed-cart-claims-nothing",
        "Applies a claim into a closed cart, and closes the guest.",
        ("claim/cart-closed", "deciding/refusal-order"),
        "decider",
        _ruled(_ClosedTakesNothing),
    ),
    Mutant(
        "claim-needs-a-cart",
        "Rejects a claim into a cart that no add has made.",
        (
            "claim/makes-cart",
            "claim/token",
            "claim/lines-reported",
            "claim/guest-closed",
            "claim/adds-lines",
        ),
        "decider",
        _ruled(_NeedsACart),
    ),
    Mutant(
        "claim-always-makes-a-cart",
        "Makes the account's cart for a claim that takes nothing.",
        (
            "claim/makes-cart",
            "claim/idempotent",
            "cart/made-by-first-add",
        ),
        "decider",
        _AlwaysMakesACart,
    ),
    Mutant(
        "claim-makes-the-cart-in-pounds",
        "Makes the account's cart in the shop's currency.",
        ("claim/makes-cart",),
        "decider",
        _ruled(_MadeInPounds),
    ),
    Mutant(
        "claim-takes-nothing-unasked",
        "Takes nothing over while the catalogue cannot be reached, and closes the guest.",
        ("claim/backend",),
        "decider",
        _TakesNothingUnasked,
    ),
    Mutant(
        "claim-takes-all-unasked",
        "Takes everything over while the catalogue cannot be reached.",
        ("claim/backend",),
        "decider",
        _TakesAllUnasked,
    ),
    Mutant(
        "claim-asks-for-lines-only",
        "Decides claims that take no line while the catalogue cannot be reached.",
        ("claim/backend",),
        "decider",
        _AsksForLinesOnly,
    ),
    Mutant(
        "claim-rejected-unasked",
        "Rejects claims while the catalogue cannot be reached.",
        (
            "claim/backend",
            "backend/deferred",
        ),
        "decider",
        _RejectsUnasked,
    ),
    Mutant(
        "claim-token-before-cart",
        "Looks at the token of a claim before it looks whether the account's cart is closed.",
        ("deciding/refusal-order", "claim/cart-closed"),
        "decider",
        _ruled(_TokenFirst),
    ),
    Mutant(
        "second-claim-into-a-closed-cart",
        "Applies a second claim of a guest's cart although the account's cart is closed by then.",
        ("deciding/refusal-order", "claim/cart-closed"),
        "decider",
        _ruled(_SecondClaimFirst),
    ),
)
