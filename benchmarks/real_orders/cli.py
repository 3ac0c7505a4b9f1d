"""The command line. Exit codes: 0 all accounts agree; 1 they do not, or the day could not be played; 2 usage."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from rich.console import Console

from benchmarks.real_orders import orders, recording
from benchmarks.real_orders.day import Day, plan
from benchmarks.real_orders.exceptions import PlayError, UsageError
from benchmarks.real_orders.recording import Recording, read_recording
from benchmarks.real_orders.running import Settings, run
from benchmarks.real_orders.showing import show_plan, show_result


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays a day as the arguments say (default: those of the process). Returns the exit code."""
    options = _parser().parse_args(arguments)
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False, soft_wrap=True)
    settings = Settings(options.seconds, options.seed, options.workers, options.batch, options.consent)
    try:
        link = read_recording(options.link)
        day = plan(orders.read_orders(options.orders), options.day)
        show_plan(console, day, link, settings)
        with _folder(options.keep) as folder:
            return _play(console, day, link, settings, folder)
    except UsageError as error:
        errors.print(f"real_orders: error: {error}", markup=False)
        return 2
    except PlayError as error:
        errors.print(f"real_orders: {error}", markup=False)
        return 1


def _play(console: Console, day: Day, link: Recording, settings: Settings, folder: Path) -> int:
    if not console.is_terminal:
        result = run(day, link, settings, folder, lambda _: None)
    else:
        with console.status("starting server and devices") as status:
            result = run(day, link, settings, folder, status.update)
    return 0 if show_result(console, result) else 1


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="real-orders-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        taken = any(keep.iterdir())
    except OSError as error:
        raise UsageError(f"--keep {keep}: cannot be used ({error.strerror}). Give another folder.") from None
    if taken:
        raise UsageError(f"--keep {keep}: is not empty, and devices would go on where they were. Give a new folder.")
    yield keep


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real_orders",
        description="Plays one day of real orders through client and server over a recorded mobile link.",
        epilog=f"{orders.WHERE_FROM}. {recording.WHERE_FROM}. See docs/guides/real-orders.md.",
    )
    parser.add_argument("--orders", type=Path, required=True, help="CSV file or folder in the Online Retail format")
    parser.add_argument("--link", type=Path, required=True, help="recording of the link's outages")
    parser.add_argument("--day", type=date.fromisoformat, help="YYYY-MM-DD; needed when there are orders of several")
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=defaults.seconds,
        help="how long the recording, and with it the day, may take (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=defaults.seed, help="of all that is drawn (default: %(default)s)")
    parser.add_argument(
        "--workers", type=_count, default=defaults.workers, help="devices that synchronise at once (%(default)s)"
    )
    parser.add_argument(
        "--batch", type=_count, default=defaults.batch, help="operations in one submission (default: %(default)s)"
    )
    parser.add_argument(
        "--consent", type=_percent, help="by how many percent a price may have risen before an add is refused (any)"
    )
    parser.add_argument("--keep", type=Path, help="an empty folder to leave catalogue and devices in")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("must be 0.1 to 86400 seconds")
    return seconds


def _percent(text: str) -> int:
    percent = int(text)
    if not 0 <= percent <= 1_000:
        raise argparse.ArgumentTypeError("must be 0 to 1000 percent")
    return percent


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 500:
        raise argparse.ArgumentTypeError("must be 1 to 500")
    return count
