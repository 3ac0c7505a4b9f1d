"""`cartsync sync`: once, or again and again, and what it says about it."""

from __future__ import annotations

import time

import click

from reference_client.cli import showing
from reference_client.cli.settings import ExitCode
from reference_client.client import CartClient, SyncReport, SyncStatus
from reference_client.exceptions import QueueBusyError
from reference_client.machine.values import StopReason
from reference_client.queue.rows import QueueState

_STOPPED_FOR_GOOD = {StopReason.REQUEST_INVALID, StopReason.INCOMPATIBLE, StopReason.REFUSED}


def exit_code_of_stop(reason: StopReason | None) -> ExitCode:
    """The exit code that a stop for this reason means."""
    if reason in _STOPPED_FOR_GOOD:
        return ExitCode.INCOMPATIBLE
    return ExitCode.NOT_NOW if reason is StopReason.SUPERSEDED else ExitCode.NEEDS_SHOPPER


def exit_code_of(report: SyncReport) -> ExitCode:
    """The exit code that a synchronisation means."""
    match report.status:
        case SyncStatus.STOPPED:
            return exit_code_of_stop(report.stop_reason)
        case SyncStatus.UNREACHABLE | SyncStatus.DEFERRED:
            return ExitCode.NOT_NOW
        case _:
            return ExitCode.NEEDS_SHOPPER if report.needs_shopper else ExitCode.OK


def synchronise(
    client: CartClient,
    *,
    as_json: bool,
    once: bool,
    patience: float,
    interval: float,
    batch_limit: int | None,
) -> ExitCode:
    """Synchronises and reports. With `once` false it goes on until it is interrupted."""
    while True:
        try:
            report = client.sync(patience=patience, batch_limit=batch_limit)
            code = exit_code_of(report)
            _say(report, as_json=as_json, one_line=not once)
            if not as_json:
                _say_what_waits_elsewhere(client)
        except QueueBusyError as error:
            if once:
                raise
            click.echo(f"cartsync: {error}", err=True)
            code = ExitCode.NOT_NOW
        if once or code is ExitCode.INCOMPATIBLE:
            return code
        time.sleep(interval)


def _say(report: SyncReport, *, as_json: bool, one_line: bool) -> None:
    if as_json:
        showing.show_json(showing.report_json(report), one_line=one_line)
        return
    message = showing.plain(report.message).removesuffix(".")
    done = "Synchronised" if report.status is SyncStatus.DRAINED else "Not synchronised"
    if line := showing.report_line(report):
        click.echo(f"{done}: {line}.")
    elif report.status is SyncStatus.DRAINED:
        click.echo(f"{done}: nothing to send.")
    for notice in report.tally.notices:
        click.echo(f"  {showing.plain(notice.message)}", err=True)
    match report.status:
        case SyncStatus.DRAINED:
            if not report.carts_read:
                click.echo("The carts could not be read anew; they show what was known before.", err=True)
        case SyncStatus.UNREACHABLE:
            click.echo(f"The server is not reached ({message}). All intents are safe; try again later.", err=True)
        case SyncStatus.DEFERRED:
            click.echo(f"The server puts the rest off ({message}). Try again later.", err=True)
        case SyncStatus.STOPPED | SyncStatus.HALTED:
            click.echo(f"Stopped: {message}.", err=True)


def _say_what_waits_elsewhere(client: CartClient) -> None:
    """Intents stay with the address they were meant for; whoever calls another one by mistake would miss them."""
    for queue in client.queues.queues():
        if queue.server != client.server and queue.state is QueueState.ACTIVE and queue.pending_count:
            waiting = "1 intent waits" if queue.pending_count == 1 else f"{queue.pending_count} intents wait"
            click.echo(f"{waiting} for {showing.plain(queue.server)}, which is another server.", err=True)
