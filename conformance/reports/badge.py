"""`badge.svg`: the verdict of a run as a small picture for a README.

It is whole in itself: no script, no font, no address to load. Its text stands in it as text, and as the name that a
screen reader says; the verdict is told by a word, never by colour alone.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from cartsync.conformance.v1 import report_pb2

from conformance.reports.wording import one_line

# White text on each has a contrast of at least 5.5 to 1.
_COLOURS = {"good": "#17673a", "warn": "#835400", "bad": "#b3261e", "mute": "#555f6a"}
_LABEL_COLOUR = "#3a4149"

_LONGEST = 48  # characters of one half; more would be no badge
_NAMED = 3  # so many profiles are named, more are counted

_NARROW, _WIDE = frozenset("fijlrtI.,:;'|!()[] "), frozenset("mwMW%@")


def to_svg(report: report_pb2.Report) -> str:
    """The badge of a report, with XML declaration; valid whatever the report's texts hold."""
    label = _cut(one_line(f"Cartsync {report.edition.name or report.suite.spec_version}".strip()))
    text, tone = _verdict(report)
    text = _cut(one_line(text))
    left, right = _width(label) + 16, _width(text) + 16
    name = f"{label}: {text}"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="22" role="img" aria-label={quoteattr(name)}>
  <title>{escape(name)}</title>
  <clipPath id="round"><rect width="{left + right}" height="22" rx="4"/></clipPath>
  <g clip-path="url(#round)">
    <rect width="{left}" height="22" fill="{_LABEL_COLOUR}"/>
    <rect x="{left}" width="{right}" height="22" fill="{_COLOURS[tone]}"/>
  </g>
  <g fill="#ffffff" text-anchor="middle" font-family="Verdana, 'DejaVu Sans', sans-serif" font-size="11">
    <text x="{left / 2:g}" y="15" textLength="{left - 16}" aria-hidden="true">{escape(label)}</text>
    <text x="{left + right / 2:g}" y="15" textLength="{right - 16}" aria-hidden="true">{escape(text)}</text>
  </g>
</svg>
"""


def _verdict(report: report_pb2.Report) -> tuple[str, str]:
    """What the right half says, and its tone. Only a certified run has the word."""
    match report.verdict:
        case report_pb2.RUN_VERDICT_CERTIFIED:
            names = [profile.name for profile in report.profiles]
            return f"certified: {', '.join(names) if len(names) <= _NAMED else f'{len(names)} profiles'}", "good"
        case report_pb2.RUN_VERDICT_PARTIAL:
            return "partial", "warn"
        case report_pb2.RUN_VERDICT_AS_BASELINE:
            count = len(report.baseline.known)
            return f"not certified, {count} known failure{'' if count == 1 else 's'}", "warn"
        case report_pb2.RUN_VERDICT_VIOLATION:
            return "not certified", "bad"
        case _:
            return "no verdict", "mute"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _width(text: str) -> int:
    """About how wide the text is in 11 pixel Verdana; `textLength` makes every other font fit."""
    return round(sum(4.1 if c in _NARROW else 10.2 if c in _WIDE else 6.9 for c in text))
