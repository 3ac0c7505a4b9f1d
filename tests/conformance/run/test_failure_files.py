"""A new report does not stand beside the failures of an older one, and nobody else's files are touched."""

from __future__ import annotations

import json
from pathlib import Path

from conformance.run.failure_files import remove_earlier


def failure_in(folder: Path, name: str = "001-cart-add-adds.json", file_format: str = "cartsync-failure/1") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(json.dumps({"format": file_format}))
    return file


def test_failures_of_an_earlier_run_are_removed_whatever_their_version(tmp_path: Path) -> None:
    old = failure_in(tmp_path / "failures")
    older = failure_in(tmp_path / "failures", "002.json", "cartsync-failure/0")
    remove_earlier(tmp_path)
    assert not old.exists()
    assert not older.exists()


def test_files_that_are_no_failure_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "failures"
    others = [
        failure_in(folder, "other-format.json", "someone-else/1"),
        failure_in(folder, "notes.txt"),
        failure_in(folder / "inside"),
        failure_in(tmp_path),
    ]
    for name, content in (("list.json", b"[]"), ("broken.json", b'{"format": "cartsync-fail'), ("bytes.json", b"\xff")):
        (folder / name).write_bytes(content)
        others.append(folder / name)
    target = failure_in(tmp_path / "elsewhere")
    (folder / "link.json").symlink_to(target)
    (folder / "folder.json").mkdir()
    remove_earlier(tmp_path)
    assert all(file.exists() for file in (*others, target, folder / "link.json", folder / "folder.json"))


def test_a_report_without_failures_has_nothing_to_remove(tmp_path: Path) -> None:
    remove_earlier(tmp_path)
    remove_earlier(tmp_path / "not-there")
    assert list(tmp_path.iterdir()) == []


def test_replaying_clears_its_own_report_and_never_the_file_that_is_replayed(tmp_path: Path) -> None:
    replayed = failure_in(tmp_path / "failures")
    beside = failure_in(tmp_path / "failures", "002.json")
    old = failure_in(tmp_path / "replay" / "failures")
    remove_earlier(tmp_path / "replay", replayed=replayed)
    remove_earlier(tmp_path / "replay" / "..", replayed=replayed)
    assert not old.exists()
    assert replayed.exists()
    assert beside.exists()
