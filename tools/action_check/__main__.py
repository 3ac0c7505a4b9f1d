"""`python -m tools.action_check`: run the action against a right server and a wrong one, and show what a job shows.

Exit codes: 0 the action passed the right server and failed the wrong one · 1 it did not.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tools.action_check.runner import Job, run

ROOT = Path(__file__).resolve().parents[2]
RIGHT = f"{shlex.quote(str(Path(sys.executable).with_name('cartsync-server')))} serve"
WRONG = f"{shlex.quote(sys.executable)} -m conformance.mutants add-sets"

_RUNS: tuple[tuple[str, str, str, int], ...] = (
    ("the reference server", "certified", RIGHT, 0),
    ("a server that sets where it should add", "violation", WRONG, 1),
)


def main() -> int:
    """Run both; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.action_check", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small profile and one check, in place of everything")
    parser.add_argument("--budget", default="fast", help="of the whole runs (default: %(default)s)")
    asked = parser.parse_args()
    right = False
    with tempfile.TemporaryDirectory(prefix="cartsync-action-") as folder:
        passed = []
        for who, verdict, launch, code in _RUNS:
            inputs = {"launch": launch, "budget": asked.budget, "seed": "1"}
            if asked.quick:
                inputs |= {"profiles": "watch"} if code == 0 else {"only": "cart/add-adds"}
            print(f"=== The action against {who}", flush=True)
            job = run_in(Path(folder), inputs)
            show(job)
            passed.append((job.outputs["verdict"], job.exit_code) == (verdict, code))
        right = all(passed)
    print("The action says what it should." if right else "The action does not say what it should.")
    return 0 if right else 1


def run_in(folder: Path, inputs: Mapping[str, str], *, installed: bool = False) -> Job:
    """Run the action of this checkout in a new workspace; `installed` takes the suite of this Python for its own."""
    workspace, temp = folder / "workspace", folder / "temp"
    for made in (workspace, temp):
        made.mkdir(exist_ok=True)
    return run(
        ROOT / "action.yml",
        inputs,
        workspace=workspace,
        temp=temp,
        environment={name: value for name, value in os.environ.items() if not name.startswith("CARTSYNC_")},
        replaced={"install": {"python": sys.executable}} if installed else None,
        log=lambda line: print(line, flush=True),
    )


def show(job: Job) -> None:
    """Print what the page of a job shows."""
    print(f"\n--- Job: {'failed' if job.failed else 'succeeded'}, exit code {job.exit_code}")
    for name, value in job.outputs.items():
        print(f"output {name}: {value}")
    print(f"\n--- Annotations: {len(job.annotations)}")
    for annotation in job.annotations:
        print(f"{annotation.level}: {annotation.title}\n    " + annotation.message.replace("\n", "\n    "))
    print(f"\n--- Summary\n\n{job.summary}")


if __name__ == "__main__":
    sys.exit(main())
