"""What a run has kept is judged again without the server, by whatever judge is there then."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conformance.cli.main import main
from conformance.exceptions import UsageError
from conformance.mutants.trial import mutant_command, reference_command
from conformance.oracle.judging import Judge
from conformance.oracle.observations import ObservedAnswer
from conformance.oracle.values import Submission
from conformance.plans.writing import CARD_NUMBER
from conformance.rejudging import telling
from conformance.rejudging.histories import Reader, Writer
from conformance.rejudging.notebook import history_file
from conformance.rejudging.rejudge import rejudged
from conformance.requirements import load
from conformance.run import NoProgress, RunSettings
from conformance.run.execute import execute
from conformance.wire import TargetOptions


class Lenient(Judge):
    """A judge of an older suite, that did not look at answers."""

    def answered(self, submission: Submission, answer: ObservedAnswer, *, overlapping: bool = False) -> None:
        """Take it for lost, whatever it says."""
        del answer, overlapping
        self.processed(submission)


def run(folder: Path, launch: str, *checks: str) -> Path:
    """A run of some fuzzed checks; the history that it leaves."""
    settings = RunSettings.checked(
        load(), target=TargetOptions(launch=launch), budget="fast", seed=4, report_dir=folder, only=checks
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("PYTEST_XDIST_WORKER", raising=False)  # these tests may be shared out; the run in them is whole
        execute(load(), settings, NoProgress())
    return folder / "history.jsonl.gz"


@pytest.fixture(scope="module")
def of_the_reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checks = ("*fuzzed_duplicates*", "*fuzzed_claims*", "*fuzzed_payments*", "*fuzzed_races*")
    return run(tmp_path_factory.mktemp("reference"), reference_command(), *checks)


@pytest.fixture(scope="module")
def of_a_mutant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a suite kept whose judge did not look at answers."""
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(telling.RecordingJudge, "answered", _remembered_leniently)
        return run(tmp_path_factory.mktemp("mutant"), mutant_command("replayed-flag-missing"), "*fuzzed_duplicates*")


def _remembered_leniently(
    self: telling.RecordingJudge, submission: Submission, answer: ObservedAnswer, *, overlapping: bool = False
) -> None:
    self.tale.entries.append(("answered", (submission, answer), {"overlapping": overlapping}))
    Judge.processed(self, submission)


def test_the_history_of_the_reference_server_is_judged_again_with_nothing_against_it(of_the_reference: Path) -> None:
    results = list(rejudged(Reader.open(of_the_reference).plans()))
    assert len(results) > 8
    assert [result for result in results if result.requirement or result.not_again] == []
    done = CliRunner().invoke(main, ["rejudge", str(of_the_reference)])
    assert done.exit_code == 0
    assert f"{len(results)} plans judged again, nothing against it." in done.output
    assert "certifies nothing" in done.output


def test_a_newer_judge_finds_what_the_judge_of_the_run_passed_over(of_a_mutant: Path) -> None:
    reader = Reader.open(of_a_mutant)
    plans = list(reader.plans())
    assert not any(result.requirement for result in rejudged(plans, Lenient))
    found = [result for result in rejudged(plans) if result.requirement]
    assert {result.requirement for result in found} == {"deciding/replayed-flag"}
    assert all(result.is_new for result in found)
    done = CliRunner().invoke(main, ["rejudge", str(of_a_mutant), "--format", "json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["violations"][0]["requirement"] == "deciding/replayed-flag"


def test_what_the_run_found_is_found_again(tmp_path: Path) -> None:
    file = run(tmp_path, mutant_command("replayed-flag-missing"), "*fuzzed_duplicates*")
    results = list(rejudged(Reader.open(file).plans()))
    violated = [result for result in results if result.before]
    assert violated
    assert all(result.requirement == result.before for result in violated)
    done = CliRunner().invoke(main, ["rejudge", str(file)])
    assert done.exit_code == 1
    assert "deciding/replayed-flag (as before)" in done.output


def test_a_history_holds_no_card_number_and_no_claim_token(of_the_reference: Path) -> None:
    text = gzip.decompress(of_the_reference.read_bytes()).decode()
    assert CARD_NUMBER not in text
    assert CARD_NUMBER.replace(" ", "") not in text
    given = [
        arguments["token"]
        for line in text.splitlines()[1:]
        for name, arguments in json.loads(line)["told"]
        if name == "claim_token_given"
    ]
    assert given
    assert all(token.startswith("recorded-claim-token-") for token in given)


def test_a_plan_with_another_card_number_is_not_judged_again(of_the_reference: Path) -> None:
    plan = {**next(iter(Reader.open(of_the_reference).plans())), "lossy": True}
    (result,) = rejudged([plan])
    assert result.not_again
    assert not result.requirement


def test_a_file_that_breaks_off_is_read_up_to_there(of_the_reference: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.jsonl.gz").write_bytes(of_the_reference.read_bytes()[:-200])
    reader = Reader.open(tmp_path / "cut.jsonl.gz")
    whole = len(list(Reader.open(of_the_reference).plans()))
    assert 0 < len(list(reader.plans())) <= whole
    assert reader.breaks_off


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            b'{"format": "cartsync-history/9", "suite_version": "3.0"}\n',
            "is a cartsync-history/9, and this suite reads",
        ),
        (b'{"format": "other"}\n', "is no history"),
        (b"nothing of the kind\n", "a line of it is not JSON"),
        (b"[1]\n", "a line of it is no object"),
        (b"", "is no history"),
    ],
)
def test_what_is_no_history_of_a_known_version_is_a_usage_error(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "history.jsonl"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=problem):
        Reader.open(file)
    done = CliRunner().invoke(main, ["rejudge", str(file)])
    assert done.exit_code == 2
    assert problem in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ([["foreseen", {}]], "told[0] tells 'foreseen', which this suite does not know"),
        ([["lost", {"submission": {"queue": "q", "attempts": [], "colour": 1}}]], "has an unknown field 'colour'"),
        ([["lost", {"submission": {"queue": 7, "attempts": []}}]], "told[0].submission.queue is 7, not of type str"),
        ([["lost", {}]], "told[0] lacks an argument"),
        ([["lost"]], "told[0] is no name with arguments"),
        ("lost", "told"),
    ],
)
def test_what_this_suite_cannot_read_is_told_with_its_place(told: Sequence[Any], problem: str) -> None:
    (result,) = rejudged([{"check": "c", "limits": {}, "told": told}])
    assert problem in result.not_again or isinstance(told, str)
    assert result.not_again
    assert not result.requirement


def test_a_full_history_counts_what_it_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.rejudging.histories.MOST_BYTES", 200)
    writer = Writer(tmp_path / "h.gz")
    writer.begin({"seed": 1})
    plan: Mapping[str, Any] = {"check": "c" * 200, "limits": {}, "told": []}
    for _ in range(5):
        writer.plan(plan)
    writer.close()
    reader = Reader.open(tmp_path / "h.gz")
    kept = len(list(reader.plans()))
    assert 1 <= kept < 5
    assert reader.left_out_count == 5 - kept


def test_each_worker_of_a_parallel_run_has_a_file_of_its_own(tmp_path: Path) -> None:
    assert history_file(tmp_path, "").name == "history.jsonl.gz"
    assert history_file(tmp_path, "gw1").name == "history-gw1.jsonl.gz"
