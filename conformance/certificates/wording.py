"""What a good certificate says, for people: who was certified, for what, when, by which suite and how hard."""

from __future__ import annotations

from conformance.certificates.verify import Certificate, days_text, ended
from conformance.reports.wording import count_text, duration_text, one_line, seconds_of, target_title, tier_text


def facts(good: Certificate) -> list[tuple[str, str]]:
    """Name and value of everything worth telling, in order; no value has control characters."""
    report = good.report
    edition, settings, effort = report.edition, report.settings, report.effort
    status = "released" if edition.released else "a working copy"
    compared = "" if good.compared else "; this suite has other ones by that name, so they were not compared"
    seeds = [str(shard.seed) for shard in report.shards] or [str(settings.seed)]
    digests = [shard.plan_digest for shard in report.shards] or [settings.plan_digest]
    limit = duration_text(seconds_of(settings.time_limit)) if settings.HasField("time_limit") else ""
    rows = [
        ("server", target_title(report.target)),
        ("certified for", ", ".join(profile.name for profile in report.profiles)),
        ("tested", f"{ended(report):%Y-%m-%d %H:%M:%S} UTC, {days_text(good.age)} ago"),
        ("how", tier_text(report.tier)),
        ("edition", f"{edition.name}, {status}"),
        ("requirements", f"{count_text(edition.requirement_count, 'requirement')}, SHA-256 {edition.digest}{compared}"),
        ("suite", f"{report.suite.version}, with spec {report.suite.spec_version}, SHA-256 {report.suite.spec_digest}"),
        ("budget", settings.budget + (f", {limit}" if limit else "")),
        ("seed" if len(seeds) == 1 else "seeds", ", ".join(seeds)),
        ("plans", ", ".join(f"SHA-256 {digest}" for digest in digests if digest)),
        (
            "effort",
            f"{count_text(effort.check_count, 'check')}, {count_text(effort.plan_count, 'plan')}, "
            f"{count_text(effort.operation_count, 'operation')} judged, "
            f"{count_text(effort.crash_count, 'crash', 'crashes')}",
        ),
        ("signed with", good.key_id),
    ]
    return [(name, one_line(value)) for name, value in rows if value]
