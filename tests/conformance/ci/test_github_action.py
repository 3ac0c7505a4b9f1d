"""The composite action: its steps run as a runner runs them, and nothing that a server says commands the runner."""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

import click
import pytest
import yaml
from cartsync.conformance.v1 import report_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.ci import github
from conformance.cli import main
from conformance.exceptions import UsageError
from tools.action_check.__main__ import RIGHT, ROOT, WRONG, run_in
from tools.action_check.commands import CommandReader, file_values
from tools.action_check.runner import ActionError, load, run

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


def read(lines: str) -> CommandReader:
    """What a runner makes of these lines; it splits them wherever any system would."""
    reader = CommandReader()
    for line in re.split(r"\r\n|\r|\n", lines):
        reader.read(line)
    return reader


# The whole job.


def test_a_right_server_passes_with_a_summary_and_no_annotations(tmp_path: Path) -> None:
    job = run_in(tmp_path, {"launch": RIGHT, "profiles": "watch", "budget": "fast", "seed": "1"}, installed=True)
    assert not job.failed
    assert job.outputs == {"verdict": "certified", "exit-code": "0", "report-dir": "conformance-report"}
    assert job.annotations == []
    assert job.summary.startswith("# ✓ Certified: cartsync-reference-server")
    kept = job.artifacts / "cartsync-conformance-report"
    assert {"report.html", "report.json", "junit.xml", "summary.md", "badge.svg"} <= set(os.listdir(kept))
    assert "Decide" not in job.ran


def test_a_wrong_server_fails_the_job_with_an_annotation_and_keeps_the_report(tmp_path: Path) -> None:
    inputs = {"launch": WRONG, "only": "cart/add-adds", "budget": "fast", "artifact": "found", "report-dir": "out dir"}
    job = run_in(tmp_path, inputs, installed=True)
    assert job.failed
    assert job.exit_code == 1
    assert job.outputs == {"verdict": "violation", "exit-code": "1", "report-dir": "out dir"}
    (annotation,) = job.annotations
    assert (annotation.level, annotation.title) == ("error", "Cartsync: cart/add-adds")
    assert "An applied add MUST raise its line" in annotation.message
    assert "cartsync-conformance replay 'out dir/failures/001-cart-add-adds.json'" in annotation.message
    assert "### ✗ violation: `cart/add-adds`" in job.summary
    assert (job.artifacts / "found" / "failures" / "001-cart-add-adds.json").exists()
    assert job.ran[-2:] == ["Keep the report", "Decide"]


def test_a_call_that_means_nothing_fails_the_job_and_says_why(tmp_path: Path) -> None:
    job = run_in(tmp_path, {"target": "$(touch injected); '::set-env::", "fail-on": "never"}, installed=True)
    assert job.failed
    assert job.exit_code == 2
    assert job.outputs["verdict"] == "usage"
    assert [annotation.level for annotation in job.annotations] == ["error"]
    assert not list(tmp_path.rglob("injected"))
    assert job.reader.others == []


@pytest.mark.parametrize(("fail_on", "fails"), [("violation", False), ("partial", True)])
def test_a_partial_result_fails_the_job_unless_it_is_allowed_to(tmp_path: Path, fail_on: str, fails: bool) -> None:
    job = run_in(tmp_path, {"launch": RIGHT, "only": "policy/*", "fail-on": fail_on}, installed=True)
    assert job.outputs["verdict"] == "partial"
    assert job.failed == fails
    assert [annotation.level for annotation in job.annotations] == ["warning"]


def test_an_unknown_choice_of_what_fails_is_told_at_once(tmp_path: Path) -> None:
    job = run_in(tmp_path, {"launch": RIGHT, "fail-on": "sometimes"}, installed=True)
    assert job.failed
    assert job.exit_code == 2
    assert "choose one of partial, violation, never" in job.annotations[0].message


# What stands in action.yml.


def test_every_input_reaches_the_suite_by_an_environment_variable_of_its_own() -> None:
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "suite"]
    handed_on = {name: value for name, value in step["env"].items() if name.startswith(github.PREFIX)}
    assert handed_on == {
        github.PREFIX + name.upper().replace("-", "_"): f"${{{{ inputs.{name} }}}}" for name in github.INPUTS
    }
    assert set(ACTION["inputs"]) == {*github.INPUTS, "artifact", "python-version"}


def test_every_option_that_the_action_hands_on_is_one_of_the_command_run() -> None:
    assert isinstance(main, click.Group)
    known = {option for parameter in main.commands["run"].params for option in parameter.opts}
    given = github.Inputs.of({github.PREFIX + name.upper().replace("-", "_"): "x" for name in github.INPUTS[:-1]})
    used = {word.partition("=")[0] for word in given.arguments()[1:]}
    assert used <= known


def test_no_script_of_the_action_holds_an_expression(tmp_path: Path) -> None:
    load(ROOT / "action.yml")
    bad = ROOT.joinpath("action.yml").read_text(encoding="utf-8").replace("-P -m", "${{ inputs.only }} -P -m")
    (tmp_path / "action.yml").write_text(bad, encoding="utf-8")
    with pytest.raises(ActionError, match="holds an expression"):
        load(tmp_path / "action.yml")


def test_an_action_that_is_not_pinned_to_a_commit_is_refused(tmp_path: Path) -> None:
    loose = re.sub(r"@[0-9a-f]{40} # v5\.6\.0", "@v5", (ROOT / "action.yml").read_text(encoding="utf-8"))
    (tmp_path / "action.yml").write_text(loose, encoding="utf-8")
    with pytest.raises(ActionError, match="setup-python is not pinned"):
        run(tmp_path / "action.yml", {}, workspace=tmp_path, temp=tmp_path, environment={})


def test_the_action_installs_what_the_project_is_tested_with() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))

    action, project = pins("ci/requirements.lock"), pins("requirements.lock")
    assert {name: version for name, version in action.items() if project.get(name) != version} == {}
    assert {"grpcio", "cryptography", "hatchling", "grpcio-tools"} <= set(action)


# Inputs.


def inputs(**values: str) -> github.Inputs:
    return github.Inputs.of({github.PREFIX + name.upper(): value for name, value in values.items()})


def test_each_input_becomes_its_option_and_what_is_empty_none() -> None:
    given = inputs(
        launch="srv --listen {listen}", profiles="core, streaming\nwatch", seed="7", minutes="", baseline="b"
    )
    assert given.arguments() == [
        "run",
        "--launch=srv --listen {listen}",
        "--baseline=b",
        "--seed=7",
        "--profile=core",
        "--profile=streaming",
        "--profile=watch",
    ]


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60))
def test_whatever_a_value_holds_it_stays_one_argument(value: str) -> None:
    words = inputs(launch=value, target=value).arguments()
    assert len(words) == 1 + 2 * bool(value.strip())
    assert all(word.startswith(("run", "--launch=", "--target=")) for word in words)


def test_patterns_that_cannot_be_split_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"only .* cannot be split into words"):
        inputs(only="'unfinished").arguments()


def test_the_suite_is_not_given_what_belongs_to_the_runner() -> None:
    environment = {
        "GITHUB_OUTPUT": "f",
        "GITHUB_TOKEN": "t",
        "ACTIONS_RUNTIME_TOKEN": "t",
        "CARTSYNC_ACTION_ONLY": "x",
        "CARTSYNC_CONTROL_SECRET": "s",
        "PATH": "/bin",
    }
    assert github.environment_for_suite(environment, "/suite/bin") == {
        "CARTSYNC_CONTROL_SECRET": "s",
        "PATH": f"/bin{os.pathsep}/suite/bin",
    }


# Annotations.

TEXT = st.text(st.sampled_from("::error set-output name=[]##%0A\r\n,;x\u2028"), max_size=60)


@settings(deadline=None)
@given(TEXT, TEXT)
def test_an_annotation_is_one_command_and_says_what_it_was_given(title: str, message: str) -> None:
    reader = read(github.annotation("error", title, message))
    assert reader.others == []
    (annotation,) = reader.annotations
    assert annotation.message == message


@settings(deadline=None)
@given(TEXT)
def test_nothing_that_the_suite_prints_is_a_command(printed: str) -> None:
    token = secrets.token_hex(16)
    reader = read(f"{github.stop_commands(token)}\n{printed}\n{github.resume_commands(token)}\n::notice::after")
    assert [annotation.message for annotation in reader.annotations] == ["after"]
    assert reader.others == []


@settings(deadline=None)
@given(TEXT)
def test_no_finding_of_a_server_becomes_more_than_its_annotation(text: str) -> None:
    report = report_pb2.Report(verdict=report_pb2.RUN_VERDICT_VIOLATION)
    report.findings.add(slug=text, verdict=report_pb2.VERDICT_VIOLATION, summary=text, expected=text, observed=text)
    report.baseline.faults.add(entry=report_pb2.KnownFailure(slug=text, reason=text))
    reader = read("\n".join(github.annotations_of(report)))
    assert len(reader.annotations) == 2
    assert reader.others == []


def test_known_failures_are_notices_and_warnings_are_warnings() -> None:
    report = report_pb2.Report(verdict=report_pb2.RUN_VERDICT_AS_BASELINE)
    report.findings.add(slug="a/b", verdict=report_pb2.VERDICT_VIOLATION).known.reason = "later"
    report.findings.add(slug="c/d", verdict=report_pb2.VERDICT_WARNING)
    told = read("\n".join(github.annotations_of(report))).annotations
    assert [(annotation.level, annotation.title) for annotation in told] == [
        ("notice", "Cartsync: a/b"),
        ("warning", "Cartsync: c/d"),
    ]
    assert "Known: later" in told[0].message


def test_a_run_that_was_never_judged_has_one_annotation_with_the_reason() -> None:
    report = report_pb2.Report(verdict=report_pb2.RUN_VERDICT_UNREACHABLE, summary="nothing listens\r\n::add-mask::x")
    reader = read("\n".join(github.annotations_of(report)))
    assert [annotation.level for annotation in reader.annotations] == ["error"]
    assert reader.others == []


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=60))
def test_an_output_comes_back_as_it_was(value: str) -> None:
    written = github.output("report-dir", value, "cartsync-1f2e") + github.output("fail", "true", "cartsync-1f2e")
    assert file_values(written) == {"report-dir": value, "fail": "true"}


# What a run comes to.


@pytest.mark.parametrize(
    ("code", "verdict", "outcome", "fails"),
    [
        (0, report_pb2.RUN_VERDICT_CERTIFIED, ("certified", 0), (False, False)),
        (0, report_pb2.RUN_VERDICT_AS_BASELINE, ("as-baseline", 0), (False, False)),
        (0, None, ("suite-error", 4), (True, True)),
        (0, report_pb2.RUN_VERDICT_PARTIAL, ("suite-error", 4), (True, True)),
        (1, report_pb2.RUN_VERDICT_VIOLATION, ("violation", 1), (True, True)),
        (2, None, ("usage", 2), (True, True)),
        (3, report_pb2.RUN_VERDICT_UNREACHABLE, ("unreachable", 3), (True, True)),
        (5, report_pb2.RUN_VERDICT_PARTIAL, ("partial", 5), (True, False)),
        (130, report_pb2.RUN_VERDICT_PARTIAL, ("interrupted", 130), (True, True)),
        (-9, None, ("suite-error", 4), (True, True)),
    ],
)
def test_an_exit_code_and_a_report_come_to_an_outcome(
    code: int,
    verdict: report_pb2.RunVerdict.ValueType | None,
    outcome: tuple[str, int],
    fails: tuple[bool, bool],
) -> None:
    report = None if verdict is None else report_pb2.Report(verdict=verdict)
    assert github.outcome(code, report) == outcome
    assert (github.fails("partial", outcome[0]), github.fails("violation", outcome[0])) == fails
    assert github.fails("never", outcome[0]) == (outcome[0] == "usage")


def test_this_python_is_the_one_that_the_steps_use() -> None:
    assert sys.executable in WRONG
