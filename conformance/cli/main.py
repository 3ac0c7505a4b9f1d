"""`cartsync-conformance`: run, merge, replay, requirements, selftest.

Exit codes: 0 certified (or nothing is wrong that the baseline does not know), 1 violation, 2 usage, 3 target
unreachable or not healthy, 4 error of the suite itself, 5 partial (something requested could not be tested), 130
interrupted (the report has what was found by then).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conformance import SPEC_VERSION
from conformance.cli import certifying, comparing
from conformance.exceptions import UsageError

if TYPE_CHECKING:
    from conformance.wire import TargetOptions

# A server that is killed is no news here; must be set before grpc is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

_EPILOG = (
    "Exit codes: 0 certified, or nothing is wrong that the baseline does not know · 1 violation, or a baseline that is "
    "out of date · 2 usage · 3 target unreachable or not healthy · 4 error of the suite itself · 5 partial (something "
    "requested could not be tested) · 130 interrupted."
)

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Commands(click.Group):
    """Turns a UsageError of any command into click's own, so that it ends with exit code 2 and a sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise click.UsageError(str(error)) from error


@click.group(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cartsync", prog_name="cartsync-conformance")
def main() -> None:
    """Certify an offline-first cart server, whatever language it is written in."""


def _target_options(command: _Command) -> _Command:
    for option in reversed(
        (
            click.option(
                "--target", default="", metavar="HOST:PORT", envvar="CARTSYNC_TARGET", help="The server under test."
            ),
            click.option(
                "--control",
                default="",
                metavar="HOST:PORT",
                envvar="CARTSYNC_CONTROL",
                help="Its control service; without it little can be tested.",
            ),
            click.option(
                "--control-secret",
                default="",
                envvar="CARTSYNC_CONTROL_SECRET",
                metavar="SECRET",
                help="The control service's secret, where it asks for one (better given in the environment).",
            ),
            click.option(
                "--launch",
                default="",
                metavar="COMMAND",
                envvar="CARTSYNC_LAUNCH",
                help="Starts the server, so that the suite can kill it. {listen}, {control} and {data_dir} are filled "
                "in; the environment has CARTSYNC_LISTEN, CARTSYNC_CONTROL_LISTEN and CARTSYNC_DATA_DIR.",
            ),
            click.option(
                "--fixtures",
                type=click.Path(dir_okay=False, path_type=Path),
                default=None,
                envvar="CARTSYNC_FIXTURES",
                metavar="FILE",
                help="Accounts and products of the server's own, for tests without a control service (TOML).",
            ),
        )
    ):
        command = option(command)
    return command


def _target_of(target: str, control: str, control_secret: str, launch: str, fixtures: Path | None) -> TargetOptions:
    from conformance.fixtures import read_fixtures
    from conformance.wire import TargetOptions

    return TargetOptions(
        target=target,
        control=control,
        launch=launch,
        control_secret=control_secret,
        fixtures=read_fixtures(fixtures, os.environ) if fixtures is not None else None,
    )


@main.command(epilog=_EPILOG)
@_target_options
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    help="Profile to certify; repeat for several. Without it: those that the server lists in its policy.",
)
@click.option("--budget", default="standard", show_default=True, help="How much fuzzing: fast, standard or deep.")
@click.option("--seed", type=click.IntRange(min=0), default=None, help="Repeats a run; a new one unless given.")
@click.option(
    "--report-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("conformance-report"),
    show_default=True,
    help="Where report.html, report.json, junit.xml and failure files go.",
)
@click.option("--only", multiple=True, metavar="PATTERN", help="Only checks of these slugs or names; never certifies.")
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    metavar="FILE",
    help="Known failures (TOML), which do not fail the run; entries that are met or expired do.",
)
@click.option(
    "--write-baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    metavar="FILE",
    help="Write the violations of this run as a baseline to start from.",
)
@click.option(
    "--reruns",
    type=click.IntRange(min=0, max=100),
    default=3,
    show_default=True,
    metavar="K",
    help="Run the story of each violation so many times again: is it deterministic, flaky or unproven?",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    metavar="N",
    help="The whole run lasts so long: scripted checks, then fuzzing for all the time left.",
)
@click.option(
    "--shard",
    default="",
    metavar="I/N",
    help="Run part I of a campaign over N machines; `merge` makes one report of all.",
)
@click.option(
    "--edition",
    default=SPEC_VERSION,
    show_default=True,
    metavar="NAME",
    help="Edition of the spec that decides; what came later is told and decides nothing.",
)
def run(
    target: str,
    control: str,
    control_secret: str,
    launch: str,
    fixtures: Path | None,
    profiles: tuple[str, ...],
    budget: str,
    seed: int | None,
    report_dir: Path,
    only: tuple[str, ...],
    baseline: Path | None,
    write_baseline: Path | None,
    reruns: int,
    minutes: float | None,
    shard: str,
    edition: str,
) -> None:
    """Run the suite against a server and write the report."""
    from conformance.cli.running import run_suite

    raise SystemExit(
        run_suite(
            _target_of(target, control, control_secret, launch, fixtures),
            profiles=profiles,
            budget=budget,
            seed=secrets.randbelow(2**31) if seed is None else seed,
            report_dir=report_dir,
            only=only,
            edition=edition,
            minutes=minutes,
            shard=shard,
            baseline=baseline,
            write_baseline=write_baseline,
            reruns=reruns,
        )
    )


@main.command(
    epilog="Exit codes: 0 it did not happen · 1 the same violation again · 2 usage · 3 target unreachable · "
    "4 error of the suite itself · 5 it could not be tested against this target."
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_target_options
@click.option(
    "--report-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("conformance-report/replay"),
    show_default=True,
    help="Where the report of the replay goes.",
)
def replay(
    file: Path,
    target: str,
    control: str,
    control_secret: str,
    launch: str,
    fixtures: Path | None,
    report_dir: Path,
) -> None:
    """Run the story of one failure FILE again, against the same server or any other."""
    from conformance.cli.replaying import replay_file

    options = _target_of(target, control, control_secret, launch, fixtures)
    raise SystemExit(replay_file(file, options, report_dir))


@main.command(
    epilog="Exit codes: 0 nothing is held against the server, which is no certificate · 1 something is · 2 usage · "
    "5 no plan could be judged."
)
@click.argument("history", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def rejudge(history: Path, form: str) -> None:
    """Judge the plans of a run's HISTORY (history.jsonl.gz of its report) by this suite, without any server."""
    from conformance.cli.rejudging import rejudge_history

    raise SystemExit(rejudge_history(history, form))


@main.command(
    epilog="Exit codes: those of `run`, for the whole campaign; 2 also for reports that are not of one campaign."
)
@click.argument("reports", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--report-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("conformance-report"),
    show_default=True,
    help="Where the report of the whole goes.",
)
def merge(reports: tuple[Path, ...], report_dir: Path) -> None:
    """Make one report of the REPORTs of all shards of a campaign (report.json, or the folder it is in)."""
    from conformance.cli.merging import merge_reports

    raise SystemExit(merge_reports(reports, report_dir))


@main.command()
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Only these profiles.")
@click.option("--format", "form", type=click.Choice(["text", "table", "json"]), default="text", show_default=True)
@click.option("--edition", default=SPEC_VERSION, show_default=True, metavar="NAME", help="Those of this edition.")
def requirements(profiles: tuple[str, ...], form: str, edition: str) -> None:
    """List every requirement with the checks that judge it; exit 4 when one has none."""
    from conformance.cli.listing import list_requirements

    raise SystemExit(list_requirements(profiles, form, edition))


@main.command(
    epilog="Exit codes: 0 every mutant caught, nothing said against the reference server · 1 not so · 2 usage · "
    "4 error of the suite itself."
)
@click.option("--mutant", "names", multiple=True, metavar="NAME", help="Only these mutants; repeat for several.")
@click.option(
    "--seeds",
    type=click.IntRange(min=0),
    default=None,
    help="How many runs against the reference server. [default: 20; 0 with --mutant]",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The first of the seeds.")
@click.option("--budget", default="fast", show_default=True, help="How much fuzzing: fast, standard or deep.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Servers tested at a time.")
@click.option(
    "--replays",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Replay each mutant's failure file so many times, and once against the reference server.",
)
@click.option("--whole", is_flag=True, help="Run the whole suite against every mutant, not only until it is caught.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("conformance-report/selftest"),
    show_default=True,
    help="Where matrix.md, matrix.json and the reports of each server go.",
)
def selftest(
    names: tuple[str, ...],
    seeds: int | None,
    seed: int,
    budget: str,
    jobs: int,
    replays: int,
    whole: bool,
    output: Path,
) -> None:
    """Prove the suite: catch every wrong server, and find nothing wrong with the reference server."""
    from conformance.cli.selftesting import SelfTest, run_selftest

    raise SystemExit(
        run_selftest(
            SelfTest.checked(
                names,
                seed_count=seeds,
                seed=seed,
                budget=budget,
                jobs=jobs,
                output=output,
                replay_count=replays,
                whole=whole,
            )
        )
    )


for _command in (certifying.keygen, certifying.certify, certifying.verify, comparing.compare):
    main.add_command(_command)
