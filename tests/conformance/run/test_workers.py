"""pytest with pytest-xdist: several processes test one server, or one each, and it ends in one report."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from cartsync.conformance.v1 import report_pb2

from conformance.exceptions import UsageError
from conformance.fixtures import Fixtures
from conformance.plans.coverage import Triple
from conformance.requirements import load
from conformance.run import RunSettings, verdicts
from conformance.run.recorder import Recorder
from conformance.run.server_lock import ServerLock
from conformance.run.verdicts import CheckRecord
from conformance.run.worker_files import WorkerFile, put_together
from conformance.run.workers import see_that_it_can_be_divided
from conformance.wire import TargetOptions

SERVER = f"{shlex.quote(sys.executable)} -c 'from reference_server.cli import main; main()' serve"
WRONG = f"{shlex.quote(sys.executable)} -m conformance.mutants add-sets"


def pytest_of_suite(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CARTSYNC_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--pyargs", "-q", "--cartsync-budget=fast", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def suite(*parts: str) -> tuple[str, ...]:
    """Parts of the suite, which are read faster than all of it."""
    return tuple(f"conformance.suite.test_{part}" for part in parts)


def report_in(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "conformance-report" / "report.json").read_text())
    return report


def judged(report: dict[str, Any]) -> dict[str, str]:
    return {r["slug"]: r["verdict"] for r in report["requirements"] if r["note"] != "not selected in this run"}


@pytest.fixture
def shared_server(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The reference server with its control service, running already."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARTSYNC_")}
    process = subprocess.Popen(
        [
            *shlex.split(SERVER),
            *("--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    addresses: dict[str, str] = {}
    for line in process.stdout:
        event = json.loads(line)
        if event["event"].endswith("listening"):
            addresses[event["event"]] = event["address"]
        if len(addresses) == 2:
            break
    control = next(address for name, address in addresses.items() if name != "listening")
    yield addresses["listening"], control
    process.terminate()
    process.communicate(timeout=20)


def test_every_worker_launches_a_server_of_its_own_and_one_report_comes_of_it(tmp_path: Path) -> None:
    result = pytest_of_suite(tmp_path, "-n2", f"--cartsync-launch={SERVER}", *suite("watch", "policy"))
    assert result.returncode == 5, result.stdout + result.stderr
    report = report_in(tmp_path)
    assert report["verdict"] == "RUN_VERDICT_PARTIAL"
    assert report["target"]["launched"] is True
    assert report["effort"]["crashCount"] >= 1
    assert set(judged(report).values()) == {"VERDICT_PASSED"}
    watch = {slug for slug in judged(report) if slug.startswith("watch/")}
    assert len(watch) >= 10
    assert "Cartsync conformance" in result.stdout
    assert f"{report['effort']['checkCount']} passed" in result.stdout


def test_a_wrong_server_is_found_wrong_by_whichever_worker_comes_to_it(tmp_path: Path) -> None:
    arguments = (*suite("cart_operations"), f"--cartsync-launch={WRONG}", "--cartsync-reruns=1")
    together = pytest_of_suite(tmp_path, "-n2", *arguments)
    report = report_in(tmp_path)
    assert together.returncode == 1, together.stdout + together.stderr
    files = [finding["replayFile"] for finding in report["findings"]]
    assert len(set(files)) == len(files) > 1
    assert all((tmp_path / "conformance-report" / file).exists() for file in files)
    assert {finding["reproduction"]["label"] for finding in report["findings"]} == {"LABEL_DETERMINISTIC"}
    alone = pytest_of_suite(tmp_path, *arguments)
    assert alone.returncode == 1
    assert judged(report_in(tmp_path)) == judged(report)
    assert not list((tmp_path / "conformance-report" / "failures").glob("gw*"))


def test_checks_that_disturb_everybody_are_safe_on_one_server(tmp_path: Path, shared_server: tuple[str, str]) -> None:
    server, control = shared_server
    where = (f"--cartsync-target={server}", f"--cartsync-control={control}")
    result = pytest_of_suite(tmp_path, "-n3", *where, *suite("store", "watch", "snapshots"))
    assert result.returncode == 5, result.stdout + result.stderr
    report = report_in(tmp_path)
    assert report["findings"] == []
    assert set(judged(report).values()) <= {"VERDICT_PASSED", "VERDICT_NOT_TESTABLE"}
    passed = {slug for slug, verdict in judged(report).items() if verdict == "VERDICT_PASSED"}
    assert {"store/new-id-after-restore", "watch/first-snapshot"} <= passed


def test_a_server_that_nobody_reaches_ends_a_run_of_several_with_exit_code_3(tmp_path: Path) -> None:
    result = pytest_of_suite(tmp_path, "-n2", "--cartsync-target=127.0.0.1:1", *suite("policy"))
    assert result.returncode == 3, result.stdout + result.stderr
    assert report_in(tmp_path)["verdict"] == "RUN_VERDICT_UNREACHABLE"


def test_a_worker_that_dies_leaves_a_report_that_certifies_nothing(tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text(
        "import os\n"
        "def pytest_runtest_call(item):\n"
        "    if item.name == 'test_every_answer_names_the_store':\n"
        "        os._exit(9)\n"
    )
    result = pytest_of_suite(
        tmp_path, "-n2", "-p", "dying", f"--cartsync-launch={SERVER}", *suite("store"), "--max-worker-restart=0"
    )
    assert result.returncode == 4, result.stdout + result.stderr
    assert "died before it was through" in report_in(tmp_path)["summary"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-n2", "--dist=each", f"--cartsync-launch={SERVER}"], "choose load or worksteal"),
        (["-n2", f"--cartsync-launch={SERVER}", "--cartsync-target=127.0.0.1:1"], "every worker launches a server"),
        (["--dist=load", "--tx=ssh=elsewhere", "--cartsync-target=127.0.0.1:1"], "must be on this machine"),
    ],
)
def test_what_several_processes_cannot_do_is_told_in_a_sentence(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    result = pytest_of_suite(tmp_path, *suite("policy"), *arguments)
    assert result.returncode == 4  # pytest's own code for a usage error
    assert sentence in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_fixtures_are_for_one_process() -> None:
    target = TargetOptions(target="127.0.0.1:1", fixtures=Fixtures.__new__(Fixtures))
    with pytest.raises(UsageError, match="by one process at a time"):
        see_that_it_can_be_divided(target, "load", ["2*popen"])


# The lock.


def test_who_is_alone_waits_for_the_others_and_is_not_overtaken(tmp_path: Path) -> None:
    told: list[str] = []
    reads, may_end = threading.Event(), threading.Event()

    def early() -> None:
        with ServerLock(tmp_path).beside_others():
            reads.set()
            may_end.wait(10)
            told.append("early ends")

    def writer() -> None:
        with ServerLock(tmp_path).alone():
            told.append("alone")

    def late() -> None:
        with ServerLock(tmp_path).beside_others():
            told.append("late")

    threads = [threading.Thread(target=act) for act in (early, writer, late)]
    threads[0].start()
    assert reads.wait(10)
    threads[1].start()
    with (tmp_path / "gate.lock").open("ab") as gate:
        while is_free(gate):
            assert threads[1].is_alive()  # it will stand at the gate
    threads[2].start()
    may_end.set()
    for thread in threads:
        thread.join(10)
    assert told == ["early ends", "alone", "late"]


def is_free(gate: IO[bytes]) -> bool:
    try:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(gate, fcntl.LOCK_UN)
    return True


def test_two_beside_each_other_use_the_server_at_once(tmp_path: Path) -> None:
    with ServerLock(tmp_path).beside_others(), ServerLock(tmp_path).beside_others():
        pass


# What workers leave behind.

REGISTER = load()


def recorder() -> Recorder:
    settings = RunSettings.checked(REGISTER, target=TargetOptions(target="127.0.0.1:1"), profiles=("core",), seed=3)
    return Recorder(REGISTER, settings, "0.1.0")


def checks() -> list[CheckRecord]:
    slugs = [requirement.slug for requirement in REGISTER.of_profiles(["core"])][:3]
    return [CheckRecord(f"test_a.py::test_{number}", "Does it", (slug,)) for number, slug in enumerate(slugs)]


def part(folder: Path, worker: str, ran: dict[int, verdicts.Verdict], *, ends: bool = True) -> None:
    """What a worker leaves that ran the checks of these numbers."""
    mine = recorder()
    mine.target.name = "acme"
    mine.checks = {check.check_id: check for check in checks()}
    file = WorkerFile(folder, worker)
    file.begin(mine)
    for number, verdict in ran.items():
        check = list(mine.checks.values())[number]
        check.verdict, check.operation_count = verdict, 10
        mine.fuzzing.check_began(check.check_id)
        mine.fuzzing.coverage.counts[Triple("cart/add-adds", "open", "none")] += 1
        before = len(mine.findings)
        if verdict == verdicts.VIOLATION:
            check.blamed, check.note = check.slugs[0], "it broke"
            mine.findings.append(report_pb2.Finding(slug=check.slugs[0], check_id=check.check_id, verdict=verdict))
        file.check(check, mine.findings[before:])
    mine.crash_count = 2
    if ends:
        file.end(mine)


def test_the_parts_of_two_workers_make_the_report_of_one(tmp_path: Path) -> None:
    part(tmp_path, "gw0", {2: verdicts.VIOLATION, 0: verdicts.PASSED})
    part(tmp_path, "gw1", {1: verdicts.VIOLATION})
    whole = recorder()
    put_together(whole, tmp_path)
    assert [check.verdict for check in whole.checks.values()] == [
        verdicts.PASSED,
        verdicts.VIOLATION,
        verdicts.VIOLATION,
    ]
    assert [finding.check_id for finding in whole.findings] == ["test_a.py::test_1", "test_a.py::test_2"]
    report = whole.report()
    assert (report.verdict, report.exit_code) == (report_pb2.RUN_VERDICT_VIOLATION, 1)
    assert (report.effort.check_count, report.effort.operation_count, report.effort.crash_count) == (3, 30, 4)
    assert report.target.name == "acme"
    assert [cell.count for cell in report.coverage] == [3]


def test_the_digest_of_the_plans_is_the_same_whoever_ran_which_check(tmp_path: Path) -> None:
    digests = set()
    for name, division in (("a", [[0, 1, 2]]), ("b", [[2], [1, 0]]), ("c", [[1], [0], [2]])):
        (tmp_path / name).mkdir()
        for worker, numbers in enumerate(division):
            part(tmp_path / name, f"gw{worker}", dict.fromkeys(numbers, verdicts.PASSED))
        whole = recorder()
        put_together(whole, tmp_path / name)
        digests.add(whole.report().settings.plan_digest)
    assert len(digests) == 1


@pytest.mark.parametrize("cut", ["", '{"kind": "chec'])
def test_a_file_without_an_end_is_of_a_process_that_died(tmp_path: Path, cut: str) -> None:
    part(tmp_path, "gw0", {0: verdicts.PASSED}, ends=False)
    with (tmp_path / "gw0.jsonl").open("a", encoding="utf-8") as file:
        file.write(cut)
    whole = recorder()
    put_together(whole, tmp_path)
    assert re.search("gw0 .* died", whole.broken[0])
    assert whole.report().exit_code == 4
