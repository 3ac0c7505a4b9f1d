"""A server is judged by one edition of the spec; what came later is told beside it and takes no certificate away."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import conformance
from conformance import SPEC_VERSION
from conformance.exceptions import UsageError
from conformance.requirements import load
from conformance.requirements.editions import (
    UnknownEditionError,
    first_editions,
    known_editions,
    load_edition,
    order_of,
    present_edition,
)
from conformance.run import RunSettings, verdicts
from conformance.run.recorder import Recorder
from conformance.run.verdicts import CheckRecord
from conformance.wire import TargetOptions

FIRST = "1.0-draft.1"
ANY_TARGET = TargetOptions(target="127.0.0.1:1", control="", launch="", control_secret="")

# The command, with the folders of the checks and of the released editions put elsewhere.
COMMAND = """
import sys
from pathlib import Path
from conformance.requirements import editions
from conformance.run import execute, run
suite, released = map(Path, sys.argv[1:3])
del sys.argv[1:3]
execute.files = lambda _: suite
run.files = lambda _: suite / "suite"
editions.editions_folder = lambda: released
from conformance.cli import main
main()
"""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A suite that checks the policy only, and an edition that asks for all of it but the floors of the limits."""
    suite = Path(conformance.__file__).parent / "suite"
    (tmp_path / "suite").mkdir()
    for name in ("__init__.py", "marks.py", "test_policy.py"):
        shutil.copy(suite / name, tmp_path / "suite")
    asked = ("policy/complete", "policy/retention-floors", "policy/profiles")
    entries = [
        {name: getattr(requirement, name) for name in requirement.__slots__}
        for requirement in load().requirements
        if requirement.slug in asked
    ]
    assert len(entries) == len(asked)
    (tmp_path / "compat" / FIRST).mkdir(parents=True)
    (tmp_path / "compat" / FIRST / "contract.json").write_text(json.dumps({"requirements": entries}))
    return tmp_path


def run(world: Path, mutant: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    launch = f"{sys.executable} -m conformance.mutants {mutant}"
    result = subprocess.run(
        [
            *(sys.executable, "-c", COMMAND, str(world), str(world / "compat")),
            *("run", "--launch", launch, "--budget", "fast", "--seed", "7", *arguments),
        ],
        cwd=world,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    path = world / "conformance-report" / "report.json"
    return result, json.loads(path.read_text()) if path.exists() else {}


def test_a_server_that_fails_only_a_later_requirement_is_certified_for_the_older_edition(world: Path) -> None:
    result, report = run(world, "policy-below-the-floor", "--edition", FIRST)
    assert result.returncode == 0, result.stdout + result.stderr
    assert report["verdict"] == "RUN_VERDICT_CERTIFIED"
    assert report["summary"].startswith(f"Certified for core by edition {FIRST}: every MUST was tested and met.")
    assert "1 later requirement is not met, which does not count for this edition." in report["summary"]
    assert report["edition"] == {
        "name": FIRST,
        "released": True,
        "requirementCount": 3,
        "digest": report["edition"]["digest"],
    }
    assert [r["slug"] for r in report["requirements"]] == [
        "policy/complete",
        "policy/retention-floors",
        "policy/profiles",
    ]
    later = {r["slug"]: r for r in report["laterRequirements"]}
    assert later["policy/limit-floors"]["verdict"] == "VERDICT_VIOLATION"
    assert later["policy/limit-floors"]["sinceEdition"] == SPEC_VERSION
    assert report["findings"] == []
    assert [finding["slug"] for finding in report["laterFindings"]] == ["policy/limit-floors"]
    told = " ".join(result.stdout.split())
    assert f"note: judged by edition {FIRST}" in told
    assert f"Later than {FIRST}:" in told
    assert "violation: policy/limit-floors" in told
    page = (world / "conformance-report" / "report.html").read_text()
    assert f'<h2 id="later">Later than {FIRST}</h2>' in page
    assert 'id="policy/limit-floors"' in page
    junit = ET.parse(world / "conformance-report" / "junit.xml").getroot()
    assert (junit.get("failures"), junit.get("errors")) == ("0", "0")
    message = junit.find(f"testsuite[@name='later than {FIRST}']/testcase[@name='policy/limit-floors']/skipped")
    assert message is not None
    assert str(message.get("message")).startswith("later requirement, does not count: violation: ")


def test_a_server_that_fails_a_requirement_of_the_edition_is_not_certified(world: Path) -> None:
    result, report = run(world, "policy-forgets-early", "--edition", FIRST)
    assert result.returncode == 1, result.stdout + result.stderr
    assert [finding["slug"] for finding in report["findings"]] == ["policy/retention-floors"]
    assert report["laterFindings"] == []


@pytest.mark.parametrize("edition", ["1.0-draft.7", "2.0", "newest", "../compat"])
def test_an_unknown_edition_is_a_usage_error_that_names_the_known_ones(world: Path, edition: str) -> None:
    result, _ = run(world, "policy-below-the-floor", "--edition", edition)
    assert result.returncode == 2, result.stdout + result.stderr
    told = " ".join(result.stderr.split())
    assert f"--edition: edition {edition!r} is unknown; the editions of this suite are {FIRST}, {SPEC_VERSION}" in told
    assert "Traceback" not in told


def listed(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from conformance.cli import main; main()", "requirements", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_requirements_of_an_edition_are_listed_with_the_edition_that_brought_them() -> None:
    result = listed("--edition", FIRST, "--format", "json")
    assert result.returncode == 0, result.stderr
    entries = json.loads(result.stdout)
    assert len(entries) == 135
    assert {entry["since"] for entry in entries} == {FIRST}
    unknown = listed("--edition", "9.9")
    assert unknown.returncode == 2
    assert FIRST in unknown.stderr


def settings(edition: str = "", profiles: tuple[str, ...] = ()) -> RunSettings:
    return RunSettings.checked(load(), target=ANY_TARGET, edition=edition, profiles=profiles)


def test_the_first_edition_has_the_requirements_it_was_released_with() -> None:
    first = load_edition(FIRST)
    assert first.released
    assert len(first.register.requirements) == 135
    assert first.register.profiles == ("core", "streaming")
    assert first_editions()["deciding/gap-deferred"] == FIRST


def test_without_an_edition_the_present_one_decides_and_nothing_is_later() -> None:
    assert settings().edition == present_edition(load())
    assert settings().profiles == load().profiles
    assert settings().edition.later(load()).requirements == ()


def test_the_profiles_of_a_run_are_those_of_its_edition() -> None:
    assert settings(FIRST).profiles == ("core", "streaming")
    with pytest.raises(UsageError, match=f"the profiles of edition {FIRST} are core, streaming"):
        settings(FIRST, ("no-such",))


def test_editions_are_ordered_drafts_before_what_they_are_drafts_of() -> None:
    names = ["1.0-draft.2", "2.0-draft.1", "1.0", "1.10", "1.0-draft.10", "1.2"]
    assert sorted(names, key=order_of) == ["1.0-draft.2", "1.0-draft.10", "1.0", "1.2", "1.10", "2.0-draft.1"]
    assert known_editions()[0] == FIRST
    assert SPEC_VERSION in known_editions()
    with pytest.raises(UnknownEditionError, match=FIRST):
        load_edition("1.0-draft.99")


def recorded(edition: str, *checks: CheckRecord) -> Recorder:
    recorder = Recorder(load(), settings(edition, ("streaming",)), "0.0.0")
    recorder.checks = {check.check_id: check for check in checks}
    return recorder


def passed_checks() -> list[CheckRecord]:
    return [
        CheckRecord(f"t.py::{number}", "title", (requirement.slug,), verdicts.PASSED)
        for number, requirement in enumerate(load().of_profiles(["streaming"]))
    ]


def test_what_a_check_of_a_later_requirement_finds_wrong_in_the_edition_counts() -> None:
    later = CheckRecord("t.py::later", "title", ("compat/later",), verdicts.VIOLATION, "", "sync/welcome")
    report = recorded(FIRST, *passed_checks(), later).report()
    assert report.exit_code == 1


def test_a_check_that_stopped_at_a_later_requirement_leaves_its_own_unjudged_unless_another_judged_it() -> None:
    checks = passed_checks()
    stopped = CheckRecord("t.py::stopped", "title", ("sync/welcome",), verdicts.VIOLATION, "", "compat/later")
    assert recorded(FIRST, *checks, stopped).report().exit_code == 0
    (own,) = [check for check in checks if check.slugs == ("sync/welcome",)]
    checks.remove(own)
    report = recorded(FIRST, *checks, stopped).report()
    assert report.exit_code == 5
    assert "stopped at a violation of compat/later" in next(r.note for r in report.requirements if r.note)
