"""The pages of requirements and mutants."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from conformance.mutants import CATALOGUE
from conformance.requirements import Register
from conformance.run.execute import inventory
from tools.reference.faults import SourceError
from tools.reference.markdown import table
from tools.reference.matrix import PublishedMatrix, published

REQUIREMENTS = PurePosixPath("docs/reference/requirements.md")
MUTANTS = PurePosixPath("docs/reference/mutants.md")


def requirement_page(register: Register) -> str:
    """Every requirement with the number of its checks and of the mutants that break it."""
    try:
        found = inventory()
    except RuntimeError as error:
        raise SourceError(f"the checks cannot be counted: {error}") from error
    checks = Counter(slug for check in found for slug in dict.fromkeys(check.slugs))
    mutants = Counter(slug for mutant in CATALOGUE for slug in dict.fromkeys(mutant.breaks))
    rows = [
        (
            f"[{r.slug}](../spec/{r.chapter}#{r.slug})",
            r.level,
            f"`{r.profile}`",
            str(checks[r.slug]),
            str(mutants[r.slug]),
            f"[{r.heading}](../spec/{r.chapter})",
        )
        for r in register.requirements
    ]
    return "\n".join(
        [
            "# Requirements",
            "",
            "Generated from `docs/spec` and `conformance` by `make docs`: "
            f"{len(register.requirements)} requirements, {len(found)} checks, {len(CATALOGUE)} mutants.",
            "",
            *table(("requirement", "level", "profile", "checks", "mutants", "chapter"), rows),
            "",
        ]
    )


def mutant_page(register: Register) -> str:
    """Every wrong server with what it does wrong and the requirement it breaks."""
    by_slug = register.by_slug
    matrix = published()
    rows = [
        (
            f"`{m.name}`",
            m.does,
            ", ".join(
                f"[{slug}](../spec/{by_slug[slug].chapter}#{slug})" if slug in by_slug else f"`{slug}`"
                for slug in m.breaks
            ),
            _caught_by(matrix, m.name),
        )
        for m in CATALOGUE
    ]
    return "\n".join(
        [
            "# Mutants",
            "",
            f"Generated from `conformance/mutants` by `make docs`: {len(CATALOGUE)} wrong servers, each the reference "
            "server with one part exchanged.",
            "`make selftest` runs the suite against each of them; `python -m conformance.mutants NAME` serves one.",
            "",
            matrix.sentence(),
            "",
            *table(("mutant", "what it does wrong", "requirement it breaks", "caught by"), rows),
            "",
        ]
    )


def _caught_by(matrix: PublishedMatrix, name: str) -> str:
    row = matrix.rows.get(name)
    if row is None:
        return "newer than the last whole self-test"
    return f"`{row.check}`" if row.caught_as else "not caught"
