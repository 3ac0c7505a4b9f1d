"""A server is tested for the profiles that its policy lists, and for what was asked for by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from conformance.requirements import load
from conformance.run import RunSettings
from conformance.wire import TargetOptions

CORE_ONLY = f"{sys.executable} -c 'from reference_server.cli import main; main()' serve --profiles core"


def run(*arguments: str, cwd: Path) -> tuple[int, str, dict[str, Any]]:
    command = [sys.executable, "-c", "from conformance.cli import main; main()", "run", "--launch", CORE_ONLY]
    result = subprocess.run([*command, *arguments], cwd=cwd, capture_output=True, text=True, timeout=110, check=False)
    report = json.loads((cwd / "conformance-report" / "report.json").read_text())
    return result.returncode, " ".join((result.stdout + result.stderr).split()), report


def settings(*profiles: str) -> RunSettings:
    return RunSettings.checked(load(), target=TargetOptions(launch="server"), profiles=profiles)


def test_profiles_that_are_not_listed_fall_away() -> None:
    assert settings().narrowed_to(["core", "wishlist", "of-the-future"]).profiles == ("core", "wishlist")


def test_core_stays_whatever_is_listed() -> None:
    assert settings().narrowed_to([]).profiles == ("core",)


def test_profiles_that_were_asked_for_stay() -> None:
    assert settings("core", "watch").narrowed_to(["core"]).profiles == ("core", "watch")


def test_a_server_is_not_tested_for_what_it_does_not_list(tmp_path: Path) -> None:
    code, said, report = run("--only", "policy/*", "--only", "wishlist/*", cwd=tmp_path)
    assert code == 5, said  # a selection is never green
    assert [profile["name"] for profile in report["profiles"]] == ["core"]
    assert "wishlist" in report["unlistedProfiles"]
    assert report["findings"] == []
    assert "so not tested: streaming" in said


def test_a_profile_asked_for_and_not_listed_is_a_violation(tmp_path: Path) -> None:
    code, said, report = run("--profile", "core", "--profile", "wishlist", "--only", "policy/*", cwd=tmp_path)
    assert code == 1, said
    assert [finding["slug"] for finding in report["findings"]] == ["policy/profiles"]
