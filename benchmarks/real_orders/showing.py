"""The tables of a run, and its verdict."""

from __future__ import annotations

from collections import Counter

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.real_orders.day import Day
from benchmarks.real_orders.recording import Recording
from benchmarks.real_orders.running import Result, Settings

MOST_DIFFERENCES = 20


def show_plan(console: Console, day: Day, recording: Recording, settings: Settings) -> None:
    """What is going to be played."""
    table = _table(f"Orders of {day.date}")
    table.add_row("rows", _number(day.row_count))
    table.add_row("  intents to capture", _number(len(day.lines)))
    table.add_row("  refused before capture", _number(day.refused.total()))
    _reasons(table, day.refused)
    table.add_row("customers, each with a device", _number(len(day.customers)))
    table.add_row("products in the catalogue", _number(len(day.opening_prices)))
    console.print(table)

    share = recording.down_seconds / recording.duration
    longest = max((outage.end - outage.start for outage in recording.outages), default=0.0)
    table = _table(f"Link {recording.name}")
    table.add_row("recorded", f"{recording.duration:,.0f} s")
    table.add_row("outages", _number(len(recording.outages)))
    table.add_row("  of the time", f"{share:.1%}")
    table.add_row("  longest", f"{longest:.1f} s")
    speed, hours = recording.duration / settings.seconds, day.duration / 3600
    table.add_row("played", f"{speed:.1f} times as fast, {settings.seconds:g} s")
    table.add_row("the shop's day", f"{hours:.1f} h in the same {settings.seconds:g} s")
    console.print(table)


def show_result(console: Console, result: Result) -> bool:
    """What came out of it. Returns whether all accounts agree."""
    books, sent, link = result.books, result.sent, result.link
    table = _table("What happened")
    table.add_row("intents captured", _number(books.captured))
    for kind, name in (("Add", "AddItem"), ("Set", "SetQuantity"), ("Remove", "RemoveItem")):
        table.add_row(f"  {name}", _number(books.intents[kind]))
    table.add_row("  while the link was down", _number(books.captured_while_down))
    table.add_row("applied", _number(books.applied))
    table.add_row("  changed the cart", _number(books.applied_changed))
    table.add_row("  nothing to change", _number(books.applied - books.applied_changed))
    table.add_row("rejected by the server", _number(books.rejected.total()))
    _reasons(table, books.rejected)
    table.add_section()
    table.add_row("operations sent", _number(sent.attempts))
    table.add_row("  duplicates sent", _number(sent.duplicates))
    table.add_row("  answered from the record", _number(sent.replayed))
    table.add_row("synchronisations", _number(result.sync_count))
    table.add_row("connections cut", _number(link.cut))
    table.add_row("  in mid-answer", _number(link.answers_cut))
    table.add_row("connections that found no link", _number(link.refused + link.swallowed))
    table.add_section()
    table.add_row("prices moved by the shop", _number(result.price_move_count))
    table.add_row("price changes reported", _number(books.price_changes))
    table.add_section()
    table.add_row("effects in the server's ledger", _number(books.effects))
    table.add_row("lines in final carts", _number(books.cart_lines))
    table.add_row("  pieces", _number(books.units))
    table.add_row("  worth", f"{books.total_minor // 100:,}.{books.total_minor % 100:02} GBP")
    table.add_row("seconds", f"{result.seconds:.1f}")
    console.print(table)
    return _verdict(console, result)


def _verdict(console: Console, result: Result) -> bool:
    books = result.books
    for text in books.differences[:MOST_DIFFERENCES]:
        console.print(f"DIFFERENT: {text}", markup=False, highlight=False, soft_wrap=True)
    if len(books.differences) > MOST_DIFFERENCES:
        console.print(f"… and {len(books.differences) - MOST_DIFFERENCES} more")
    carts = f"{books.equal_carts} of {books.carts} final carts equal to the oracle's"
    if books.differences or not books.carts:
        console.print(f"NOT EQUAL: {carts}.", highlight=False, style="bold red")
        return False
    counts = f"{books.captured:,} intents, as many outcomes, {books.effects:,} effects"
    console.print(
        f"EQUAL: {carts}, line by line and to the penny; {counts}: nothing lost, nothing twice.",
        highlight=False,
        style="bold green",
        soft_wrap=True,
    )
    return True


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_header=False)
    table.add_column(min_width=44)
    table.add_column(justify="right", min_width=14)
    return table


def _reasons(table: Table, reasons: Counter[str]) -> None:
    for reason, count in sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0])):
        table.add_row(f"    {reason}", _number(count))


def _number(value: int) -> str:
    return f"{value:,}"
