from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import sample_reports
from cartsync.conformance.v1 import report_pb2

from conformance import reports
from conformance.reports import ReportFormatError, from_json, to_json, write_all


@pytest.mark.parametrize(
    "sample",
    [sample_reports.certified, sample_reports.violated, sample_reports.unreachable, sample_reports.hostile],
    ids=lambda sample: str(sample.__name__),
)
def test_a_report_comes_back_from_json_as_it_was(sample: Callable[[], report_pb2.Report]) -> None:
    report = sample()
    assert from_json(to_json(report)) == report
    assert from_json(to_json(report).encode()) == report


def test_json_writes_zeros_and_empty_lists_and_names_enums() -> None:
    plain = json.loads(to_json(sample_reports.unreachable()))
    assert plain["findings"] == []
    assert plain["verdict"] == "RUN_VERDICT_UNREACHABLE"
    assert plain["exitCode"] == 3
    assert plain["target"]["launched"] is False


def test_fields_of_a_newer_suite_are_ignored() -> None:
    plain = json.loads(to_json(sample_reports.certified()))
    plain["moonPhase"] = "full"
    assert from_json(json.dumps(plain)) == sample_reports.certified()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"verdict": 2, "profiles": 7}', b"\xff\xfe", "[" * 100_000])
def test_what_is_no_report_is_refused_with_a_way_out(text: str | bytes) -> None:
    with pytest.raises(ReportFormatError, match=r"not a conformance report: .*report\.json that a run wrote"):
        from_json(text)


@pytest.mark.parametrize("text", ["{}", '{"name": "something else"}', '{"verdict": "RUN_VERDICT_SUBLIME"}'])
def test_json_without_a_verdict_is_refused_by_field(text: str) -> None:
    with pytest.raises(ReportFormatError, match="'verdict' is missing or unknown"):
        from_json(text)


def test_all_files_are_written_into_a_folder_that_was_not_there(tmp_path: Path) -> None:
    paths = write_all(sample_reports.violated(), tmp_path / "new" / "folder")
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "badge.svg",
        "junit.xml",
        "report.html",
        "report.json",
        "summary.md",
    ]
    assert from_json(paths.json.read_bytes()) == sample_reports.violated()
    assert paths.html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert paths.junit.read_text(encoding="utf-8").startswith("<?xml")


def test_files_of_an_earlier_run_are_replaced_and_others_kept(tmp_path: Path) -> None:
    (tmp_path / "failures").mkdir()
    (tmp_path / "failures" / "one.json").write_text("{}")
    write_all(sample_reports.violated(), tmp_path)
    paths = write_all(sample_reports.certified(), tmp_path)
    assert from_json(paths.json.read_bytes()).verdict == report_pb2.RUN_VERDICT_CERTIFIED
    assert (tmp_path / "failures" / "one.json").exists()
    assert len(list(tmp_path.iterdir())) == 6


def test_a_report_that_cannot_be_rendered_leaves_the_earlier_files_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_all(sample_reports.certified(), tmp_path)

    def fail(report: report_pb2.Report) -> str:
        raise RuntimeError(report.summary)

    monkeypatch.setattr(reports, "to_html", fail)
    with pytest.raises(RuntimeError):
        write_all(sample_reports.violated(), tmp_path)
    assert from_json(paths.json.read_bytes()) == sample_reports.certified()
    assert len(list(tmp_path.iterdir())) == 5


def test_a_file_that_cannot_be_put_in_place_leaves_no_rest(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(OSError, match=r"report\.json"):
        write_all(sample_reports.certified(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_the_files_are_as_readable_as_any_other(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("")
    paths = write_all(sample_reports.certified(), tmp_path)
    assert stat.S_IMODE(paths.html.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
