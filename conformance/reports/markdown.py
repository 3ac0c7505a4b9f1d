"""Text of others inside Markdown: shown as it is, never as markup, a link or a mention."""

from __future__ import annotations

import re

from conformance.reports.wording import one_line, visible

_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|~@&$]")  # what begins markup anywhere in a line
_AT_THE_START = re.compile(r"^(?:[-+=]|\d{1,9}(?=[.)]))")  # what begins a list or underlines a heading


def plain(text: str, *, keep_ends: bool = False) -> str:
    """One line of text, with everything escaped that Markdown or GitHub would read as more than text.

    Blanks at its ends go, unless it is one of several parts of a line.
    """
    line = one_line(text)
    if keep_ends and line:
        line = " " * text[:1].isspace() + line + " " * text[-1:].isspace()
    elif keep_ends:
        line = " " * bool(text)
    escaped = _MARKUP.sub(lambda found: "\\" + found[0], line)
    if found := _AT_THE_START.match(escaped):
        end = found.end() if found[0].isdigit() else 0
        escaped = f"{escaped[:end]}\\{escaped[end:]}"
    return re.sub(r"(?i)\bwww\.", r"\g<0>&#8203;", escaped).replace("://", ":&#8203;//")


def prose(text: str) -> str:
    """One line of text as `plain` has it, with what it puts between backticks as code."""
    parts = re.split(r"`([^`]+)`", one_line(text))
    return "".join(code(part) if index % 2 else plain(part, keep_ends=True) for index, part in enumerate(parts))


def code(text: str) -> str:
    """One line of text as a code span, also inside a table."""
    line = one_line(text).replace("|", "\\|") or " "
    ticks = "`" * (_longest_run(line) + 1)
    pad = " " if line[:1] == "`" or line[-1:] == "`" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def block(text: str, language: str = "text") -> str:
    """Lines of text as a code block."""
    shown = visible(text).strip("\n")
    fence = "`" * max(3, _longest_run(shown) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
