"""`cartsync coupon`, `wishlist`, `address`, `payment`: what a shopper keeps beside lines. None touches the network."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from reference_client.account_intents import ADDRESS_FIELDS
from reference_client.cli import showing, showing_account
from reference_client.cli.settings import Settings
from reference_client.client import CartClient
from reference_client.intents import DEFAULT_CART
from reference_client.queue.enqueueing import Enqueued

_cart_option = click.option("--cart", default=DEFAULT_CART, show_default=True, help="The cart.")
_guard_option = click.option(
    "--guarded/--unguarded",
    "guarded",
    default=True,
    help="What another device changed since the last sync stays (default), or is written over.",
)


def _written(settings: Settings, client: CartClient, place: Enqueued, what: str, **ids: str) -> None:
    showing.show_written(place, what, as_json=settings.json, **ids)
    if client.queues.policy(client.server) is None:
        click.echo("Whether the server offers this is known after the first synchronisation.", err=True)


# ---- coupons -------------------------------------------------------------------------------------------------


@click.group("coupon")
def coupon_group() -> None:
    """Put coupons on a cart and take them off; `cartsync show` shows them."""


@coupon_group.command("apply")
@click.argument("code")
@_cart_option
@click.pass_obj
def coupon_apply(settings: Settings, code: str, cart: str) -> None:
    """Put a coupon on the cart, by its code."""
    with settings.offline() as client:
        place = client.apply_coupon(code, cart=cart)
        _written(settings, client, place, f"apply coupon {code}")


@coupon_group.command("remove")
@click.argument("code")
@_cart_option
@click.pass_obj
def coupon_remove(settings: Settings, code: str, cart: str) -> None:
    """Take a coupon off the cart."""
    with settings.offline() as client:
        place = client.remove_coupon(code, cart=cart)
        _written(settings, client, place, f"remove coupon {code}")


# ---- wishlist ------------------------------------------------------------------------------------------------


@click.group("wishlist")
def wishlist_group() -> None:
    """Keep a list of products for later."""


@wishlist_group.command("add")
@click.argument("sku")
@click.pass_obj
def wishlist_add(settings: Settings, sku: str) -> None:
    """Put a product on the wishlist; of one that is there nothing changes."""
    with settings.offline() as client:
        _written(settings, client, client.account.wish(sku), f"wish for {sku}")


@wishlist_group.command("remove")
@click.argument("sku")
@click.pass_obj
def wishlist_remove(settings: Settings, sku: str) -> None:
    """Take a product off the wishlist."""
    with settings.offline() as client:
        _written(settings, client, client.account.unwish(sku), f"no longer wish for {sku}")


@wishlist_group.command("list")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Which page.")
@click.option("--page-size", type=click.IntRange(1, 5_000), default=50, show_default=True, help="Entries on a page.")
@click.pass_obj
def wishlist_list(settings: Settings, page: int, page_size: int) -> None:
    """Show the wishlist, the first that were added first."""
    with settings.offline() as client:
        wishes = client.account.wishlist()
        read_at = client.account.read_at("wishlist")
    first = (page - 1) * page_size
    some = wishes[first : first + page_size]
    if settings.json:
        showing.show_json(
            {"entries": [showing_account.wish_json(w) for w in some], "page": page, "entry_count": len(wishes)}
        )
        return
    showing.show_table("Wishlist", ("product", ""), [(w.sku, showing_account.STANDINGS[w.standing]) for w in some])
    if len(wishes) > len(some):
        shown = f"{first + 1} to {first + len(some)}" if some else "none"
        click.echo(f"Shown: {shown} of {len(wishes)}; --page and --page-size show others.", err=True)
    showing_account.say_as_of(read_at)


# ---- addresses -----------------------------------------------------------------------------------------------


@click.group("address")
def address_group() -> None:
    """Keep addresses. Two devices may edit one offline: what the other one was first with stays, and you are told."""


_ADDRESS_OPTIONS = {
    "recipient": "Who receives.",
    "company": "The company.",
    "address_lines": "A line of street, house, floor; up to five times.",
    "locality": "Town or city.",
    "administrative_area": "State, province or the like.",
    "postal_code": "Postal code.",
    "region_code": "Country, two capital letters, for example GB.",
    "delivery_instructions": "A word to whoever delivers.",
    "label": "Your own name for it, for example Home.",
}
_OPTION_NAMES = {"address_lines": "--line", "region_code": "--region"}


def _address_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for field in reversed(ADDRESS_FIELDS):
        name = _OPTION_NAMES.get(field, "--" + field.replace("_", "-"))
        command = click.option(
            name, field, multiple=field == "address_lines", help=_ADDRESS_OPTIONS.get(field, "As its name says.")
        )(command)
    return command


@address_group.command("put")
@click.argument("address_id", required=False)
@_address_options
@_guard_option
@click.pass_obj
def address_put(settings: Settings, /, address_id: str | None, guarded: bool, **values: Any) -> None:
    """Make an address, or with its ADDRESS_ID edit the fields that are given; "" empties one."""
    given = {field: value for field, value in values.items() if value not in (None, ())}
    with settings.offline() as client:
        if address_id is None:
            address_id, place = client.account.add_address(given)
            what = f"make address {address_id}"
        else:
            place = client.account.edit_address(address_id, given, guarded=guarded)
            what = f"write {', '.join(field for field in ADDRESS_FIELDS if field in given)} of address {address_id}"
        _written(settings, client, place, what, address_id=address_id)


@address_group.command("delete")
@click.argument("address_id")
@_guard_option
@click.pass_obj
def address_delete(settings: Settings, address_id: str, guarded: bool) -> None:
    """Delete an address."""
    with settings.offline() as client:
        place = client.account.delete_address(address_id, guarded=guarded)
        _written(settings, client, place, f"delete address {address_id}", address_id=address_id)


@address_group.command("list")
@click.pass_obj
def address_list(settings: Settings) -> None:
    """Show the address book."""
    with settings.offline() as client:
        addresses = client.account.addresses()
        read_at = client.account.read_at("address_book")
    if settings.json:
        showing.show_json([showing_account.address_json(a) for a in addresses])
        return
    rows = [
        (a.address_id, a.address.label, showing_account.address_line(a.address), showing_account.STANDINGS[a.standing])
        for a in addresses
    ]
    showing.show_table("Addresses", ("id", "name", "address", ""), rows)
    showing_account.say_as_of(read_at)


# ---- payment methods -----------------------------------------------------------------------------------------


@click.group("payment")
def payment_group() -> None:
    """Keep means of payment by the tokens of their providers. Never give a card number: none is taken."""


@payment_group.command("save")
@click.option("--provider", required=True, help="Whose token it is.")
@click.option(
    "--provider-token-file",
    "token_file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    required=True,
    help="A file that holds the provider's token; - reads it from standard input.",
)
@click.option("--label", default="", help="Your own name for it.")
@click.option("--replace", "payment_method_id", metavar="ID", help="One that is there already, to be replaced.")
@click.pass_obj
def payment_save(
    settings: Settings, provider: str, token_file: Path, label: str, payment_method_id: str | None
) -> None:
    """Keep a means of payment. The shop asks the provider about it at the next sync."""
    token = _token_from(token_file)
    with settings.offline() as client:
        method_id, place = client.account.save_payment_method(
            provider=provider, provider_token=token, label=label, payment_method_id=payment_method_id
        )
        what = f"keep payment method {method_id} of {provider}"
        _written(settings, client, place, what, payment_method_id=method_id)


def _token_from(path: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    return content.decode("utf-8", "replace").strip()


@payment_group.command("delete")
@click.argument("payment_method_id")
@click.pass_obj
def payment_delete(settings: Settings, payment_method_id: str) -> None:
    """Delete a means of payment."""
    with settings.offline() as client:
        place = client.account.delete_payment_method(payment_method_id)
        what = f"delete payment method {payment_method_id}"
        _written(settings, client, place, what, payment_method_id=payment_method_id)


@payment_group.command("list")
@click.pass_obj
def payment_list(settings: Settings) -> None:
    """Show the means of payment, as their providers described them."""
    with settings.offline() as client:
        methods = client.account.payment_methods()
        read_at = client.account.read_at("payment_methods")
    if settings.json:
        showing.show_json([showing_account.payment_json(m) for m in methods])
        return
    rows = [
        (m.payment_method_id, m.label, showing_account.card(m), m.provider, showing_account.STANDINGS[m.standing])
        for m in methods
    ]
    showing.show_table("Payment methods", ("id", "name", "what", "provider", ""), rows)
    showing_account.say_as_of(read_at)


GROUPS = (coupon_group, wishlist_group, address_group, payment_group)
