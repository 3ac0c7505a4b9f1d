"""The words, glyphs and number formats that all reports share, so that they say the same thing.

A verdict is never told by colour alone: every one has a glyph and a word, and a tone that only adds to them.
"""

from __future__ import annotations

import shlex
import unicodedata
from dataclasses import dataclass

from cartsync.conformance.v1 import report_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


@dataclass(frozen=True, slots=True)
class Word:
    """How a verdict is told. `tone` is one of good, bad, warn, mute."""

    glyph: str
    text: str
    tone: str
    meaning: str  # one sentence for people who have not read the spec

    @property
    def plural(self) -> str:
        """The text for a count other than 1: nouns take an s, the others stay."""
        return self.text + "s" if self.text.endswith(("violation", "warning", "error")) else self.text


VERDICTS: dict[report_pb2.Verdict.ValueType, Word] = {
    report_pb2.VERDICT_PASSED: Word("✓", "passed", "good", "Tested and met."),
    report_pb2.VERDICT_VIOLATION: Word("✗", "violation", "bad", "A MUST that is not met."),
    report_pb2.VERDICT_WARNING: Word("!", "warning", "warn", "A SHOULD that is not met."),
    report_pb2.VERDICT_NOT_TESTABLE: Word("–", "not testable", "mute", "Could not be tested in this run."),
    report_pb2.VERDICT_SUITE_ERROR: Word(
        "!", "suite error", "warn", "The check itself failed; that says nothing about the server."
    ),
    report_pb2.VERDICT_UNREACHABLE: Word(
        "–", "unreachable", "mute", "The server could not be reached while it was tested."
    ),
}

RUN_VERDICTS: dict[report_pb2.RunVerdict.ValueType, Word] = {
    report_pb2.RUN_VERDICT_CERTIFIED: Word("✓", "Certified", "good", "Every requested profile is certified."),
    report_pb2.RUN_VERDICT_VIOLATION: Word("✗", "Not certified", "bad", "The server breaks a MUST of the spec."),
    report_pb2.RUN_VERDICT_PARTIAL: Word(
        "–", "Partial", "warn", "Nothing is violated, but something requested could not be tested."
    ),
    report_pb2.RUN_VERDICT_UNREACHABLE: Word(
        "!", "Unreachable", "warn", "The server could not be reached, or stopped answering."
    ),
    report_pb2.RUN_VERDICT_SUITE_ERROR: Word(
        "!", "Suite error", "warn", "The suite itself failed; that says nothing about the server."
    ),
    report_pb2.RUN_VERDICT_AS_BASELINE: Word(
        "–", "Known failures", "warn", "Not certified, but nothing is wrong that the baseline does not know."
    ),
}

TIERS: dict[report_pb2.Tier.ValueType, str] = {
    report_pb2.TIER_BLACK_BOX: "black box: a running server and a file of its fixtures",
    report_pb2.TIER_CONTROL: "control: a running server with its control service",
    report_pb2.TIER_LAUNCH: "launch: started, killed and restarted by the suite, with its control service",
}

OTHER_SHARDS = "not selected: other shards"
NOT_SELECTED = "not selected in this run"
"""The note of a requirement that the selection of a run leaves out; its verdict is "not testable"."""

_NOT_SELECTED = Word("–", "not selected", "mute", "Left out by the selection of this run.")
_NO_VERDICT = Word("–", "no verdict", "mute", "Nothing was found out.")

LANES: dict[report_pb2.Lane.ValueType, str] = {
    report_pb2.LANE_DEVICE: "device",
    report_pb2.LANE_NETWORK: "network",
    report_pb2.LANE_SERVER: "server",
    report_pb2.LANE_SHOP: "shop",
}

# Characters that would move, hide or reorder what a reader sees: bidirectional controls, zero-width, BOM.
_DECEPTIVE = frozenset("\u200b\u200c\u200e\u200f\u2028\u2029\u2060\ufeff") | {
    chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def word_for(verdict: report_pb2.Verdict.ValueType) -> Word:
    """The word for a verdict of a requirement, check, finding or profile; unknown values read "no verdict"."""
    return VERDICTS.get(verdict, _NO_VERDICT)


def requirement_word(requirement: report_pb2.RequirementResult) -> Word:
    """The word for the verdict of a requirement; one that the run left out says so."""
    if requirement.verdict == report_pb2.VERDICT_NOT_TESTABLE and requirement.note == NOT_SELECTED:
        return _NOT_SELECTED
    return word_for(requirement.verdict)


def lead_text(report: report_pb2.Report) -> str:
    """The report's summary as it follows the run's word in a headline, which it does not repeat."""
    word = run_word_for(report.verdict)
    rest = report.summary.removeprefix(f"{word.text}: ")
    return (rest if rest == report.summary else rest[:1].upper() + rest[1:]) or word.meaning


def run_word_for(verdict: report_pb2.RunVerdict.ValueType) -> Word:
    """The word for the verdict of a run; unknown values read "no verdict"."""
    return RUN_VERDICTS.get(verdict, _NO_VERDICT)


def tier_text(tier: report_pb2.Tier.ValueType) -> str:
    """What the vendor offered to be tested by; empty when the report does not say."""
    return TIERS.get(tier, "")


def visible(text: str) -> str:
    r"""`text` with control and direction characters spelled out (`\x1b`, `\u202e`), newline and tab kept.

    What a server calls itself, or sends in a message, must not be able to drive a terminal or reorder a page.
    """
    text = text.replace("\r\n", "\n")
    return "".join(_spelled_out(character) if _is_hidden(character) else character for character in text)


def one_line(text: str) -> str:
    """`text` made visible, with every run of white space as one blank."""
    return " ".join(visible(text).split())


def seconds_of(duration: Duration) -> float:
    """Length in seconds; negative lengths, which no report should hold, count as 0."""
    return max(0.0, duration.seconds + duration.nanos / 1e9)


def duration_text(seconds: float) -> str:
    """A length for people: `0 ms`, `812 ms`, `4.21 s`, `47.3 s`, `2 min 05 s`, `1 h 02 min`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def offset_text(seconds: float) -> str:
    """Time since a story began, to the millisecond while that is readable: `+0 ms`, `+812 ms`, `+4.210 s`."""
    if seconds < 0.9995:
        return f"+{seconds * 1000:.0f} ms"
    if seconds < 99.9995:
        return f"+{seconds:.3f} s"
    return f"+{duration_text(seconds)}"


def count_text(count: int, noun: str, plural: str = "") -> str:
    """`1 plan`, `1,204 plans`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def time_text(timestamp: Timestamp) -> str:
    """`2026-01-31 09:15:02 UTC`; empty when the time is not set."""
    if not timestamp.seconds and not timestamp.nanos:
        return ""
    return timestamp.ToDatetime().strftime("%Y-%m-%d %H:%M:%S UTC")


def target_title(target: report_pb2.Target) -> str:
    """What the server calls itself, with its version, or its address when it does not say."""
    name = one_line(target.name) or one_line(target.address) or "unnamed server"
    version = one_line(target.version)
    return f"{name} {version}" if version and target.name else name


def replay_command(finding: report_pb2.Finding, target: report_pb2.Target, *, folder: str = "") -> str:
    """The shell command that runs a finding's story again; empty when the finding has no replay file.

    It is the one that the run wrote down. A report of an older suite has none: then the file is named relative to the
    report's folder, or below `folder`, and the place of a launch command is left for the reader to fill in.
    """
    if not finding.replay_file:
        return ""
    if finding.replay_command:
        return one_line(finding.replay_command)
    file_name = f"{folder.rstrip('/')}/{finding.replay_file}" if folder else finding.replay_file
    words = ["cartsync-conformance", "replay", shlex.quote(one_line(file_name))]
    if target.launched:
        words += ["--launch", "'COMMAND'"]
    elif target.address:
        words += ["--target", shlex.quote(one_line(target.address))]
        if target.control_address:
            words += ["--control", shlex.quote(one_line(target.control_address))]
    return " ".join(words)


def _is_hidden(character: str) -> bool:
    if character in "\n\t":
        return False
    code = ord(character)
    return (
        unicodedata.category(character) in {"Cc", "Cs"}
        or character in _DECEPTIVE
        or (code & 0xFFFE) == 0xFFFE  # noncharacters, which XML 1.0 cannot carry
    )


def _spelled_out(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def unlisted_text(report: report_pb2.Report) -> str:
    """What the server was not tested for, because its policy does not list it; empty when there is nothing."""
    if not report.unlisted_profiles:
        return ""
    names = ", ".join(one_line(name) for name in report.unlisted_profiles)
    return f"Not listed in the server's policy, so not tested: {names}"


_BASELINE_FAULTS = {
    report_pb2.BaselineFault.KIND_UNEXPECTED_PASS: "met now: take the entry out",
    report_pb2.BaselineFault.KIND_EXPIRED: "expired",
}


def baseline_fault_text(kind: report_pb2.BaselineFault.Kind.ValueType) -> str:
    """What is wrong with an entry of a baseline."""
    return _BASELINE_FAULTS.get(kind, "out of date")


def reproduction_text(finding: report_pb2.Finding) -> str:
    """How surely a finding happens again, in a few words; empty when it was not run again."""
    again = finding.reproduction
    rate = f"{again.reproduced_count} of {again.attempt_count}"
    match again.label:
        case report_pb2.Reproduction.LABEL_DETERMINISTIC:
            return f"every time ({rate})"
        case report_pb2.Reproduction.LABEL_FLAKY:
            return f"flaky ({rate})"
        case report_pb2.Reproduction.LABEL_UNPROVEN:
            return f"unproven ({rate} again)"
        case _:
            return ""
