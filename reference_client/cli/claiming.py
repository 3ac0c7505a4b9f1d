"""`cartsync claim`: what a guest put into a cart on this device goes into the account's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from cartsync.v1 import reason_pb2

from reference_client.claiming import ClaimReport, ClaimStatus, GuestClaim
from reference_client.cli import showing
from reference_client.cli.option_types import Seconds
from reference_client.cli.settings import ExitCode, Settings
from reference_client.intents import DEFAULT_CART, cart_name
from reference_client.machine.notices import reason_name

_SAID = {
    ClaimStatus.DONE: "Taken over",
    ClaimStatus.NOT_NOW: "Not taken over yet",
    ClaimStatus.STOPPED: "Stopped",
    ClaimStatus.REFUSED: "Not taken over",
}


@click.command("claim")
@click.option(
    "--guest-dir",
    envvar="CARTSYNC_GUEST_DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Where the guest's queues are kept.  [env: CARTSYNC_GUEST_DIR]",
)
@click.option(
    "--guest-token",
    envvar="CARTSYNC_GUEST_TOKEN",
    default="",
    help="The guest's credential; prefer the environment (CARTSYNC_GUEST_TOKEN) or --guest-token-file.",
)
@click.option(
    "--guest-token-file",
    envvar="CARTSYNC_GUEST_TOKEN_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file that holds the guest's credential.  [env: CARTSYNC_GUEST_TOKEN_FILE]",
)
@click.option(
    "--guest-cart",
    "guest_carts",
    multiple=True,
    help="A cart of the guest; may be given several times.  [default: all]",
)
@click.option("--cart", help="The account's cart that takes them.  [default: the one of the same name]")
@click.option(
    "--patience",
    type=Seconds(least=0.0),
    default=5.0,
    show_default=True,
    help="Seconds to keep trying while the server is away or puts things off.",
)
@click.pass_obj
def claim(
    settings: Settings,
    guest_dir: Path,
    guest_token: str,
    guest_token_file: Path | None,
    guest_carts: tuple[str, ...],
    cart: str | None,
    patience: float,
) -> None:
    """Take over the carts of a guest, after signing in. What the guest had not settled yet goes with them.

    Account and guest have a data directory and a credential each. Safe to interrupt: the same command goes on.
    """
    if guest_dir.resolve() == settings.data_dir.resolve():
        raise click.UsageError("guest and account need a directory each: --guest-dir and --data-dir are the same one")
    if not guest_token and guest_token_file is None:
        raise click.UsageError(
            "no credential of the guest: name a file with --guest-token-file, or set CARTSYNC_GUEST_TOKEN"
        )
    named = [cart_name(one) for one in guest_carts]
    taking = cart_name(cart) if cart is not None else None
    guest_settings = replace(settings, data_dir=guest_dir, token=guest_token, token_file=guest_token_file)
    with guest_settings.online() as guest, settings.online() as account:
        names = named or guest.queues.carts(guest.server) or [DEFAULT_CART]
        carts = {name: taking or name for name in names}
        try:
            report = GuestClaim(guest, account, carts, patience=patience).run()
        except KeyboardInterrupt:
            click.echo("Interrupted; the same command goes on from here, and everything is safe.", err=True)
            sys.exit(ExitCode.NOT_NOW)
    if settings.json:
        showing.show_json(report_json(report))
    else:
        _say(report)
    sys.exit(exit_code_of(report))


def exit_code_of(report: ClaimReport) -> ExitCode:
    """The exit code that the end of a claim means."""
    if report.status is ClaimStatus.NOT_NOW:
        return ExitCode.NOT_NOW
    return ExitCode.NEEDS_SHOPPER if report.needs_shopper else ExitCode.OK


def report_json(report: ClaimReport) -> dict[str, Any]:
    """The end of a claim for programs."""
    return {
        "status": report.status.value,
        "message": report.message,
        "needs_shopper": report.needs_shopper,
        "lines": [
            {
                "sku": line.sku,
                "guest_quantity": line.guest_quantity,
                "quantity_before": line.quantity_before,
                "quantity_after": line.quantity_after,
                "limit": None if line.limit_reason == reason_pb2.REASON_UNSPECIFIED else reason_name(line.limit_reason),
            }
            for line in report.lines
        ],
        "adopted_count": report.adopted_count,
        "pending_count": report.pending_count,
        "notices": [{"kind": n.kind, "message": n.message, "needs_action": n.needs_action} for n in report.notices],
    }


def _say(report: ClaimReport) -> None:
    message = showing.plain(report.message).removesuffix(".")
    if report.status is ClaimStatus.DONE:
        click.echo(f"{_SAID[report.status]}: {_counted(report)}.")
    else:
        click.echo(f"{_SAID[report.status]}: {message}.", err=True)
    if report.lines:
        rows = [
            (line.sku, str(line.quantity_after), f"{line.quantity_before} + {line.guest_quantity}")
            for line in report.lines
        ]
        showing.show_table("Taken over", ("product", "quantity", "account's + guest's"), rows)
    for text in _told(report):
        click.echo(f"  {text}", err=True)
    if report.status is ClaimStatus.NOT_NOW:
        click.echo("Everything is safe; the same command goes on from here.", err=True)


def _counted(report: ClaimReport) -> str:
    lines = "1 line" if len(report.lines) == 1 else f"{len(report.lines)} lines"
    if not report.lines:
        lines = "no line that was not taken over before"
    if not report.adopted_count:
        return lines
    intents = "1 intent" if report.adopted_count == 1 else f"{report.adopted_count} intents"
    return f"{lines}, and {intents} that the guest had not settled"


def _told(report: ClaimReport) -> Sequence[str]:
    return [showing.plain(notice.message) for notice in report.notices]
