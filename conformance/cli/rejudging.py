"""The command `rejudge`."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import click

from conformance import SPEC_VERSION
from conformance.explaining.reasons import in_short, reason_for
from conformance.rejudging.histories import Reader
from conformance.rejudging.rejudge import Rejudged, rejudged
from conformance.reports.wording import count_text, one_line

_LISTED = 20


def rejudge_history(file: Path, form: str) -> int:
    """Judge every plan of a history again and say what came of it; returns the exit code, raises UsageError.

    0: nothing is held against the server, which is no certificate; 1: something is; 5: no plan could be judged.
    """
    reader = Reader.open(file)
    results = list(rejudged(reader.plans()))
    found = [result for result in results if result.requirement]
    judged = [result for result in results if not result.undecided and not result.not_again]
    if form == "json":
        click.echo(json.dumps(_as_json(reader, results), indent=2, ensure_ascii=False))
    else:
        _tell(reader, results, judged, found)
    if found:
        return 1
    return 0 if judged else 5


def _tell(reader: Reader, results: list[Rejudged], judged: list[Rejudged], found: list[Rejudged]) -> None:
    header = reader.header
    target = header.get("target")
    name = one_line(" ".join(map(str, target.values()))) if isinstance(target, dict) else ""
    click.echo(
        f"Played by suite {header.get('suite_version', '?')} (spec {header.get('spec_version', '?')}, seed "
        f"{header.get('seed', '?')}) against {name or 'a server without a name'}; "
        f"judged again by suite {version('cartsync')} (spec {SPEC_VERSION})."
    )
    for result in found[:_LISTED]:
        news = "as before" if result.before == result.requirement else "new"
        if result.before and news == "new":
            news = f"before: {one_line(result.before)}"
        click.echo(f"\n✗ plan {result.number}, {one_line(result.check)}: {one_line(result.requirement)} ({news})")
        click.echo(f"  {one_line(result.summary)}")
        click.echo(f"  expected: {_short(result.expected)}")
        click.echo(f"  observed: {_short(result.observed)}")
        if reason := reason_for(result.requirement):
            click.echo(f"  because: {in_short(reason)}")
    if len(found) > _LISTED:
        click.echo(f"\nand {count_text(len(found) - _LISTED, 'more plan')}; --format json has them all")
    click.echo("")
    for told in _gaps(reader, results):
        click.echo(told)
    against = f"{len(found)} of them violated" if found else "nothing against it"
    click.echo(f"{count_text(len(judged), 'plan')} judged again, {against}.")
    if not found:
        click.echo("A history holds the fuzzed plans only, so this certifies nothing: for that, run the suite.")


def _gaps(reader: Reader, results: list[Rejudged]) -> list[str]:
    undecided = sum(result.undecided for result in results)
    acquitted = sum(bool(result.before) and not result.requirement for result in results)
    lines = []
    if acquitted:
        lines.append(f"{count_text(acquitted, 'plan')} held against the server then, and not now.")
    if undecided:
        lines.append(f"{count_text(undecided, 'plan')} left too much unknown to be judged.")
    reasons = dict.fromkeys(result.not_again for result in results if result.not_again)
    for reason in list(reasons)[:_LISTED]:
        count = sum(result.not_again == reason for result in results)
        lines.append(f"{count_text(count, 'plan')} not judged again: {one_line(reason)}.")
    if reader.breaks_off:
        lines.append("The file breaks off; what stands before that was judged.")
    if reader.left_out_count:
        lines.append(f"{count_text(reader.left_out_count, 'plan')} of the run are not in the file, which was full.")
    return lines


def _as_json(reader: Reader, results: list[Rejudged]) -> dict[str, object]:
    return {
        "history": dict(reader.header),
        "judged_by": {"suite_version": version("cartsync"), "spec_version": SPEC_VERSION},
        "plan_count": len(results),
        "undecided_count": sum(result.undecided for result in results),
        "not_judged_count": sum(bool(result.not_again) for result in results),
        "breaks_off": reader.breaks_off,
        "left_out_count": reader.left_out_count,
        "violations": [
            {
                "plan": result.number,
                "check": result.check,
                "requirement": result.requirement,
                "because": reason_for(result.requirement),
                "summary": result.summary,
                "expected": result.expected,
                "observed": result.observed,
                "before": result.before,
            }
            for result in results
            if result.requirement
        ],
    }


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= 200 else line[:199] + "…"
