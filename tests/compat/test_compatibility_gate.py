"""The gate that holds the working copy to what was released: what it catches, and what it lets grow."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance import SPEC_VERSION
from tools.release.__main__ import main
from tools.release.archive import compare, read
from tools.release.compatibility import breaches, notes
from tools.release.contract import Contract, ContractFormatError, contract_of, vector_digests

ROOT = Path(__file__).resolve().parents[2]
FIRST = ROOT / "compat" / "1.0-draft.1"
OPERATION = Path("proto/cartsync/v1/operation.proto")
REASON = Path("proto/cartsync/v1/reason.proto")
DECIDING = Path("docs/spec/03-deciding.md")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of all that the gate looks at, free to be broken."""
    for folder in ("proto", "compat"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copytree(ROOT / "docs/spec", tmp_path / "docs/spec", ignore=shutil.ignore_patterns("*.binpb", "model"))
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def broken(tree: Path) -> str:
    return "\n".join(compare(tree, SPEC_VERSION).broken)


def test_this_tree_keeps_what_was_released() -> None:
    found = compare(ROOT, SPEC_VERSION)
    assert "1.0-draft.1" in found.editions
    assert found.broken == ()


FROZEN = {
    "1.0-draft.1/contract.json": "384b6cb5e0b3b4af141ec414824ff4735ac9cdcccd4c4a646ce45a167d73014c",
    "1.0-draft.1/descriptors.binpb": "2468b5a7082f4df91c48619dc27146194a2667909b1de6b0a0f3feb81b3adeba",
}


def test_what_was_released_is_still_the_same_byte_for_byte() -> None:
    for name, digest in FROZEN.items():
        assert hashlib.sha256((ROOT / "compat" / name).read_bytes()).hexdigest() == digest, name


def test_the_first_edition_is_frozen_with_all_its_requirements_and_policies() -> None:
    first = read(FIRST)
    profiles = [requirement.profile for requirement in first.requirements]
    assert (len(profiles), profiles.count("core"), profiles.count("streaming")) == (135, 124, 11)
    assert first.options["cartsync.v1.Reason.REASON_MALFORMED"] == {
        "cartsync.v1.reason_policy": {
            "state": "OUTCOME_STATE_REJECTED",
            "disposition": "DISPOSITION_TERMINAL",
            "recorded": True,
        }
    }
    assert len(first.options) == 25


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  int64 sequence = 2;", "  int64 place = 2;", "sequence"),
        ("  int64 sequence = 2;", "  int64 sequence = 77;", "sequence"),
        ("  int64 sequence = 2;", "  string sequence = 2;", "sequence"),
        ("  int64 sequence = 2;", "  reserved 2;", "sequence"),
        ("  optional int64 unless_changed_since = 5;", "  int64 unless_changed_since = 5;", "unless_changed_since"),
        ("message SessionContext {", "message Surroundings {", "SessionContext"),
    ],
    ids=["renamed", "renumbered", "retyped", "removed", "without presence", "message renamed"],
)
def test_a_message_that_changes_is_caught(tree: Path, old: str, new: str, told: str) -> None:
    edit(tree / OPERATION, old, new)
    if told == "SessionContext":
        edit(tree / OPERATION, "  SessionContext session_context", "  Surroundings session_context")
    assert told in broken(tree)
    assert str(OPERATION) in broken(tree)


def test_a_method_that_goes_is_caught(tree: Path) -> None:
    edit(tree / "proto/cartsync/v1/service.proto", "rpc LookupOutcomes(", "rpc FindOutcomes(")
    assert "LookupOutcomes" in broken(tree)


def test_messages_may_grow(tree: Path) -> None:
    edit(
        tree / OPERATION,
        "message SessionContext {",
        "// New.\nmessage Later {}\n\nmessage SessionContext {\n  // New.\n  string later = 99;\n\n",
    )
    assert broken(tree) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("disposition: DISPOSITION_TERMINAL", "disposition: DISPOSITION_RETRY"),
        ("state: OUTCOME_STATE_CONFLICT", "state: OUTCOME_STATE_REJECTED"),
        ("recorded: false", "recorded: true"),
    ],
)
def test_a_reason_whose_policy_changes_is_caught_although_buf_sees_nothing(tree: Path, old: str, new: str) -> None:
    edit(tree / REASON, old, new)
    (told,) = compare(tree, SPEC_VERSION).broken
    assert "reason_policy of REASON_" in told
    assert old.rpartition(" ")[2] in told
    assert new.rpartition(" ")[2] in told
    assert "put it back" in told


def test_a_reason_that_loses_its_policy_is_caught(tree: Path) -> None:
    policy = """ [(reason_policy) = {
    state: OUTCOME_STATE_CONFLICT
    disposition: DISPOSITION_RETRY_AFTER_ACTION
    recorded: false
  }]"""
    edit(tree / REASON, f"REASON_QUEUE_DIVERGED = 3{policy}", "REASON_QUEUE_DIVERGED = 3")
    (told,) = compare(tree, SPEC_VERSION).broken
    assert "REASON_QUEUE_DIVERGED has no reason_policy any more" in told


def test_a_reason_that_goes_is_caught_twice(tree: Path) -> None:
    edit(tree / REASON, "REASON_QUEUE_DIVERGED = 3", "REASON_QUEUE_FORKED = 3")
    assert "REASON_QUEUE_DIVERGED has no reason_policy any more" in broken(tree)
    assert "renamed" in broken(tree) or "deleted" in broken(tree) or "changed name" in broken(tree)


def test_a_reason_may_be_added(tree: Path) -> None:
    edit(
        tree / REASON,
        "  // The catalogue has no such SKU.",
        """  // New.
  REASON_LATER = 9999 [(reason_policy) = {
    state: OUTCOME_STATE_REJECTED
    disposition: DISPOSITION_TERMINAL
    recorded: true
  }];

  // The catalogue has no such SKU.""",
    )
    assert broken(tree) == ""


def test_a_policy_may_say_more_than_it_did() -> None:
    first = read(FIRST)
    more = {
        name: {option: {**value, "audience": "SHOPPER"} for option, value in options.items()}
        for name, options in first.options.items()
    }
    assert breaches(first, replace(first, options=more)) == []


def test_a_requirement_that_goes_is_caught(tree: Path) -> None:
    edit(tree / DECIDING, "- **deciding/gap-deferred**", "- **deciding/gap-postponed**")
    (told,) = compare(tree, SPEC_VERSION).broken
    assert "requirement deciding/gap-deferred is gone from the spec" in told
    assert "docs/spec/03-deciding.md" in told


def test_a_requirement_that_becomes_harder_is_caught(tree: Path) -> None:
    edit(tree / "docs/spec/07-sync-stream.md", "**sync/superseded** (SHOULD,", "**sync/superseded** (MUST,")
    (told,) = compare(tree, SPEC_VERSION).broken
    assert "requirement sync/superseded was SHOULD and is MUST" in told
    assert "a slug of its own" in told


def test_a_requirement_that_changes_its_profile_is_caught(tree: Path) -> None:
    edit(tree / "docs/spec/07-sync-stream.md", "**sync/welcome** (MUST, streaming)", "**sync/welcome** (MUST, core)")
    (told,) = compare(tree, SPEC_VERSION).broken
    assert "requirement sync/welcome was of profile streaming and is of core" in told


def test_a_softer_or_reworded_requirement_is_noted_and_passes(tree: Path) -> None:
    first = read(FIRST)
    edit(
        tree / DECIDING, "**deciding/gap-deferred** (MUST, core): A server", "**deciding/gap-deferred** (MAY, core): It"
    )
    found = compare(tree, SPEC_VERSION)
    assert found.broken == ()
    assert "requirement deciding/gap-deferred was MUST and is MAY" in found.noted
    assert f"requirement deciding/gap-deferred is put otherwise than in {first.edition}" in found.noted
    assert notes(first, first) == []


def test_requirements_may_be_added(tree: Path) -> None:
    with (tree / DECIDING).open("a", encoding="utf-8") as chapter:
        chapter.write("\n- **deciding/later** (MUST, core): A server MUST do more.\n")
    assert broken(tree) == ""


def vector(**changes: Any) -> dict[str, Any]:
    return {"title": "A first add", "shows": "how", "exchange": [{"note": "first", "binary": "0a01"}], **changes}


@pytest.fixture
def released_vector(tree: Path) -> Path:
    """A worked example that the last edition froze."""
    folder = tree / "docs/spec/vectors"
    folder.mkdir(exist_ok=True)
    example = folder / "made-for-this-test.json"
    example.write_text(json.dumps(vector()), encoding="utf-8")
    contract = tree / "compat" / "1.0-draft.1" / "contract.json"
    content = json.loads(contract.read_text(encoding="utf-8"))
    content["vectors"] = {example.stem: vector_digests(folder)[example.stem]}
    contract.write_text(json.dumps(content), encoding="utf-8")
    assert broken(tree) == ""
    return example


def test_a_worked_example_that_goes_is_caught(tree: Path, released_vector: Path) -> None:
    released_vector.unlink()
    assert f"worked example {released_vector.stem} is gone" in broken(tree)


def test_a_worked_example_with_other_bytes_is_caught(tree: Path, released_vector: Path) -> None:
    released_vector.write_text(json.dumps(vector(exchange=[{"note": "first", "binary": "0a02"}])), encoding="utf-8")
    assert f"worked example {released_vector.stem} is another one on the wire" in broken(tree)


def test_a_worked_example_may_be_explained_better(tree: Path, released_vector: Path) -> None:
    better = vector(title="The first add", shows="how, and why", exchange=[{"note": "the first", "binary": "0a01"}])
    released_vector.write_text(json.dumps(better), encoding="utf-8")
    assert broken(tree) == ""


def test_another_major_version_is_free() -> None:
    first = read(FIRST)
    assert breaches(first, Contract("2.0-draft.1", {}, (), {})) == []
    assert len(breaches(first, Contract("1.7", {}, (), {}))) == 25 + 135


def test_the_command_names_what_changed_and_the_way_out(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(tree / REASON, "disposition: DISPOSITION_TERMINAL", "disposition: DISPOSITION_RETRY")
    assert main(["check", "--root", str(tree)]) == 1
    told = capsys.readouterr().err
    assert "1.0-draft.1 promised otherwise: reason_policy of REASON_OUTCOME_PURGED" in told
    assert "does not keep what was released: 1 change(s) above" in told
    assert "Traceback" not in told


def test_a_protocol_that_does_not_build_is_said_so(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(tree / OPERATION, "message AddItem {", "message {")
    assert main(["check", "--root", str(tree)]) == 2
    assert "operation.proto" in capsys.readouterr().err


def test_a_damaged_contract_is_said_so(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract = tree / "compat" / "1.0-draft.1" / "contract.json"
    contract.write_text("{}", encoding="utf-8")
    assert main(["check", "--root", str(tree)]) == 2
    assert "take it from git again" in capsys.readouterr().err
    with pytest.raises(ContractFormatError, match="not 'cartsync-contract/1'"):
        Contract.from_json('{"format": "other"}', "a file")


def test_the_working_copy_is_frozen_as_the_next_edition(tree: Path) -> None:
    assert main(["freeze", "--root", str(tree), "--edition", "1.0-draft.9"]) == 0
    frozen = read(tree / "compat" / "1.0-draft.9")
    assert frozen == contract_of(tree, "1.0-draft.9")
    edit(tree / OPERATION, "message SessionContext {", "message SessionContext {\n  // New.\n  string later = 99;\n\n")
    assert main(["freeze", "--root", str(tree), "--edition", "1.0"]) == 0
    edit(tree / OPERATION, "string later = 99;", "string later = 98;")
    assert "later" in broken(tree), "a field of the edition released last is held to"


@pytest.mark.parametrize(
    ("edition", "told"),
    [
        ("1.0-draft.1", "released and frozen"),
        ("0.9", "no edition"),
        ("1.0-draft.0", "no edition"),
        ("newest", "no edition"),
    ],
)
def test_an_edition_that_cannot_be_frozen_is_refused(
    tree: Path, capsys: pytest.CaptureFixture[str], edition: str, told: str
) -> None:
    assert main(["freeze", "--root", str(tree), "--edition", edition]) == 2
    assert told in capsys.readouterr().err


def test_an_edition_older_than_the_last_is_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["freeze", "--root", str(tree), "--edition", "1.1"]) == 0
    assert main(["freeze", "--root", str(tree), "--edition", "1.0"]) == 2
    assert "older than 1.1" in capsys.readouterr().err


def test_a_tree_that_breaks_what_was_released_is_not_frozen(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(tree / DECIDING, "- **deciding/gap-deferred**", "- **deciding/gap-postponed**")
    assert main(["freeze", "--root", str(tree), "--edition", "1.0-draft.9"]) == 2
    assert "deciding/gap-deferred is gone" in capsys.readouterr().err
    assert not (tree / "compat" / "1.0-draft.9").exists()
