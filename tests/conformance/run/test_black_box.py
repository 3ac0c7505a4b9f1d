"""A server without a control service is tested by what a fixtures file says: partly, and never green."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SERVE = f"{sys.executable} -c 'from reference_server.cli import main; main()' serve"
CATALOG = """sku,currency,unit_price_minor,listed,available_quantity
TEA,GBP,425,true,
MUG,GBP,339,true,
FEW,GBP,850,true,3
"""
PRODUCTS = """
[[products]]
role = "in_stock"
sku = "TEA"
price = 425
currency = "GBP"

[[products]]
role = "in_stock"
sku = "MUG"
price = 339
currency = "GBP"

[[products]]
role = "low_stock"
sku = "FEW"
price = 850
currency = "GBP"
available = 3
"""
NEW_CUSTOMER = [sys.executable, "-c", "import uuid; print('dev:' + str(uuid.uuid4()))"]
FRESH = f"credential_command = {json.dumps(NEW_CUSTOMER)}\n"
TOKENS = {"SHOP_TOKEN_1": "dev:ann", "SHOP_TOKEN_2": "dev:bob"}
LISTED = '[[accounts]]\ntoken_env = "SHOP_TOKEN_1"\n[[accounts]]\ntoken_env = "SHOP_TOKEN_2"\n'
SOME = ("test_duplicates*", "test_order*", "*fuzzed_dup*", "*fuzzed_str*", "test_identity*", "wishlist/add")


def run(folder: Path, launch: str, who: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, report and output of a black-box run against a server that the suite launches."""
    (folder / "catalog.csv").write_text(CATALOG, encoding="utf-8")
    (folder / "fixtures.toml").write_text(who + PRODUCTS, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARTSYNC_")}
    environment |= {"CARTSYNC_CATALOG": str(folder / "catalog.csv"), **TOKENS}
    only = [word for pattern in SOME for word in ("--only", pattern)]
    settings = ["--launch", launch, "--fixtures", "fixtures.toml", "--budget", "fast", "--seed", "1"]
    done = subprocess.run(
        [sys.executable, "-c", "from conformance.cli import main; main()", "run", *settings, *only, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    report: dict[str, Any] = json.loads((folder / "conformance-report" / "report.json").read_text(encoding="utf-8"))
    return done.returncode, report, done.stdout + done.stderr


def passed(report: dict[str, Any]) -> set[str]:
    return {result["slug"] for result in report["requirements"] if result["verdict"] == "VERDICT_PASSED"}


@pytest.mark.parametrize("who", [FRESH, LISTED], ids=["fresh accounts", "listed accounts"])
def test_a_right_server_is_partial_with_no_control_service(tmp_path: Path, who: str) -> None:
    code, report, output = run(tmp_path, SERVE, who)
    assert code == 5, output
    assert report["tier"] == "TIER_BLACK_BOX"
    assert report["findings"] == []
    assert passed(report) >= {"deciding/payload-mismatch", "deciding/gap-deferred", "identity/principal-isolation"}
    ran = {check["checkId"]: check["verdict"] for r in report["requirements"] for check in r["checks"]}
    for name in ("test_fuzzed_duplicates", "test_fuzzed_streams"):
        assert ran[f"test_fuzz.py::{name}"] == "VERDICT_PASSED"
    assert ("wishlist/add" in passed(report)) == (who is FRESH)
    assert "dev:ann" not in json.dumps(report)


def test_a_server_that_takes_any_payload_for_a_duplicate_is_caught_and_the_story_happens_every_time(
    tmp_path: Path,
) -> None:
    launch = f"{sys.executable} -m conformance.mutants no-payload-check-on-duplicates"
    code, report, output = run(tmp_path, launch, FRESH, "--reruns", "2")
    assert code == 1, output
    finding = next(f for f in report["findings"] if f["slug"] == "deciding/payload-mismatch")
    told = finding["reproduction"]
    assert (told["label"], told["attemptCount"], told["reproducedCount"]) == ("LABEL_DETERMINISTIC", 2, 2)
    file = json.loads((tmp_path / "conformance-report" / finding["replayFile"]).read_text(encoding="utf-8"))
    assert file["reproduction"] == {"label": "deterministic", "attempt_count": 2, "reproduced_count": 2}
    assert "Run again: every time (2 of 2)" in output


def test_what_is_known_of_a_server_is_told_and_does_not_fail_the_run(tmp_path: Path) -> None:
    launch = f"{sys.executable} -m conformance.mutants no-payload-check-on-duplicates"
    (tmp_path / "known.toml").write_text(
        '[[known]]\nrequirement = "deciding/payload-mismatch"\nreason = "in work"\nexpires = 2999-01-01\n'
        '[[known]]\nrequirement = "security/card-number-refused"\nreason = "by the same cause"\nexpires = 2999-01-01\n',
        encoding="utf-8",
    )
    code, report, output = run(tmp_path, launch, FRESH, "--reruns", "0", "--baseline", "known.toml")
    assert code == 5, output  # known, and partial
    assert {entry["slug"] for entry in report["baseline"]["known"]} >= {"deciding/payload-mismatch"}
    known = [f["known"]["reason"] for f in report["findings"] if f["slug"] == "deciding/payload-mismatch"]
    assert set(known) == {"in work"}


def test_fixtures_that_do_not_fit_the_server_are_said_to_be_wrong_before_anything_is_judged(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text(CATALOG.replace("425", "500"), encoding="utf-8")
    code, report, output = run(tmp_path, f"{SERVE} --catalog {tmp_path / 'other.csv'}", FRESH)
    assert code == 3, output
    assert "the fixtures file does not fit the server" in report["summary"]
    assert report["findings"] == []


def test_an_account_that_the_server_does_not_know_is_said_to_be_wrong(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"sha256${hashlib.sha256(b'x').hexdigest()} ann\n", encoding="utf-8")
    code, report, output = run(tmp_path, f"{SERVE} --auth tokens:{tmp_path / 'tokens'}", FRESH)
    assert code == 3, output
    assert "an account of the fixtures file" in report["summary"]
