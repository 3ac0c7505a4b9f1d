"""The cart rules (step 14 of chapter 3; chapters 5 and 6): may this operation change its line, and to what.

The order is that of the table in section 6.1, and so is the order of `TABLE`. Each rule is one method that
returns a refusal or None; what an operation does to its line is `wanted`, what it gets is `granted`. A variant
of the server overrides exactly one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cartsync.v1 import money_pb2, operation_pb2, outcome_pb2

from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import CartHead, Line
from reference_server.ports import Offer

_MAX_INT32 = 2**31 - 1


@dataclass(slots=True)
class LineCase:
    """One operation on one line, and all that the rules judge it by.

    `requested` is the quantity the line would have if all went as asked. `offer` is looked up only for an
    operation that raises its line; None means that the catalogue does not know the SKU.
    """

    kind: str
    intent: Any  # AddItem, AdjustQuantity, SetQuantity or RemoveItem; `kind` says which
    queue_id: str
    cart: CartHead | None
    line: Line
    requested: int
    offer: Offer | None = None

    @property
    def raises(self) -> bool:
        """True when the line would have more than it has (spec: section 6.1)."""
        return self.kind == "add_item" or self.requested > self.line.quantity


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """An operation on a line is applied: from how many to how many, and what was done otherwise than asked."""

    quantity_before: int
    quantity_after: int
    currency_code: str
    adjustments: tuple[outcome_pb2.Adjustment, ...] = ()


class CartRules:
    """Judges operations on lines against the cart, the catalogue and the policy. Keeps no state."""

    TABLE: ClassVar[tuple[tuple[str, bool], ...]] = (
        # method, whether it applies only to an operation that raises its line
        ("cart_closed", False),
        ("cart_not_found", False),
        ("line_changed", False),
        ("sku_unknown", True),
        ("sku_unlisted", True),
        ("currency_mismatch", True),
        ("price_above_limit", True),
        ("line_quantity_exceeded", True),
        ("line_count_exceeded", True),
        ("insufficient_inventory", True),
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def line_case(self, kind: str, intent: Any, queue_id: str, cart: CartHead | None, line: Line) -> LineCase:
        """Put together what an operation is judged by."""
        return LineCase(kind, intent, queue_id, cart, line, self.wanted(kind, intent, line.quantity))

    def judge(self, case: LineCase) -> LineOutcome | Refused:
        """The first rule that refuses, or what is applied (spec: deciding/refusal-order)."""
        for name, only_when_raising in self.TABLE:
            if only_when_raising and not case.raises:
                continue
            refused: Refused | None = getattr(self, name)(case)
            if refused is not None:
                return refused
        return self.apply(case)

    # What an operation asks for, and what it gets.

    def wanted(self, kind: str, intent: Any, quantity_before: int) -> int:
        """The quantity the line would have if all went as asked; never below 0."""
        if kind == "add_item":
            return quantity_before + int(intent.quantity)
        if kind == "adjust_quantity":
            return max(0, quantity_before + int(intent.delta))
        if kind == "set_quantity":
            return int(intent.quantity)
        return 0

    def granted(self, case: LineCase) -> int:
        """The quantity the line gets: `requested`, cut to the stock when the client lets it be clamped."""
        if not case.raises or case.offer is None or case.offer.available_quantity is None:
            return case.requested
        return min(case.requested, case.offer.available_quantity)

    def apply(self, case: LineCase) -> LineOutcome:
        """What an operation that no rule refuses comes to."""
        return LineOutcome(
            quantity_before=case.line.quantity,
            quantity_after=self.granted(case),
            currency_code=case.offer.currency_code if case.offer is not None else "",
            adjustments=tuple(
                adjustment
                for adjustment in (self.price_changed(case), self.quantity_clamped(case), self.quantity_floored(case))
                if adjustment is not None
            ),
        )

    def price_changed(self, case: LineCase) -> outcome_pb2.Adjustment | None:
        """Spec: price/changed-adjustment."""
        if case.kind != "add_item" or case.offer is None:
            return None
        add: operation_pb2.AddItem = case.intent
        if case.offer.unit_price_minor == add.observed_unit_price.minor_units:
            return None
        return outcome_pb2.Adjustment(
            price_changed=outcome_pb2.PriceChanged(
                observed_unit_price=add.observed_unit_price, current_unit_price=_unit_price(case.offer)
            )
        )

    def quantity_clamped(self, case: LineCase) -> outcome_pb2.Adjustment | None:
        """Spec: stock/clamp."""
        granted = self.granted(case)
        if granted == case.requested:
            return None
        return outcome_pb2.Adjustment(
            quantity_clamped=outcome_pb2.QuantityClamped(requested_quantity=case.requested, granted_quantity=granted)
        )

    def quantity_floored(self, case: LineCase) -> outcome_pb2.Adjustment | None:
        """Spec: cart/adjust-floors."""
        if case.kind != "adjust_quantity" or case.line.quantity + case.intent.delta >= 0:
            return None
        return outcome_pb2.Adjustment(
            quantity_floored=outcome_pb2.QuantityFloored(
                requested_delta=case.intent.delta, applied_delta=-case.line.quantity
            )
        )

    # The rules, in the order of section 6.1.

    def cart_closed(self, case: LineCase) -> Refused | None:
        """Rule 1 (spec: cart/closed)."""
        if case.cart is None or not case.cart.closed:
            return None
        return refuse(Reason.REASON_CART_CLOSED, "the cart is closed")

    def cart_not_found(self, case: LineCase) -> Refused | None:
        """Rule 2 (spec: cart/missing-cart)."""
        if case.cart is not None or case.kind not in ("adjust_quantity", "set_quantity"):
            return None
        return refuse(Reason.REASON_CART_NOT_FOUND, "no add has made this cart")

    def line_changed(self, case: LineCase) -> Refused | None:
        """Rule 3 (spec: guard/refuses, guard/own-queue)."""
        if case.kind == "add_item" or not case.intent.HasField("unless_changed_since"):
            return None
        changed_at = case.line.changed_by_others(case.queue_id)
        if changed_at <= case.intent.unless_changed_since:
            return None
        return refuse(
            Reason.REASON_LINE_CHANGED,
            f"another queue changed the line at revision {changed_at}, "
            f"after the guard {case.intent.unless_changed_since}",
        )

    def sku_unknown(self, case: LineCase) -> Refused | None:
        """Rule 4 (spec: stock/unknown-sku)."""
        if case.offer is not None:
            return None
        return refuse(Reason.REASON_SKU_UNKNOWN, "the catalogue has no such SKU")

    def sku_unlisted(self, case: LineCase) -> Refused | None:
        """Rule 5 (spec: stock/unlisted)."""
        if case.offer is None or case.offer.listed:
            return None
        return refuse(Reason.REASON_SKU_UNLISTED, "the product is not for sale at present")

    def currency_mismatch(self, case: LineCase) -> Refused | None:
        """Rule 6 (spec: price/currency)."""
        if case.offer is None:
            return None
        currencies = {case.offer.currency_code}
        if case.kind == "add_item":
            currencies.add(case.intent.observed_unit_price.currency_code)
        if case.cart is not None:
            currencies.add(case.cart.currency_code)
        if len(currencies) == 1:
            return None
        return refuse(
            Reason.REASON_CURRENCY_MISMATCH,
            f"operation, offer and cart must have one currency, not {', '.join(sorted(currencies))}",
        )

    def price_above_limit(self, case: LineCase) -> Refused | None:
        """Rule 7 (spec: price/limit)."""
        if case.kind != "add_item" or case.offer is None or not case.intent.HasField("max_unit_price"):
            return None
        if case.offer.unit_price_minor <= case.intent.max_unit_price.minor_units:
            return None
        return refuse(
            Reason.REASON_PRICE_ABOVE_LIMIT,
            "the current unit price is above max_unit_price",
            current_unit_price=_unit_price(case.offer),
        )

    def line_quantity_exceeded(self, case: LineCase) -> Refused | None:
        """Rule 8: as asked for, whatever the stock would leave of it (spec: limits/line-quantity)."""
        if case.requested <= self.policy.max_line_quantity:
            return None
        return refuse(
            Reason.REASON_LINE_LIMIT_EXCEEDED,
            f"the line would have {case.requested}; a line holds at most {self.policy.max_line_quantity}",
        )

    def line_count_exceeded(self, case: LineCase) -> Refused | None:
        """Rule 9."""
        if case.cart is None or case.line.quantity > 0 or case.cart.line_count < self.policy.max_line_count:
            return None
        return refuse(Reason.REASON_LINE_LIMIT_EXCEEDED, f"the cart has {self.policy.max_line_count} lines, its most")

    def insufficient_inventory(self, case: LineCase) -> Refused | None:
        """Rule 10 (spec: stock/exact, stock/clamp-to-nothing)."""
        available = case.offer.available_quantity if case.offer is not None else None
        if available is None or case.requested <= available:
            return None
        may_be_cut = case.intent.quantity_policy == operation_pb2.QUANTITY_POLICY_CLAMP
        if may_be_cut and available > case.line.quantity:
            return None
        return refuse(
            Reason.REASON_INSUFFICIENT_INVENTORY,
            f"the line would have {case.requested}; there are {available}",
            available_quantity=min(available, _MAX_INT32),
        )


def _unit_price(offer: Offer) -> money_pb2.Money:
    return money_pb2.Money(currency_code=offer.currency_code, minor_units=offer.unit_price_minor)
