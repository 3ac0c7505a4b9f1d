"""From a report that certifies a server to a signed certificate."""

from __future__ import annotations

from cartsync.conformance.v1 import report_pb2
from google.protobuf import json_format

from conformance.certificates import soundness
from conformance.certificates.envelope import Envelope, pre_authentication, to_bytes
from conformance.certificates.keys import PrivateKey
from conformance.requirements.editions import Edition, UnknownEditionError, load_edition


class RefusedError(ValueError):
    """The report is not one that can be certified; the message is the sentence why."""


def certify(report: bytes, key: PrivateKey) -> bytes:
    """The certificate of a report: the exact bytes of its report.json, signed.

    Raises RefusedError when it is no report, or one that does not certify a server, or whose verdict does not follow
    from its own parts.
    """
    for fault in soundness.faults(read_report(report), edition_of(report)):
        raise RefusedError(f"this report cannot be certified: {fault}")
    return to_bytes(Envelope(report, key.public.key_id, key.sign(pre_authentication(report))))


def read_report(content: bytes) -> report_pb2.Report:
    """Read report.json to the last field: what this suite does not know it cannot vouch for. Raises RefusedError."""
    report = report_pb2.Report()
    try:
        json_format.Parse(content.decode("utf-8"), report)
    except (json_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(
            f"this is not a report that this suite can read in full: {error}; give the report.json that a run wrote, "
            "and a suite no older than the one that wrote it"
        ) from error
    return report


def edition_of(report: bytes) -> Edition | None:
    """The edition that the report was judged by, as this suite has it; None when it does not."""
    try:
        return load_edition(read_report(report).edition.name)
    except UnknownEditionError:
        return None
