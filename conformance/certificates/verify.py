"""Whether a certificate is good, and what it certifies.

Asked in this order, and the first no is the answer: is it a certificate, did this key sign it, is it of the report
beside it, does its verdict follow from its parts, is it what was demanded, is it fresh.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cartsync.conformance.v1 import report_pb2

from conformance.certificates import soundness
from conformance.certificates.certify import RefusedError, edition_of, read_report
from conformance.certificates.envelope import EnvelopeFormatError, from_bytes, pre_authentication
from conformance.certificates.keys import PublicKey

_CLOCKS_DIFFER = timedelta(minutes=10)  # so much may the clock of whoever certified be ahead


class NotGoodError(ValueError):
    """The certificate is not good; the message is the sentence why."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What a reader wants of a certificate beyond that it is genuine."""

    max_age: timedelta | None = None  # since the end of the run; None for any
    edition: str = ""  # the edition that must have decided; empty for any
    profiles: tuple[str, ...] = field(default=())  # each must be certified
    target_name: str = ""  # what the server must call itself; empty for any


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that is good."""

    report: report_pb2.Report
    key_id: str
    age: timedelta  # since the end of the run
    compared: bool  # whether its requirements could be compared with those of its edition


def verify(
    certificate: bytes,
    key: PublicKey,
    *,
    now: datetime,
    demands: Demands | None = None,
    report_beside: bytes | None = None,
) -> Certificate:
    """Read a certificate and see that it is good; `now` is aware. Raises NotGoodError.

    `report_beside` is the report.json that is handed round with it: it must be the one that was signed.
    """
    try:
        envelope = from_bytes(certificate)
    except EnvelopeFormatError as error:
        raise NotGoodError(str(error)) from error
    if envelope.key_id != key.key_id:
        raise NotGoodError(
            f"it names another key as its signer ({_named(envelope.key_id)}) than the one given ({_named(key.key_id)})"
        )
    if not key.has_signed(pre_authentication(envelope.payload), envelope.signature):
        raise NotGoodError("its signature does not fit: it was edited, or signed with another key")
    if report_beside is not None and report_beside != envelope.payload:
        raise NotGoodError("the report beside it is not the one that was signed: one of them was edited or replaced")
    try:
        report = read_report(envelope.payload)
        edition = edition_of(envelope.payload)
    except RefusedError as error:
        raise NotGoodError(f"it is signed, but {error}") from error
    for fault in soundness.faults(report, edition):
        raise NotGoodError(f"it is signed, but {fault}")
    age = now - ended(report)
    for fault in _unmet(report, demands or Demands(), age):
        raise NotGoodError(fault)
    return Certificate(report, key.key_id, age, soundness.is_compared(report, edition))


def ended(report: report_pb2.Report) -> datetime:
    """When the run was over, aware."""
    return report.start_time.ToDatetime(UTC) + report.duration.ToTimedelta()


def _unmet(report: report_pb2.Report, demands: Demands, age: timedelta) -> Iterator[str]:
    if demands.edition and report.edition.name != demands.edition:
        yield f"it was judged by edition {report.edition.name}, where {demands.edition} is demanded"
    certified = [profile.name for profile in report.profiles]
    for name in demands.profiles:
        if name not in certified:
            yield f"it does not certify the profile {name}, only {', '.join(certified)}"
    if demands.target_name and report.target.name != demands.target_name:
        yield f"it is of a server that calls itself {report.target.name!r}, where {demands.target_name!r} is demanded"
    if age < -_CLOCKS_DIFFER:
        yield f"it is of a run that ends in the future ({ended(report):%Y-%m-%d %H:%M} UTC): is a clock wrong?"
    if demands.max_age is not None and age > demands.max_age:
        yield f"it is too old: the run ended {days_text(age)} ago, and at most {days_text(demands.max_age)} are allowed"


def days_text(length: timedelta) -> str:
    """A length in days, or in hours below two days, rounded down."""
    hours = max(0, int(length.total_seconds() // 3600))
    count, unit = (hours // 24, "day") if hours >= 48 else (hours, "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _named(key_id: str) -> str:
    """A fingerprint that a file may hold anything for, cut to what a line can show."""
    return f"{key_id[:16]}…" if key_id.isascii() and key_id.isalnum() else "no fingerprint"
