"""The command `requirements`."""

from __future__ import annotations

import json

import click

from conformance import SPEC_VERSION
from conformance.exceptions import UsageError
from conformance.requirements import load
from conformance.requirements.editions import UnknownEditionError, first_editions, load_edition
from conformance.run.execute import inventory
from conformance.run.run import SUITE_ERROR_EXIT_CODE


def list_requirements(profiles: tuple[str, ...], form: str, edition: str = "") -> int:
    """Print the requirements of an edition, by default the present one, with their checks; returns the exit code."""
    try:
        register = load_edition(edition).register if edition else load()
    except UnknownEditionError as error:
        raise UsageError(f"--edition: {error}") from error
    if unknown := [name for name in profiles if name not in register.profiles]:
        raise UsageError(f"--profile {unknown[0]!r} is unknown; choose from {', '.join(register.profiles)}")
    chosen = register.of_profiles(profiles or register.profiles)
    checks = inventory()
    checks_of = {r.slug: [check for check in checks if r.slug in check.slugs] for r in chosen}
    since = first_editions()
    if form == "json":
        entries = [
            {
                "slug": r.slug,
                "level": r.level,
                "profile": r.profile,
                "statement": r.statement,
                "chapter": r.chapter,
                "since": since.get(r.slug, SPEC_VERSION),
                "checks": [check.check_id for check in checks_of[r.slug]],
            }
            for r in chosen
        ]
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    elif form == "table":
        width = max(len(r.slug) for r in chosen)
        for r in chosen:
            click.echo(f"{r.slug:<{width}}  {r.level:<6}  {r.profile:<9}  {len(checks_of[r.slug]):>2} checks")
    else:
        for r in chosen:
            click.echo(f"{click.style(r.slug, bold=True)} ({r.level}, {r.profile})")
            click.echo(f"  {r.statement}")
            for check in checks_of[r.slug]:
                click.echo(f"    · {check.check_id}")
    orphans = [slug for slug, own in checks_of.items() if not own]
    if form != "json":
        used = {check.check_id for own in checks_of.values() for check in own}
        click.echo(f"{len(chosen)} requirements, {len(used)} checks.")
    for slug in orphans:
        click.echo(f"no check judges {slug}", err=True)
    return SUITE_ERROR_EXIT_CODE if orphans else 0
