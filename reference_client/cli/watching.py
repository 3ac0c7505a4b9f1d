"""`cartsync watch`: the cart as it changes, on a terminal, in a pipe, or as JSON."""

from __future__ import annotations

import sys
from contextlib import closing

import click

from reference_client.cli import showing
from reference_client.cli.option_types import Seconds
from reference_client.cli.settings import ExitCode, Settings
from reference_client.cli.synchronising import exit_code_of_stop
from reference_client.intents import DEFAULT_CART, cart_name
from reference_client.projection import CartView
from reference_client.watching import CartFollower, Ended, Remark


@click.command("watch")
@click.option("--cart", default=DEFAULT_CART, show_default=True, help="The cart.")
@click.option("--once", is_flag=True, help="Show the cart as the server has it now, and end.")
@click.option(
    "--interval",
    type=Seconds(least=0.1),
    default=5.0,
    show_default=True,
    help="Seconds between two looks, with a server that does not watch.",
)
@click.option(
    "--patience",
    type=Seconds(least=0.0),
    help="Seconds to go on while the server is away.  [default: for ever; with --once 5]",
)
@click.pass_obj
def watch(settings: Settings, cart: str, once: bool, interval: float, patience: float | None) -> None:
    """Show the cart whenever it changes, whichever device changes it, until interrupted.

    Nothing is sent by this; `cartsync sync --watch` does that.
    """
    name = cart_name(cart)
    if patience is None and once:
        patience = 5.0
    try:
        with settings.online() as client:
            follower = CartFollower(client, name, poll_seconds=interval, patience=patience)
            sys.exit(_follow(settings, follower, once=once))
    except KeyboardInterrupt:
        click.echo("Stopped watching.", err=True)


def _follow(settings: Settings, follower: CartFollower, *, once: bool) -> ExitCode:
    with closing(follower.follow()) as events:
        for event in events:
            match event:
                case CartView():
                    if once and not follower.is_fresh:
                        continue
                    _show(settings, event, live=not once)
                    if once:
                        return ExitCode.OK
                case Remark(message):
                    click.echo(f"({showing.plain(message)})", err=True)
                case Ended(None, message):
                    text = showing.plain(message).removesuffix(".")
                    click.echo(f"The server is not reached ({text}). All intents are safe; try again later.", err=True)
                    return ExitCode.NOT_NOW
                case Ended(reason, message):
                    click.echo(f"Stopped: {showing.plain(message).removesuffix('.')}.", err=True)
                    return exit_code_of_stop(reason)
    return ExitCode.OK


def _show(settings: Settings, view: CartView, *, live: bool) -> None:
    if settings.json:
        showing.show_json(showing.cart_json(view), one_line=live)
        return
    if live and sys.stdout.isatty():
        click.clear()
    showing.show_cart(view)
    if live and not sys.stdout.isatty():
        click.echo()
    sys.stdout.flush()
