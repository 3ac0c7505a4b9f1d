"""The claim rules (step 14 of chapter 3; chapter 13): may this guest's cart be taken over, and what of each line.

The order is that of the tables in section 13.1: first the rules that refuse the claim, in the order of `TABLE`, then,
line by line, the limits that cut a sum down: those of `EXCLUSIONS` leave the line as it was, those of `CEILINGS` let
it grow up to a figure. Each of them is one method. A variant of the server overrides exactly one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from cartsync.v1 import reason_pb2

from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import CartHead
from reference_server.ports import Offer


@dataclass(slots=True, kw_only=True)
class ClaimCase:
    """One claim, and all that the rules judge it by.

    `guest` is whom the token was issued to, None when it is none of this server's; what follows `guest_cart_id` is
    of that guest. `quantities` are those of the account's cart, by SKU; `offers` holds what the catalogue says of
    each SKU of the guest's cart, None when it does not know it.
    """

    account: str
    by_guest: bool
    cart: CartHead | None
    guest: str | None
    guest_cart_id: str
    claimed_by: str | None = None
    claimed_cart_ids: frozenset[str] = frozenset()
    guest_cart: CartHead | None = None
    guest_quantities: Mapping[str, int] = field(default_factory=dict)
    quantities: Mapping[str, int] = field(default_factory=dict)
    offers: Mapping[str, Offer | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineClaim:
    """What a claim comes to for one line; `limit_reason` is REASON_UNSPECIFIED when nothing cut the sum."""

    sku: str
    guest_quantity: int
    quantity_before: int
    quantity_after: int
    limit_reason: reason_pb2.Reason.ValueType = Reason.REASON_UNSPECIFIED

    @property
    def changed(self) -> bool:
        """Whether the account's line is different for it."""
        return self.quantity_after != self.quantity_before


@dataclass(frozen=True, slots=True)
class ClaimOutcome:
    """A claim is applied: each line of the guest's cart, in ascending order of SKU.

    `first` is False when this account had claimed this cart before: then nothing changes at all. Otherwise the guest
    and its cart are closed with the commit, whether or not there was a line to take.
    """

    lines: tuple[LineClaim, ...] = ()
    currency_code: str = ""
    first: bool = True

    @property
    def changed(self) -> bool:
        """Whether the account's cart is different for it."""
        return any(line.changed for line in self.lines)


class ClaimRules:
    """Judges claims against both carts, the catalogue and the policy. Keeps no state."""

    TABLE: ClassVar[tuple[str, ...]] = ("cart_closed", "token_invalid", "already_claimed")
    EXCLUSIONS: ClassVar[tuple[tuple[str, reason_pb2.Reason.ValueType], ...]] = (
        # method that tells whether the line stays as it was
        ("sku_unknown", Reason.REASON_SKU_UNKNOWN),
        ("sku_unlisted", Reason.REASON_SKU_UNLISTED),
        ("currency_mismatch", Reason.REASON_CURRENCY_MISMATCH),
        ("line_count_exceeded", Reason.REASON_LINE_LIMIT_EXCEEDED),
    )
    CEILINGS: ClassVar[tuple[tuple[str, reason_pb2.Reason.ValueType], ...]] = (
        # method that tells the most the line may have
        ("most_of_a_line", Reason.REASON_LINE_LIMIT_EXCEEDED),
        ("most_in_stock", Reason.REASON_INSUFFICIENT_INVENTORY),
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        """The first rule that refuses, or what is applied (spec: section 13.1)."""
        for name in self.TABLE:
            refused: Refused | None = getattr(self, name)(case)
            if refused is not None:
                return refused
        if self.claimed_before(case):
            return ClaimOutcome(first=False)
        return self.apply(case)

    # The rules, in the order of section 13.1.

    def cart_closed(self, case: ClaimCase) -> Refused | None:
        """Rule 1 (spec: claim/cart-closed)."""
        if case.cart is None or not case.cart.closed:
            return None
        return refuse(Reason.REASON_CART_CLOSED, "the cart that would take the lines is closed")

    def token_invalid(self, case: ClaimCase) -> Refused | None:
        """Rule 2 (spec: claim/token-checked)."""
        if case.guest is None:
            return refuse(Reason.REASON_CLAIM_TOKEN_INVALID, "this server never gave this token to a guest")
        if case.by_guest:
            return refuse(Reason.REASON_CLAIM_TOKEN_INVALID, "a guest claims nothing; an account does")
        if case.guest == case.account:  # one that was a guest once; it would double its lines and then be closed
            return refuse(Reason.REASON_CLAIM_TOKEN_INVALID, "nobody claims itself")
        return None

    def already_claimed(self, case: ClaimCase) -> Refused | None:
        """Rule 3 (spec: claim/other-account). Does not say by whom."""
        if case.claimed_by is None or case.claimed_by == case.account:
            return None
        return refuse(Reason.REASON_GUEST_ALREADY_CLAIMED, "another account has taken this guest over")

    def claimed_before(self, case: ClaimCase) -> bool:
        """Rule 4 (spec: claim/idempotent)."""
        return case.claimed_by == case.account and case.guest_cart_id in case.claimed_cart_ids

    def apply(self, case: ClaimCase) -> ClaimOutcome:
        """Rule 5 (spec: claim/adds-lines, claim/lines-reported, claim/nothing-to-take)."""
        if case.guest_cart is None or case.guest_cart.closed:
            return ClaimOutcome()
        line_count = 0 if case.cart is None else case.cart.line_count
        lines: list[LineClaim] = []
        for sku in sorted(case.guest_quantities):
            line = self.line(case, sku, line_count)
            line_count += line.quantity_before == 0 < line.quantity_after
            lines.append(line)
        return ClaimOutcome(tuple(lines), case.guest_cart.currency_code)

    # One line.

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        """One line, when the account's cart has come to `line_count` lines (spec: claim/limits)."""
        guest_quantity, before = case.guest_quantities[sku], case.quantities.get(sku, 0)
        whole = self.whole(before, guest_quantity)
        for name, reason in self.EXCLUSIONS:
            if getattr(self, name)(case, sku, line_count):
                return LineClaim(sku, guest_quantity, before, before, reason)
        after, limit_reason = whole, Reason.REASON_UNSPECIFIED
        for name, reason in self.CEILINGS:
            most: int | None = getattr(self, name)(case, sku)
            if most is not None and most < after:
                after, limit_reason = most, reason
        return LineClaim(sku, guest_quantity, before, max(before, after), limit_reason)

    def whole(self, quantity_before: int, guest_quantity: int) -> int:
        """What the line has when nothing cuts it: the sum of both (spec: claim/adds-lines)."""
        return quantity_before + guest_quantity

    # What leaves a line as it was, in the order of section 13.1.

    def sku_unknown(self, case: ClaimCase, sku: str, line_count: int) -> bool:  # noqa: ARG002 - one form for all
        """The catalogue does not know the SKU."""
        return case.offers.get(sku) is None

    def sku_unlisted(self, case: ClaimCase, sku: str, line_count: int) -> bool:  # noqa: ARG002
        """The offer is not listed."""
        offer = case.offers.get(sku)
        return offer is not None and not offer.listed

    def currency_mismatch(self, case: ClaimCase, sku: str, line_count: int) -> bool:  # noqa: ARG002
        """Offer, guest's cart and account's cart are not of one currency."""
        offer = case.offers.get(sku)
        carts = {cart.currency_code for cart in (case.guest_cart, case.cart) if cart is not None}
        return len(carts | ({offer.currency_code} if offer is not None else set())) > 1

    def line_count_exceeded(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        """It would be a new line beyond the most that a cart has."""
        return case.quantities.get(sku, 0) == 0 and line_count >= self.policy.max_line_count

    # What a line may have at most, in the order of section 13.1; the lower one is named, of equal ones the former.

    def most_of_a_line(self, case: ClaimCase, sku: str) -> int | None:  # noqa: ARG002
        """The most that any line has."""
        return self.policy.max_line_quantity

    def most_in_stock(self, case: ClaimCase, sku: str) -> int | None:
        """The stock; None when it is not counted."""
        offer = case.offers.get(sku)
        return None if offer is None else offer.available_quantity
