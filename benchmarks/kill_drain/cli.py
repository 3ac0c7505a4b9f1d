"""The command line, and one run from the first intent to the verdict."""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.kill_drain.accounts import collect, differences
from benchmarks.kill_drain.deaths import Victim, drain, draw_instants
from benchmarks.kill_drain.exceptions import DrainError
from benchmarks.kill_drain.processes import Processes
from benchmarks.kill_drain.shopping import draw_intents, write_down
from benchmarks.kill_drain.tally import printed, rows

_SHOWN = 20  # differences
_WIDTH = 400  # characters of one


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark. The exit code."""
    options = _parser().parse_args(arguments)
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kill-drain-")))
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            print(f"--keep {folder}: not empty; name a new folder", file=sys.stderr)
            return 1
        processes = Processes(folder, options.batch)
        stack.callback(lambda: (processes.kill(processes.client), processes.kill(processes.server)))
        victim = Victim(options.victim)
        aborts = options.aborts if victim is Victim.SERVER else 0
        try:
            return _run(processes, victim, options.operations, options.kills, aborts, random.Random(seed))
        except DrainError as error:
            print(error, file=sys.stderr)
            return 1


def _run(processes: Processes, victim: Victim, count: int, kills: int, aborts: int, draw: random.Random) -> int:
    processes.start_server()
    policy = processes.prepare()
    with processes.device() as device:
        written = write_down(device, draw_intents(draw, count))
        queue_id = device.queue().queue_id
    begin = time.monotonic()
    deaths = drain(processes, victim, queue_id, count, draw_instants(draw, kills, aborts), draw)
    drained = time.monotonic()
    accounts = collect(processes, queue_id, count)
    asked = time.monotonic()
    found = list(differences(written, policy, accounts))
    print(printed(rows(victim, deaths, accounts, drained - begin, time.monotonic() - asked)))
    for text in found[:_SHOWN]:
        print(f"WRONG: {text if len(text) <= _WIDTH else text[:_WIDTH] + ' …'}")
    if found:
        print(f"{len(found)} differences from the oracle")
        return 1
    print("answers, records, effects and final carts are the oracle's: nothing lost, nothing twice")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kill_drain",
        description="Kill the client or the server during a drain, and compare all accounts with the oracle.",
    )
    parser.add_argument("--victim", choices=[victim.value for victim in Victim], default=Victim.CLIENT.value)
    parser.add_argument("--operations", type=_at_least(1), default=5_000)
    parser.add_argument("--kills", type=_at_least(0), default=20, help="with SIGKILL, at random instants")
    parser.add_argument(
        "--aborts", type=_at_least(0), default=5, help="more deaths of a server, after a commit and before its answer"
    )
    parser.add_argument("--batch", type=_at_least(1), default=25, help="operations in one submission; default 25")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=None, help="a new folder to leave stores and logs in")
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
        return int(text)

    return number
