"""`cartsync`: a shopper's commands. All but `sync`, `claim` and `watch` answer at once and touch no network."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from reference_client.cli import account_commands, showing
from reference_client.cli.claiming import claim
from reference_client.cli.option_types import Seconds, server_address
from reference_client.cli.settings import DEFAULT_SERVER, ExitCode, Settings, default_data_dir
from reference_client.cli.synchronising import synchronise
from reference_client.cli.times import when
from reference_client.cli.watching import watch
from reference_client.exceptions import ClientError, QueueBusyError, StoreError
from reference_client.intents import DEFAULT_CART, Price
from reference_client.queue.enqueueing import Enqueued
from reference_client.queue.rows import OperationState, QueueState

_EPILOG = (
    "Exit codes: 0 done; 1 something needs you, see `cartsync notifications`; 2 wrong usage; 3 not now, all "
    "intents are safe; 4 the local store cannot be used; 5 client and server do not understand each other."
)


def main() -> None:
    """Entry point. No traceback ever reaches the shopper for what the shopper can cause."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its log is for its developers; we say what went wrong
    cli.main(prog_name="cartsync")


def exit_code_of(error: ClientError) -> ExitCode:
    """The exit code that an error of the client means."""
    match error:
        case StoreError():
            return ExitCode.STORE
        case QueueBusyError():
            return ExitCode.NOT_NOW
        case _:
            return ExitCode.USAGE


class _Group(click.Group):
    """Turns the client's own errors into a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ClientError as error:
            click.echo(f"cartsync: {error}", err=True)
            ctx.exit(exit_code_of(error))


@click.group(cls=_Group, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data-dir",
    envvar="CARTSYNC_CLIENT_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the queues are kept.  [env: CARTSYNC_CLIENT_DIR; default: ~/.local/share/cartsync]",
)
@click.option(
    "--server",
    envvar="CARTSYNC_SERVER",
    callback=server_address,
    default=DEFAULT_SERVER,
    show_default=True,
    help="HOST:PORT of the server.  [env: CARTSYNC_SERVER]",
)
@click.option(
    "--token",
    envvar="CARTSYNC_TOKEN",
    default="",
    help="The credential. Other users of this machine may see it on a command line: prefer the environment "
    "(CARTSYNC_TOKEN) or --token-file.",
)
@click.option(
    "--token-file",
    envvar="CARTSYNC_TOKEN_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file that holds the credential.  [env: CARTSYNC_TOKEN_FILE]",
)
@click.option("--tls/--insecure", "tls", default=None, help="TLS or not; by default TLS unless the server is local.")
@click.option(
    "--tls-ca",
    envvar="CARTSYNC_TLS_CA",
    type=click.Path(dir_okay=False, path_type=Path),
    help="PEM file of the authorities to trust instead of the system's.  [env: CARTSYNC_TLS_CA]",
)
@click.option("--unary", is_flag=True, help="Do not use streams.")
@click.option("--deadline", type=Seconds(least=0.1), default=10.0, help="Seconds one answer may take.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON for programs.")
@click.version_option(package_name="cartsync")
@click.pass_context
def cli(
    ctx: click.Context,
    data_dir: Path | None,
    server: str,
    token: str,
    token_file: Path | None,
    tls: bool | None,
    tls_ca: Path | None,
    unary: bool,
    deadline: float,
    as_json: bool,
) -> None:
    """A shopping cart that works without a network. What you do is kept at once and settled by `sync`."""
    ctx.obj = Settings(
        data_dir=data_dir or default_data_dir(),
        server=server,
        token=token,
        token_file=token_file,
        tls=tls,
        tls_ca=tls_ca,
        unary_only=unary,
        deadline=deadline,
        json=as_json,
    )


_cart_option = click.option("--cart", default=DEFAULT_CART, show_default=True, help="The cart.")
_clamp_option = click.option(
    "--clamp/--exact", "clamp", default=False, help="If stock is short: as much as there is, or nothing (default)."
)
_guard_option = click.option(
    "--unless-changed-since",
    "guard",
    type=int,
    metavar="REVISION",
    help="Refuse when another device changed the line after that revision of the cart.",
)


def _written(settings: Settings, place: Enqueued, what: str) -> None:
    showing.show_written(place, what, as_json=settings.json)


@cli.command()
@click.argument("sku")
@click.option("--quantity", "-q", type=int, default=1, show_default=True)
@click.option("--price", help="The unit price you saw, for example 2.55GBP.")
@click.option("--price-minor", type=int, help="The same in minor units, for example 255; needs --currency.")
@click.option("--currency", help="ISO 4217 code for --price-minor and --max-price-minor.")
@click.option("--max-price", help="The most you agree to pay for one, for example 3.00GBP.")
@click.option("--max-price-minor", type=int, help="The same in minor units; needs --currency.")
@_clamp_option
@_cart_option
@click.pass_obj
def add(
    settings: Settings,
    sku: str,
    quantity: int,
    price: str | None,
    price_minor: int | None,
    currency: str | None,
    max_price: str | None,
    max_price_minor: int | None,
    clamp: bool,
    cart: str,
) -> None:
    """Put a product into the cart."""
    seen = _price("--price", price, price_minor, currency)
    if seen is None:
        raise click.UsageError("the price you saw is needed: --price 2.55GBP, or --price-minor 255 --currency GBP")
    limit = _price("--max-price", max_price, max_price_minor, currency)
    with settings.offline() as client:
        place = client.add(sku, price=seen, quantity=quantity, cart=cart, max_price=limit, clamp=clamp)
    _written(settings, place, f"add {quantity} × {sku} at {seen}")


def _price(option: str, text: str | None, minor: int | None, currency: str | None) -> Price | None:
    if text is not None and minor is not None:
        raise click.UsageError(f"{option} and {option}-minor say the same thing; give one of them")
    if text is not None:
        return Price.parse(text)
    if minor is None:
        return None
    if currency is None:
        raise click.UsageError(f"{option}-minor needs --currency")
    return Price(currency, minor)


@cli.command("set")
@click.argument("sku")
@click.argument("quantity", type=int)
@_clamp_option
@_guard_option
@_cart_option
@click.pass_obj
def set_(settings: Settings, sku: str, quantity: int, clamp: bool, guard: int | None, cart: str) -> None:
    """Set the quantity of a line; 0 takes it out."""
    with settings.offline() as client:
        place = client.set_quantity(sku, quantity, cart=cart, clamp=clamp, guard=guard)
    _written(settings, place, f"set {sku} to {quantity}")


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("sku")
@click.argument("delta", type=int)
@_clamp_option
@_guard_option
@_cart_option
@click.pass_obj
def adjust(settings: Settings, sku: str, delta: int, clamp: bool, guard: int | None, cart: str) -> None:
    """Move the quantity of a line up or down, for example `adjust TEAPOT -1`."""
    with settings.offline() as client:
        place = client.adjust(sku, delta, cart=cart, clamp=clamp, guard=guard)
    _written(settings, place, f"move {sku} by {delta:+d}")


@cli.command()
@click.argument("sku")
@_guard_option
@_cart_option
@click.pass_obj
def remove(settings: Settings, sku: str, guard: int | None, cart: str) -> None:
    """Take a line out of the cart."""
    with settings.offline() as client:
        place = client.remove(sku, cart=cart, guard=guard)
    _written(settings, place, f"remove {sku}")


@cli.command()
@click.argument("sequence", type=click.IntRange(min=1, max=2**63 - 1))
@click.pass_obj
def discard(settings: Settings, sequence: int) -> None:
    """Cancel something not settled yet. Only the server's answer, at the next sync, cancels it."""
    with settings.offline() as client:
        client.discard(sequence)
    if settings.json:
        showing.show_json({"sequence": sequence, "discard_requested": True})
    else:
        click.echo(f"{sequence} will be discarded, if the server has not settled it yet. `cartsync sync` tells.")


@cli.command()
@_cart_option
@click.pass_obj
def show(settings: Settings, cart: str) -> None:
    """Show the cart: what the server last said, and what you did since."""
    with settings.offline() as client:
        view = client.view(cart)
    if settings.json:
        showing.show_json(showing.cart_json(view))
    else:
        showing.show_cart(view)


@cli.command()
@click.option("--all", "show_all", is_flag=True, help="Settled operations too.")
@click.pass_obj
def status(settings: Settings, show_all: bool) -> None:
    """Show what waits to be synchronised."""
    with settings.offline() as client:
        queue = client.queue()
        wanted = [o for o in client.operations() if show_all or o.state is OperationState.PENDING]
        notifications = client.notifications()
        halted = [q for q in client.queues.queues(client.server) if q.state is QueueState.HALTED]
    if settings.json:
        showing.show_json(
            {
                "queue": showing.queue_json(queue),
                "operations": [showing.operation_json(o) for o in wanted],
                "notification_count": len(notifications),
                "halted_queues": [showing.queue_json(q) for q in halted],
            }
        )
        return
    bound = f"bound to {queue.principal}" if queue.principal else "not bound to an account yet"
    click.echo(f"Queue {queue.queue_id} for {queue.server}, {bound}: {queue.pending_count} waiting.", err=True)
    if wanted:
        showing.show_operations(wanted)
    for one in halted:
        click.echo(f"Queue {one.queue_id} is in conflict: `cartsync queue show {one.queue_id}`.", err=True)
    if notifications:
        click.echo(f"{len(notifications)} notifications: `cartsync notifications`.", err=True)


@cli.command()
@click.option("--once/--watch", "once", default=True, help="Once (default), or again and again until interrupted.")
@click.option(
    "--patience",
    type=Seconds(least=0.0),
    default=5.0,
    show_default=True,
    help="Seconds to keep trying while the server is away or puts things off.",
)
@click.option("--interval", type=Seconds(least=0.1), default=5.0, show_default=True, help="Seconds, for --watch.")
@click.option("--batch", type=click.IntRange(min=1), help="At most so many operations in one submission.")
@click.pass_obj
def sync(settings: Settings, once: bool, patience: float, interval: float, batch: int | None) -> None:
    """Settle with the server what was done offline, and read the carts anew."""
    with settings.online() as client:
        try:
            code = synchronise(
                client, as_json=settings.json, once=once, patience=patience, interval=interval, batch_limit=batch
            )
        except KeyboardInterrupt:
            click.echo("Interrupted; all intents are safe.", err=True)
            code = ExitCode.OK if not once else ExitCode.NOT_NOW
    sys.exit(code)


@cli.command()
@click.option("--clear", is_flag=True, help="Take what is shown off the list.")
@click.pass_obj
def notifications(settings: Settings, clear: bool) -> None:
    """Show what the shop did otherwise than you asked."""
    with settings.offline() as client:
        told = client.notifications()
        if settings.json:
            showing.show_json([showing.notification_json(n) for n in told])
        elif not told:
            click.echo("Nothing to tell.", err=True)
        else:
            rows = [(when(n.create_wall_ns), "act" if n.needs_action else "", n.message) for n in told]
            showing.show_table("Notifications", ("when", "", "what"), rows)
        if clear and told:
            client.queues.clear_notifications(told[-1].id)


@cli.group("queue")
def queue_group() -> None:
    """Look at the queues of this device, and decide about one in conflict."""


@queue_group.command("list")
@click.pass_obj
def queue_list(settings: Settings) -> None:
    """List the queues, oldest first."""
    with settings.offline() as client:
        queues = client.queues.queues()
    if settings.json:
        showing.show_json([showing.queue_json(q) for q in queues])
        return
    rows = [(q.queue_id, q.state.value, q.server, q.principal or "-", str(q.pending_count)) for q in queues]
    showing.show_table("Queues", ("queue", "state", "server", "account", "waiting"), rows)


@queue_group.command("show")
@click.argument("queue_id")
@click.pass_obj
def queue_show(settings: Settings, queue_id: str) -> None:
    """List the operations of one queue."""
    with settings.offline() as client:
        client.queues.queue(queue_id)
        records = client.operations(queue_id)
    if settings.json:
        showing.show_json([showing.operation_json(o) for o in records])
    else:
        showing.show_operations(records)


@queue_group.command("resolve")
@click.argument("queue_id")
@click.option("--ask-again/--abandon", "reissue", default=None, help="What becomes of what remains in it.")
@click.option("--sequence", "sequences", type=int, multiple=True, help="Only these; may be given several times.")
@click.pass_obj
def queue_resolve(settings: Settings, queue_id: str, reissue: bool | None, sequences: tuple[int, ...]) -> None:
    """Decide about a queue in conflict: ask again for what remains, or let it be.

    What is in doubt may have been applied: look at the cart first, or you may get it twice.
    """
    if reissue is None:
        raise click.UsageError("say what becomes of it: --ask-again or --abandon (look with `cartsync queue show`)")
    with settings.offline() as client:
        count = client.queues.resolve(queue_id, sequences or None, reissue=reissue)
    done = "asked for again, in the active queue" if reissue else "abandoned"
    if settings.json:
        showing.show_json({"queue_id": queue_id, "count": count, "reissued": reissue})
    else:
        click.echo(f"{count} of the operations in it: {done}.")


for command in (*account_commands.GROUPS, claim, watch):
    cli.add_command(command)
