"""What the shopper sees while offline: the last snapshot with everything since on top. Pure.

Prices are the snapshot's, and are shown as of then. For a line the server never priced, the price that the
shopper saw when adding it is shown as an estimate. Nothing here is a promise: the server decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cartsync.v1 import cart_pb2, money_pb2, operation_pb2

from reference_client.queue.rows import OperationRecord, OperationState


@dataclass(frozen=True, slots=True)
class LineView:
    """One line as the shopper should see it."""

    sku: str
    quantity: int
    confirmed_quantity: int
    """What the server last said, with applied operations since."""
    unit_price: money_pb2.Money | None = None
    price_is_estimate: bool = False
    """The price is what the shopper saw when adding, not what the server said."""
    availability: cart_pb2.LineAvailability.ValueType = cart_pb2.LINE_AVAILABILITY_UNSPECIFIED
    available_quantity: int | None = None

    @property
    def is_pending(self) -> bool:
        """Whether operations without an outcome change this line."""
        return self.quantity != self.confirmed_quantity


@dataclass(frozen=True, slots=True)
class CouponView:
    """One coupon as the shopper should see it."""

    coupon_code: str
    on_cart: bool
    """It is on the cart, as far as the server has said."""
    wanted: bool
    """It will be on the cart when everything pending goes through."""
    standing: cart_pb2.CouponStanding.ValueType = cart_pb2.COUPON_STANDING_UNSPECIFIED
    """Of the snapshot; unspecified for a coupon that no snapshot has shown yet."""
    discount: money_pb2.Money | None = None

    @property
    def is_pending(self) -> bool:
        """Whether an operation without an outcome puts it on or takes it off."""
        return self.on_cart != self.wanted


@dataclass(frozen=True, slots=True)
class CartView:
    """A cart as the shopper should see it."""

    cart_id: str
    lines: tuple[LineView, ...]
    pending_count: int
    """Operations without an outcome that are in this view."""
    revision: int
    closed: bool
    snapshot_wall_ns: int | None
    """When the snapshot was received; None: the cart was never read."""
    coupons: tuple[CouponView, ...] = ()
    """In the order they were, or will be, applied."""
    subtotal: money_pb2.Money | None = None
    discount_total: money_pb2.Money | None = None
    total: money_pb2.Money | None = None
    """Sums are the server's, of the snapshot: what came later is not in them (`sums_are_current`)."""
    sums_are_current: bool = True


def project(
    cart_id: str, snapshot: cart_pb2.Cart | None, receive_wall_ns: int | None, on_top: Sequence[OperationRecord]
) -> CartView:
    """Lays operations, in order, over a snapshot. Lines come in ascending order of code points."""
    lines = {line.sku: _from_snapshot(line) for line in snapshot.lines} if snapshot is not None else {}
    coupons = {c.coupon_code: _coupon_from_snapshot(c) for c in snapshot.coupons} if snapshot is not None else {}
    pending_count = laid_count = 0
    for record in on_top:
        if record.state is OperationState.APPLIED:
            _lay_applied(lines, record)
            _lay_coupon(coupons, record.operation, confirmed=True)
            laid_count += 1
        elif record.state is OperationState.PENDING and not record.discard_requested:
            _lay_pending(lines, record.operation)
            _lay_coupon(coupons, record.operation, confirmed=False)
            pending_count += 1
    shown = tuple(lines[sku] for sku in sorted(lines) if lines[sku].quantity or lines[sku].confirmed_quantity)
    return CartView(
        cart_id=cart_id,
        lines=shown,
        pending_count=pending_count,
        revision=snapshot.revision if snapshot is not None else 0,
        closed=snapshot is not None and snapshot.state == cart_pb2.CART_STATE_CLOSED,
        snapshot_wall_ns=receive_wall_ns,
        coupons=tuple(coupon for coupon in coupons.values() if coupon.on_cart or coupon.wanted),
        subtotal=_sum(snapshot, "subtotal"),
        discount_total=_sum(snapshot, "discount_total"),
        total=_sum(snapshot, "total"),
        sums_are_current=not (pending_count or laid_count),
    )


def _sum(
    snapshot: cart_pb2.Cart | None, field: Literal["subtotal", "discount_total", "total"]
) -> money_pb2.Money | None:
    return getattr(snapshot, field) if snapshot is not None and snapshot.HasField(field) else None


def _coupon_from_snapshot(coupon: cart_pb2.CartCoupon) -> CouponView:
    discount = coupon.discount if coupon.HasField("discount") else None
    return CouponView(coupon.coupon_code, True, True, coupon.standing, discount)


def _lay_coupon(coupons: dict[str, CouponView], operation: operation_pb2.CartOperation, *, confirmed: bool) -> None:
    match operation.WhichOneof("intent"):
        case "apply_coupon":
            code, wanted = operation.apply_coupon.coupon_code, True
        case "remove_coupon":
            code, wanted = operation.remove_coupon.coupon_code, False
        case _:
            return
    coupon = replace(coupons.get(code, CouponView(code, False, False)), wanted=wanted)
    coupons[code] = replace(coupon, on_cart=wanted) if confirmed else coupon


def _from_snapshot(line: cart_pb2.CartLine) -> LineView:
    return LineView(
        sku=line.sku,
        quantity=line.quantity,
        confirmed_quantity=line.quantity,
        unit_price=line.unit_price if line.HasField("unit_price") else None,
        availability=line.availability,
        available_quantity=line.available_quantity if line.HasField("available_quantity") else None,
    )


def _lay_applied(lines: dict[str, LineView], record: OperationRecord) -> None:
    """An applied operation that the snapshot does not contain yet: moves the line by what the server said."""
    if record.outcome is None:
        return
    for taken in record.outcome.claimed_lines:
        line = lines.get(taken.sku, LineView(taken.sku, 0, 0))
        more = taken.quantity_after - taken.quantity_before
        lines[taken.sku] = replace(
            line, quantity=line.quantity + more, confirmed_quantity=line.confirmed_quantity + more
        )
    if not record.outcome.HasField("line_change"):
        return
    change = record.outcome.line_change
    line = lines.get(change.sku, LineView(change.sku, 0, 0))
    moved = change.quantity_after - change.quantity_before
    line = replace(
        line, quantity=max(0, line.quantity + moved), confirmed_quantity=max(0, line.confirmed_quantity + moved)
    )
    lines[change.sku] = _with_estimate(line, record.operation)


def _lay_pending(lines: dict[str, LineView], operation: operation_pb2.CartOperation) -> None:
    match operation.WhichOneof("intent"):
        case "add_item":
            line = lines.get(operation.add_item.sku, LineView(operation.add_item.sku, 0, 0))
            line = replace(line, quantity=line.quantity + operation.add_item.quantity)
            lines[line.sku] = _with_estimate(line, operation)
        case "adjust_quantity":
            sku = operation.adjust_quantity.sku
            line = lines.get(sku, LineView(sku, 0, 0))
            lines[sku] = replace(line, quantity=max(0, line.quantity + operation.adjust_quantity.delta))
        case "set_quantity":
            sku = operation.set_quantity.sku
            lines[sku] = replace(lines.get(sku, LineView(sku, 0, 0)), quantity=operation.set_quantity.quantity)
        case "remove_item":
            sku = operation.remove_item.sku
            if sku in lines:
                lines[sku] = replace(lines[sku], quantity=0)
        case _:
            pass


def _with_estimate(line: LineView, operation: operation_pb2.CartOperation) -> LineView:
    if line.unit_price is not None or operation.WhichOneof("intent") != "add_item":
        return line
    return replace(line, unit_price=operation.add_item.observed_unit_price, price_is_estimate=True)
