"""Options whose value has to make sense before anything is done with it."""

from __future__ import annotations

import re
from typing import Any

import click

_LONGEST_SECONDS = 86_400.0
_SERVER = re.compile(r"unix:\S+|\S+:(?P<port>[0-9]{1,5})", re.ASCII)
_MAX_PORT = 65_535


class Seconds(click.FloatRange):
    """A time in seconds, `least` to a day. Not-a-number lies in no range, and is refused too."""

    name = "seconds"

    def __init__(self, least: float) -> None:
        super().__init__(min=least, max=_LONGEST_SECONDS)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; anything else is wrong usage."""
        seconds = super().convert(value, param, ctx)
        if seconds != seconds:  # noqa: PLR0124 - only not-a-number differs from itself
            self.fail("must be a number of seconds", param, ctx)
        return seconds


def server_address(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Callback of an option that takes HOST:PORT or unix:PATH. Raises `click.BadParameter`.

    gRPC would take port 99999 for another port, and send the credential there.
    """
    match = _SERVER.fullmatch(value)
    in_range = match is not None and (match["port"] is None or 1 <= int(match["port"]) <= _MAX_PORT)
    if not in_range or not value.isprintable():
        raise click.BadParameter("must be HOST:PORT, port 1 to 65535, for example 127.0.0.1:7443", ctx, param)
    return value
