"""`report.json`: the report in its proto3 JSON form, for programs, and back into a message."""

from __future__ import annotations

from cartsync.conformance.v1 import report_pb2
from google.protobuf import json_format


class ReportFormatError(ValueError):
    """The text is no report; the message says what is wrong with it and what to do."""


def to_json(report: report_pb2.Report) -> str:
    """The proto3 JSON form, indented, one line feed at the end.

    Numbers, texts and lists are written even when they are zero or empty, so that programs need no defaults.
    """
    return (
        json_format.MessageToJson(report, indent=2, ensure_ascii=False, always_print_fields_with_no_presence=True)
        + "\n"
    )


def from_json(text: str | bytes) -> report_pb2.Report:
    """Read a report back. Fields that a newer suite added are ignored.

    Raises ReportFormatError when `text` is not JSON, not of the report's form, or carries no verdict.
    """
    report = report_pb2.Report()
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        json_format.Parse(decoded, report, ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise ReportFormatError(f"not a conformance report: {error}; pass the report.json that a run wrote") from error
    if report.verdict == report_pb2.RUN_VERDICT_UNSPECIFIED:
        raise ReportFormatError(
            "not a conformance report: field 'verdict' is missing or unknown; "
            "pass the report.json that a run wrote, with a suite no older than the one that wrote it"
        )
    return report
