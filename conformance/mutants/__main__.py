"""`python -m conformance.mutants NAME`: serve one wrong server, set up by the environment as cartsync-server is.

`--right NAME` serves one that is right in a way of its own.

Exit codes: 0 stopped as asked; 2 unknown mutant or wrong configuration; 3 cannot listen; 4 no store.
"""

from __future__ import annotations

import asyncio
import os
import sys

import click

from conformance.mutants.catalogue import CATALOGUE, UnknownMutantError, find
from conformance.mutants.different import SERVERS
from reference_server.assembly import StoreUnavailableError, serve
from reference_server.config import ConfigError, load_config
from reference_server.credentials import TokensFileError
from reference_server.logs import start_logging
from reference_server.service.listener import CannotListenError, TlsFilesError
from reference_server.tables import TableError

_USAGE, _CANNOT_LISTEN, _STORE = 2, 3, 4


@click.command()
@click.argument("name", required=False)
@click.option("--list", "listing", is_flag=True, help="List every mutant with what it does wrong.")
@click.option("--right", type=click.Choice(sorted(SERVERS)), help="Serve one that is right in a way of its own.")
def main(name: str | None, listing: bool, right: str | None) -> None:
    """Serve the mutant NAME at CARTSYNC_LISTEN, with its control service at CARTSYNC_CONTROL_LISTEN."""
    if listing:
        for mutant in CATALOGUE:
            click.echo(f"{click.style(mutant.name, bold=True)}: {mutant.does}\n    {', '.join(mutant.breaks)}")
        return
    if (name is None) == (right is None):
        raise click.UsageError("give the NAME of a mutant, or --right NAME, or --list")
    try:
        parts = SERVERS[right] if right is not None else find(str(name)).parts()
        config = load_config({}, os.environ)
    except (UnknownMutantError, ConfigError) as error:
        raise click.UsageError(str(error)) from None
    start_logging(config.log_level)
    try:
        asyncio.run(serve(config, parts))
    except (TableError, TokensFileError, TlsFilesError) as error:
        _fail(error, _USAGE)
    except CannotListenError as error:
        _fail(error, _CANNOT_LISTEN)
    except StoreUnavailableError as error:
        _fail(error, _STORE)


def _fail(error: Exception, code: int) -> None:
    click.echo(f"conformance.mutants: error: {error}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main(prog_name="python -m conformance.mutants")
