"""The commands `keygen`, `certify` and `verify`: files and words around `conformance.certificates`."""

from __future__ import annotations

import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.exceptions import UsageError

if TYPE_CHECKING:
    from conformance.certificates import Certificate
    from conformance.certificates.keys import PublicKey

_FILE = click.Path(dir_okay=False, path_type=Path)
_SPAN = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[dh])")


@click.command(epilog="Exit codes: 0 made · 2 usage, or a file is in the way.")
@click.argument("name", default="cartsync-signing")
def keygen(name: str) -> None:
    """Make an Ed25519 key pair: NAME.key signs and stays with you, NAME.pub goes to whoever verifies.

    The private key is encrypted when CARTSYNC_SIGN_PASSPHRASE is set. Nothing that exists is written over.
    """
    from conformance.certificates.keys import PASSPHRASE_VARIABLE, new_private_key

    key = new_private_key()
    private, public = Path(f"{name}.key"), Path(f"{name}.pub")
    passphrase = os.environ.get(PASSPHRASE_VARIABLE, "")
    if public.exists():
        raise UsageError(f"{public} is there already, and keys are never written over: choose another NAME")
    _write_new(private, key.pem(passphrase), 0o600)
    try:
        _write_new(public, key.public.pem(), 0o644)
    except UsageError:
        private.unlink()
        raise
    locked = "encrypted" if passphrase else f"not encrypted: set {PASSPHRASE_VARIABLE} to have it so"
    click.echo(f"{private}  private key, {locked}; keep it secret\n{public}  public key, to be handed out")
    click.echo(f"key {key.public.key_id}")


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already, and keys are never written over: choose another NAME") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error


@click.command(epilog="Exit codes: 0 signed · 1 the report certifies nothing · 2 usage.")
@click.argument("report", type=_FILE)
@click.option("--sign-key", required=True, type=_FILE, envvar="CARTSYNC_SIGN_KEY", help="The private key, in PEM.")
@click.option("--output", type=_FILE, default=None, help="[default: certificate.json beside the report]")
def certify(report: Path, sign_key: Path, output: Path | None) -> None:
    """Sign REPORT (a report.json), if it certifies a server.

    The passphrase of the key, where it has one, comes from CARTSYNC_SIGN_PASSPHRASE.
    """
    from conformance.certificates import RefusedError
    from conformance.certificates import certify as sign
    from conformance.certificates.keys import PASSPHRASE_VARIABLE, KeyFormatError, private_key_of

    try:
        key = private_key_of(_read(sign_key, "--sign-key"), os.environ.get(PASSPHRASE_VARIABLE, ""))
    except KeyFormatError as error:
        raise UsageError(f"--sign-key {sign_key} cannot be used: {error}") from error
    if stat.S_IMODE(sign_key.stat().st_mode) & 0o077:
        click.echo(f"Note: others on this machine may read {sign_key}; chmod 600 keeps it yours.", err=True)
    try:
        certificate = sign(_read(report, "REPORT"), key)
    except RefusedError as error:
        click.echo(f"{report}: {error}.", err=True)
        raise SystemExit(1) from error
    target = output or report.with_name("certificate.json")
    try:
        target.write_bytes(certificate)
    except OSError as error:
        raise UsageError(f"--output {target} cannot be written: {error.strerror or error}") from error
    click.echo(f"{target}  signed with key {key.public.key_id}")


@click.command(epilog="Exit codes: 0 good · 1 not good · 2 usage.")
@click.argument("certificate", type=_FILE)
@click.option("--public-key", type=_FILE, default=None, help="The public key of whoever signed, in PEM.")
@click.option("--public-key-text", default="", metavar="PEM", envvar="CARTSYNC_PUBLIC_KEY", help="The key itself.")
@click.option("--report", type=_FILE, default=None, help="The report.json handed round with it: is it the signed one?")
@click.option("--max-age", default="", metavar="90d", help="How old the run may be, in days (90d) or hours (48h).")
@click.option("--spec-version", default="", metavar="NAME", help="The edition of the spec that must have decided.")
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Must be certified; repeat for several.")
@click.option("--target-name", default="", metavar="NAME", help="What the server must call itself.")
def verify(
    certificate: Path,
    public_key: Path | None,
    public_key_text: str,
    report: Path | None,
    max_age: str,
    spec_version: str,
    profiles: tuple[str, ...],
    target_name: str,
) -> None:
    """See that CERTIFICATE is genuine, whole and fresh, and say what it certifies."""
    from conformance.certificates import Demands, NotGoodError
    from conformance.certificates import verify as see
    from conformance.requirements import load
    from conformance.requirements.editions import known_editions

    key = _public_key(public_key, public_key_text)
    if unknown := [name for name in profiles if name not in load().profiles]:
        raise UsageError(f"--profile {unknown[0]!r} is unknown; the profiles are {', '.join(load().profiles)}")
    if spec_version and spec_version not in known_editions():
        raise UsageError(f"--spec-version {spec_version!r} is unknown; there are {', '.join(known_editions())}")
    demands = Demands(_length(max_age), spec_version, profiles, target_name)
    beside = None if report is None else _read(report, "--report")
    try:
        good = see(_read(certificate, "CERTIFICATE"), key, now=datetime.now(UTC), demands=demands, report_beside=beside)
    except NotGoodError as error:
        click.echo(f"Not good: {error}.", err=True)
        raise SystemExit(1) from error
    click.echo("\n".join(_told(good)))


def _public_key(file: Path | None, text: str) -> PublicKey:
    from conformance.certificates.keys import KeyFormatError, public_key_of

    if file is None and not text:
        raise UsageError("give --public-key FILE: only a key that you trust can tell who signed")
    try:
        return public_key_of(_read(file, "--public-key") if file is not None else text.encode())
    except KeyFormatError as error:
        raise UsageError(f"--public-key {file or 'of the text given'} cannot be used: {error}") from error


def _length(text: str) -> timedelta | None:
    if not text:
        return None
    found = _SPAN.fullmatch(text)
    if found is None:
        raise UsageError(f"--max-age {text!r} is no length of time: give days or hours, for example 90d or 48h")
    number = int(found["number"])
    return timedelta(days=number) if found["unit"] == "d" else timedelta(hours=number)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{what} {path} cannot be read: {error.strerror or error}") from error


def _told(good: Certificate) -> list[str]:
    from conformance.certificates.wording import facts

    rows = facts(good)
    width = max(len(name) for name, _ in rows)
    return ["Good: signed with the key given, nothing was edited.", *(f"  {name:<{width}}  {v}" for name, v in rows)]
