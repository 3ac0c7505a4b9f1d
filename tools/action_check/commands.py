"""Workflow commands, as a runner reads them out of every line that a step prints.

A command begins its line, blanks before it do not count; `##[command]` counts anywhere. There are none between
`::stop-commands::TOKEN` and `::TOKEN::`. What a step writes into the file GITHUB_OUTPUT is read here too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_COMMAND = re.compile(r"^\s*::(?P<name>[A-Za-z0-9_-]+)(?:\s+(?P<properties>.*?))?::(?P<data>.*)$")
_OLD_COMMAND = re.compile(r"##\[(?P<name>[A-Za-z0-9_-]+)(?:\s+(?P<properties>[^\]]*))?\](?P<data>.*)$")
_LEVELS = ("error", "warning", "notice")


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a job shows beside its log."""

    level: str
    title: str
    message: str


@dataclass
class CommandReader:
    """Goes through the lines that the steps of a job print."""

    annotations: list[Annotation] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # names of commands that are no annotation
    _token: str = ""

    def read(self, line: str) -> bool:
        """Take one line in; returns whether it was a command, which a log does not show."""
        found = _COMMAND.match(line) or _OLD_COMMAND.search(line)
        if found is None:
            return False
        name = found["name"]
        if self._token:
            if name != self._token:
                return False
            self._token = ""
        elif name == "stop-commands":
            self._token = found["data"]
        elif name in _LEVELS:
            properties = _properties(found["properties"] or "")
            self.annotations.append(Annotation(name, properties.get("title", ""), _unescaped(found["data"])))
        else:
            self.others.append(name)
        return True


def _properties(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name.strip(): _unescaped(value.replace("%3A", ":").replace("%2C", ",")) for name, _, value in pairs}


def _unescaped(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def file_values(text: str) -> dict[str, str]:
    """What stands in GITHUB_OUTPUT or GITHUB_ENV: `name=value`, or `name<<END`, lines, `END`; raises ValueError."""
    values: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, marked, end = line.partition("<<")
        if marked and "=" not in name:
            value = []
            for following in lines:
                if following == end:
                    break
                value.append(following)
            else:
                raise ValueError(f"the value of {name} is not closed by {end!r}")
            values[name] = "\n".join(value)
        elif line:
            name, equals, told = line.partition("=")
            if not equals:
                raise ValueError(f"{line!r} is no NAME=VALUE")
            values[name] = told
    return values
