"""What the shopper sees: tables on a terminal, plain lines in a pipe, JSON for programs."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

import click
from cartsync.v1 import cart_pb2

from reference_client.cli.showing_account import coupon_json, coupon_rows, enum_name, money_json
from reference_client.cli.times import when
from reference_client.client import SyncReport
from reference_client.intents import describe, format_money
from reference_client.machine.notices import refusal_text
from reference_client.machine.values import Fate
from reference_client.projection import CartView, LineView
from reference_client.queue.enqueueing import Enqueued
from reference_client.queue.rows import NotificationRecord, OperationRecord, OperationState, QueueRecord

_AVAILABILITY = {
    cart_pb2.LINE_AVAILABILITY_INSUFFICIENT: "short of stock",
    cart_pb2.LINE_AVAILABILITY_UNLISTED: "no longer for sale",
}


def show_json(value: object, *, one_line: bool = False) -> None:
    """Writes one JSON document; on one line where several follow each other."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=None if one_line else 2))


def plain(text: str) -> str:
    """Text from elsewhere for a terminal: without the control characters that would move its cursor or recolour it."""
    return "".join("\ufffd" if unicodedata.category(character) == "Cc" else character for character in text)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal; tab-separated lines without a heading in a pipe."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(map(plain, row)))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(plain(cell)) for cell in row))
    Console().print(table)


def show_written(place: Enqueued, what: str, *, as_json: bool, **ids: str) -> None:
    """Says where an intent went; `ids` are those that were made for it."""
    if as_json:
        show_json({"queue_id": place.queue_id, "sequence": place.sequence, "key": place.key, **ids})
    else:
        click.echo(f"Kept as {place.sequence}: {what}. `cartsync sync` settles it.")


# ---- the cart ------------------------------------------------------------------------------------------------


def cart_json(view: CartView) -> dict[str, Any]:
    """A cart for programs."""
    return {
        "cart_id": view.cart_id,
        "revision": view.revision,
        "closed": view.closed,
        "pending_count": view.pending_count,
        "as_of": None if view.snapshot_wall_ns is None else when(view.snapshot_wall_ns),
        "lines": [
            {
                "sku": line.sku,
                "quantity": line.quantity,
                "confirmed_quantity": line.confirmed_quantity,
                "unit_price": None
                if line.unit_price is None
                else {
                    "currency_code": line.unit_price.currency_code,
                    "minor_units": line.unit_price.minor_units,
                    "estimate": line.price_is_estimate,
                },
                "availability": enum_name(cart_pb2.LineAvailability, line.availability, "LINE_AVAILABILITY_"),
            }
            for line in view.lines
        ],
        "coupons": [coupon_json(coupon) for coupon in view.coupons],
        "subtotal": money_json(view.subtotal),
        "discount_total": money_json(view.discount_total),
        "total": money_json(view.total),
        "sums_are_current": view.sums_are_current,
    }


def show_cart(view: CartView) -> None:
    """A cart for people: what it will be if everything pending goes through."""
    if not view.lines:
        click.echo(f"The cart {view.cart_id!r} is empty.")
    else:
        rows = [(line.sku, _quantity(line), _unit_price(line), _note(line)) for line in view.lines]
        show_table(f"Cart {view.cart_id}", ("product", "quantity", "unit price", ""), rows)
    if view.coupons:
        show_table("Coupons", ("coupon", "takes off", ""), coupon_rows(view))
    if view.total is not None and view.coupons:
        without = "" if view.sums_are_current else ", without what is not settled yet"
        click.echo(f"Total {format_money(view.total)}{without}.", err=True)
    if view.closed:
        click.echo("The cart is closed; it takes no more changes.", err=True)
    if view.snapshot_wall_ns is None:
        click.echo("Never synchronised: prices are those you saw.", err=True)
    else:
        click.echo(f"Prices as of {when(view.snapshot_wall_ns)}.", err=True)
    if view.pending_count:
        waits = "1 change waits" if view.pending_count == 1 else f"{view.pending_count} changes wait"
        click.echo(f"{waits} to be synchronised.", err=True)


def _quantity(line: LineView) -> str:
    return f"{line.quantity} (server: {line.confirmed_quantity})" if line.is_pending else str(line.quantity)


def _unit_price(line: LineView) -> str:
    if line.unit_price is None:
        return "no price"
    return ("~" if line.price_is_estimate else "") + format_money(line.unit_price)


def _note(line: LineView) -> str:
    note = _AVAILABILITY.get(line.availability, "")
    if note and line.available_quantity is not None:
        note += f" ({line.available_quantity} left)"
    return note


# ---- operations, queues, notifications -----------------------------------------------------------------------


def operation_status(record: OperationRecord) -> str:
    """The state of an operation, in a word or two."""
    if record.state is OperationState.PENDING:
        text = "in doubt" if record.in_doubt else "waiting"
        return f"{text}, to be discarded" if record.discard_requested else text
    if record.state is OperationState.REJECTED and record.outcome is not None:
        return f"rejected: {refusal_text(record.outcome.refusal)}"
    return str(record.state.value)


def operation_json(record: OperationRecord) -> dict[str, Any]:
    """An operation for programs."""
    return {
        "queue_id": record.queue_id,
        "sequence": record.sequence,
        "key": record.key,
        "intent": describe(record.operation),
        "state": record.state.value,
        "status": operation_status(record),
        "send_count": record.send_count,
        "in_doubt": record.in_doubt,
    }


def show_operations(records: Sequence[OperationRecord]) -> None:
    """Operations for people."""
    rows = [(str(r.sequence), describe(r.operation), operation_status(r)) for r in records]
    show_table("Operations", ("sequence", "intent", "state"), rows)


def queue_json(record: QueueRecord) -> dict[str, Any]:
    """A queue for programs."""
    return {
        "queue_id": record.queue_id,
        "server": record.server,
        "state": record.state.value,
        "principal": record.principal,
        "store_id": record.store_id,
        "last_sequence": record.last_sequence,
        "confirmed_through": record.confirmed_through,
        "pending_count": record.pending_count,
        "successor_id": record.successor_id,
    }


def notification_json(record: NotificationRecord) -> dict[str, Any]:
    """A notification for programs."""
    return {
        "id": record.id,
        "queue_id": record.queue_id,
        "sequence": record.sequence,
        "kind": record.kind,
        "message": record.message,
        "needs_action": record.needs_action,
        "time": when(record.create_wall_ns),
    }


def report_json(report: SyncReport) -> dict[str, Any]:
    """A synchronisation for programs."""
    tally = report.tally
    return {
        "status": report.status.value,
        "message": report.message,
        "stop_reason": report.stop_reason.value if report.stop_reason is not None else None,
        "needs_shopper": report.needs_shopper,
        "pending_count": report.pending_count,
        "carts_read": report.carts_read,
        "submissions": tally.submissions,
        "attempts": tally.attempts,
        "duplicates": tally.duplicates,
        "replayed": tally.replayed,
        "rebuilt": tally.rebuilt,
        **{fate.value: tally.count(fate) for fate in Fate if fate is not Fate.DISCARD_TOO_LATE},
    }


def report_line(report: SyncReport) -> str:
    """What a synchronisation came to, in a sentence; empty when there was nothing to send."""
    parts = [f"{report.tally.count(f)} {f.value}" for f in Fate if report.tally.count(f)]
    if report.pending_count:
        parts.append(f"{report.pending_count} still waiting")
    return ", ".join(parts)
