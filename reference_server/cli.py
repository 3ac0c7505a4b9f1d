"""`cartsync-server`: the command line.

Exit codes: 0 stopped as asked; 2 wrong usage or configuration; 3 cannot listen; 4 the store cannot be opened.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from reference_server.config import SETTINGS, Config, ConfigError, load_config

if TYPE_CHECKING:
    from reference_server.assembly import Parts

EXIT_USAGE = 2
EXIT_CANNOT_LISTEN = 3
EXIT_STORE = 4

Command = Callable[..., Any]


@click.group(epilog=__doc__.rpartition("\n\n")[2] if __doc__ else None)
def main() -> None:
    """Run the Cartsync reference server."""


def _setting_options(command: Command) -> Command:
    for setting in reversed(SETTINGS):
        command = click.option(
            setting.flag,
            setting.name,
            metavar=setting.metavar,
            help=f"{setting.help} [{setting.variable}; default: {setting.default}]",
        )(command)
    return command


@main.command()
@_setting_options
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=Path,
    envvar="CARTSYNC_CONFIG",
    help="A TOML file with any of these settings. [CARTSYNC_CONFIG; default: none]",
)
def serve(config_file: Path | None, **flags: str | None) -> None:
    """Serve carts until SIGTERM or SIGINT.

    Every flag is also an environment variable and a key of the --config file. A flag wins over the environment,
    the environment over the file.
    """
    try:
        config = load_config(flags, os.environ, config_file)
    except ConfigError as error:
        _fail(str(error), EXIT_USAGE)

    run_server(config)


def run_server(config: Config, parts: Parts | None = None) -> None:
    """Serve until told to stop, with other parts than the reference's when given.

    What goes wrong at start ends the process with one line on stderr and the exit code for it.
    """
    # The library's own complaints in its own format would only hide ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    # Only now what takes long to load: a wrong flag is answered at once.
    import asyncio

    from reference_server.assembly import REFERENCE, StoreUnavailableError
    from reference_server.assembly import serve as serve_until_stopped
    from reference_server.credentials import TokensFileError
    from reference_server.logs import start_logging
    from reference_server.service.listener import CannotListenError, TlsFilesError
    from reference_server.tables import TableError

    start_logging(config.log_level)
    if config.tokens_file is None:
        click.echo(
            "cartsync-server: INSECURE development mode: whoever can connect can be anybody."
            " Use --auth tokens:FILE for anything real.",
            err=True,
        )
    try:
        asyncio.run(serve_until_stopped(config, parts or REFERENCE))
    except (TableError, TokensFileError, TlsFilesError) as error:
        _fail(str(error), EXIT_USAGE)
    except CannotListenError as error:
        _fail(str(error), EXIT_CANNOT_LISTEN)
    except StoreUnavailableError as error:
        _fail(str(error), EXIT_STORE)


@main.command("hash-token")
@click.option("--principal", required=True, metavar="NAME", help="Whom the token speaks for.")
@click.option("--expires", default="", metavar="TIME", help="When it stops working: 2027-01-31T00:00:00Z.")
@click.option("--guest", is_flag=True, help="The principal is a guest, whose cart an account can claim.")
def hash_token(principal: str, expires: str, guest: bool) -> None:
    """Read a token from standard input and print its line for a tokens file.

    For example: openssl rand -hex 32 | tee token.txt | cartsync-server hash-token --principal alice >> tokens
    """
    from reference_server.credentials import tokens_file_line

    try:
        click.echo(tokens_file_line(sys.stdin.readline().rstrip("\r\n"), principal, expires, guest=guest))
    except ValueError as error:
        _fail(str(error), EXIT_USAGE)


@main.command("new-store-id")
@_setting_options
@click.option("--config", "config_file", metavar="FILE", type=Path, envvar="CARTSYNC_CONFIG", help="As for serve.")
def new_store_id(config_file: Path | None, **flags: str | None) -> None:
    """Give a store that was put back from a backup the new id it must have, and print it.

    Run it on the stopped server's store, with the settings that serve has, before serve is started again.
    Clients then find out what the backup had lost. (spec: store/new-id-after-restore)
    """
    try:
        config = load_config(flags, os.environ, config_file)
    except ConfigError as error:
        _fail(str(error), EXIT_USAGE)

    import asyncio

    from reference_server.assembly import StoreUnavailableError, renew_store_id
    from reference_server.logs import start_logging

    start_logging("error", sys.stderr)
    try:
        click.echo(asyncio.run(renew_store_id(config)))
    except StoreUnavailableError as error:
        _fail(str(error), EXIT_STORE)


@main.command()
def version() -> None:
    """Print the version."""
    import importlib.metadata

    click.echo(importlib.metadata.version("cartsync"))


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo(f"cartsync-server: error: {message}", err=True)
    raise SystemExit(exit_code)


if __name__ == "__main__":
    main()
