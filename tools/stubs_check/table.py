"""Shows what compiled and what ran."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.stubs_check.languages import Language
from tools.stubs_check.project import Result


def show(results: Sequence[Result], console: Console) -> None:
    """One row for each language; then whatever failed, in full."""
    table = Table(box=None, pad_edge=False)
    for heading in ("language", "generated with", "compiled", "ran"):
        table.add_column(heading, overflow="fold")
    table.add_column("seconds", justify="right")
    for result in results:
        language = result.language
        if result.skipped:
            table.add_row(language.title, Text(f"skipped: {result.skipped}"), "-", "-", "-")
            continue
        failed = Text("FAILED", style="bold red")
        compiled = f"{result.file_count} file{'s' * (result.file_count > 1)}" if result.file_count else failed
        ran = "yes" if not result.failure else failed if result.file_count else "-"
        table.add_row(language.title, language.generator, compiled, ran, f"{result.seconds:.1f}")
    console.print(table)
    for result in results:
        if result.failure:
            console.print(f"\n[bold red]{result.language.title} failed:[/]")
            console.print(Text(result.failure), soft_wrap=True)


def as_markdown(languages: Sequence[Language]) -> str:
    """The table of the guide: what has been proven, with versions."""
    rows = ["| language | generated with | compiled and run with | program |", "|---|---|---|---|"]
    for language in languages:
        path = f"examples/stubs/{language.name}/{language.program}"
        program = f"[`{language.program.rpartition('/')[2]}`](../../{path})"
        rows.append(f"| {language.title} | {language.generator} | {language.runtime} | {program} |")
    return "\n".join(rows) + "\n"
