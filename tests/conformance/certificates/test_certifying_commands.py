"""`keygen`, `certify` and `verify` at the command line: files, exit codes, and no secret in anything they say."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cartsync.conformance.v1 import report_pb2
from certified_reports import as_file, certified
from click.testing import CliRunner, Result

from conformance.cli import main

PASSPHRASE = "open sesame"


def run(*arguments: str | Path, **environment: str) -> Result:
    clean = {"CARTSYNC_SIGN_PASSPHRASE": "", "CARTSYNC_SIGN_KEY": "", "CARTSYNC_PUBLIC_KEY": ""}
    return CliRunner(env=clean | environment).invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a key pair and the report of a run that ended just now."""
    monkeypatch.chdir(tmp_path)
    assert run("keygen", "acme").exit_code == 0
    report = certified()
    report.start_time.FromDatetime(datetime.now(UTC))
    report.ClearField("duration")
    (tmp_path / "report.json").write_bytes(as_file(report))
    return tmp_path


def test_from_a_key_to_a_certificate_that_is_good(folder: Path) -> None:
    signed = run("certify", "report.json", "--sign-key", "acme.key")
    assert signed.exit_code == 0, signed.output
    good = run(
        *("verify", "certificate.json", "--public-key", "acme.pub", "--report", "report.json"),
        *("--max-age", "90d", "--profile", "core", "--target-name", "acme-cart"),
    )
    assert good.exit_code == 0, good.output
    assert "Good: signed with the key given" in good.output
    assert "acme-cart 2.1" in good.output
    assert "core, streaming" in good.output


def test_the_key_may_come_as_text(folder: Path) -> None:
    run("certify", "report.json", "--sign-key", "acme.key", "--output", "other.json")
    text = (folder / "acme.pub").read_text()
    assert run("verify", "other.json", "--public-key-text", text).exit_code == 0
    assert run("verify", "other.json", CARTSYNC_PUBLIC_KEY=text).exit_code == 0


def test_a_private_key_is_for_its_owner_alone_and_never_written_over(folder: Path) -> None:
    before = (folder / "acme.key").read_bytes()
    assert stat.S_IMODE((folder / "acme.key").stat().st_mode) == 0o600
    again = run("keygen", "acme")
    assert again.exit_code == 2
    assert "never written over" in again.output
    (folder / "acme.pub").unlink()
    assert run("keygen", "acme").exit_code == 2
    assert (folder / "acme.key").read_bytes() == before
    assert not (folder / "acme.pub").exists()


def test_an_encrypted_key_is_opened_by_the_passphrase_in_the_environment_alone(folder: Path) -> None:
    assert run("keygen", "locked", CARTSYNC_SIGN_PASSPHRASE=PASSPHRASE).exit_code == 0
    refused = run("certify", "report.json", "--sign-key", "locked.key")
    assert refused.exit_code == 2
    assert "put it into CARTSYNC_SIGN_PASSPHRASE" in refused.output
    signed = run("certify", "report.json", "--sign-key", "locked.key", CARTSYNC_SIGN_PASSPHRASE=PASSPHRASE)
    assert signed.exit_code == 0
    assert PASSPHRASE not in refused.output + signed.output


def test_a_report_that_certifies_nothing_is_refused_with_exit_code_1(folder: Path) -> None:
    report = certified()
    report.verdict, report.exit_code = report_pb2.RUN_VERDICT_PARTIAL, 5
    (folder / "report.json").write_bytes(as_file(report))
    refused = run("certify", "report.json", "--sign-key", "acme.key")
    assert refused.exit_code == 1
    assert "only a report of RUN_VERDICT_CERTIFIED is a certificate" in refused.output
    assert not (folder / "certificate.json").exists()


def test_an_edited_certificate_and_a_stale_one_are_not_good(folder: Path) -> None:
    run("certify", "report.json", "--sign-key", "acme.key")
    stale = run("verify", "certificate.json", "--public-key", "acme.pub", "--max-age", "0h")
    edited = (folder / "certificate.json").read_bytes().replace(b"report+json", b"report+jsOn")
    (folder / "certificate.json").write_bytes(edited)
    broken = run("verify", "certificate.json", "--public-key", "acme.pub")
    assert (stale.exit_code, broken.exit_code) == (1, 1)
    assert "Not good: it is too old" in stale.output
    assert "Not good: it is no certificate" in broken.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["verify", "certificate.json"], "only a key that you trust can tell who signed"),
        (["verify", "certificate.json", "--public-key", "acme.key"], "give its public half"),
        (["verify", "missing.json", "--public-key", "acme.pub"], "missing.json cannot be read"),
        (["verify", "report.json", "--public-key", "acme.pub", "--max-age", "soon"], "for example 90d or 48h"),
        (["verify", "report.json", "--public-key", "acme.pub", "--profile", "x"], "the profiles are core"),
        (["verify", "report.json", "--public-key", "acme.pub", "--spec-version", "9"], "'9' is unknown"),
        (["certify", "report.json"], "--sign-key"),
        (["certify", "report.json", "--sign-key", "acme.pub"], "no private key in PEM"),
        (["certify", "missing.json", "--sign-key", "acme.key"], "missing.json cannot be read"),
        (["certify", "report.json", "--sign-key", "acme.key", "--output", "no/where.json"], "cannot be written"),
        (["keygen", "no/where"], "cannot be written"),
    ],
)
def test_a_call_that_means_nothing_is_a_usage_error(folder: Path, arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert "PRIVATE KEY" not in result.output
