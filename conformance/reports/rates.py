"""What the fuzzing of a run came to, in a few words: its rate, and what it reached and never met."""

from __future__ import annotations

from cartsync.conformance.v1.report_pb2 import Report

from conformance.plans.coverage import FAULTS, STATE_WORDS
from conformance.reports.wording import count_text, duration_text, seconds_of

LISTED_UNMET = 6


def rate_of(report: Report) -> float | None:
    """Operations judged a second by fuzzed checks; None when none was."""
    seconds = seconds_of(report.effort.fuzz_duration)
    return report.effort.fuzzed_operation_count / seconds if seconds > 0 else None


def rate_text(report: Report) -> str:
    """The rate in one sentence; empty when nothing was fuzzed."""
    rate = rate_of(report)
    if rate is None:
        return ""
    judged = count_text(report.effort.fuzzed_operation_count, "operation")
    took = duration_text(seconds_of(report.effort.fuzz_duration))
    return f"Fuzzing judged {judged} in {took}: {rate:,.0f} a second."


def unmet_faults(report: Report) -> tuple[str, ...]:
    """Faults that plans may have and nothing was judged under."""
    met = {cell.fault for cell in report.coverage}
    return tuple(fault for fault in FAULTS if fault not in met)


def unmet_states(report: Report) -> tuple[str, ...]:
    """Words of states that nothing was judged in."""
    met = {word for cell in report.coverage for word in cell.state.split(", ")}
    return tuple(word for word in STATE_WORDS if word not in met)


def unmet_requirements(report: Report) -> tuple[str, ...]:
    """Requirements that no plan came to; scripted checks may judge them all the same."""
    met = {cell.requirement for cell in report.coverage}
    return tuple(result.slug for result in report.requirements if result.slug not in met)


def coverage_lines(report: Report) -> list[str]:
    """What a campaign reached and never met, in a few sentences; none for a run that was no campaign."""
    campaign = report.settings.HasField("time_limit") or report.settings.shard_count or report.shards
    if not campaign or not report.coverage:
        return []
    judged = len(report.requirements) - len(unmet_requirements(report))
    lines = [
        f"Coverage: {count_text(len(report.coverage), 'triple')} of requirement, state and fault; "
        f"plans came to {judged} of {count_text(len(report.requirements), 'requirement')}."
    ]
    for what, unmet in (("faults", unmet_faults(report)), ("states", unmet_states(report))):
        if unmet:
            more = f" and {len(unmet) - LISTED_UNMET} more" if len(unmet) > LISTED_UNMET else ""
            lines.append(f"Never met, {what}: {', '.join(unmet[:LISTED_UNMET])}{more}.")
    return lines
