"""A report that certifies a server for `core` and `streaming`, with the requirements of this suite's spec."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cartsync.conformance.v1 import report_pb2

from conformance import SPEC_VERSION
from conformance.reports import to_json
from conformance.requirements import load
from conformance.run import verdicts
from conformance.run.verdicts import CheckRecord

PROFILES = ("core", "streaming")
BEGAN = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
LASTED = timedelta(seconds=90)


def certified() -> report_pb2.Report:
    """Every requirement of PROFILES passed in one check of its own, but for one SHOULD that is not met."""
    register = load()
    wanted = register.of_profiles(PROFILES)
    unmet = next(requirement.slug for requirement in wanted if requirement.level == "SHOULD")
    checks = [
        CheckRecord(f"test_some.py::test_{r.slug}", "Tells its story", (r.slug,), verdict=verdicts.PASSED)
        for r in wanted
    ]
    for check in checks:
        if check.slugs == (unmet,):
            check.verdict, check.blamed, check.note = verdicts.VIOLATION, unmet, "it stayed open"
    requirements = [verdicts.judge_requirement(requirement, checks) for requirement in wanted]
    report = report_pb2.Report(
        suite=report_pb2.SuiteIdentity(version="0.1.0", spec_version=SPEC_VERSION, spec_digest=register.digest),
        target=report_pb2.Target(address="127.0.0.1:50051", launched=True, name="acme-cart", version="2.1"),
        settings=report_pb2.RunSettings(seed=7, budget="standard", profiles=PROFILES, plan_digest="ab" * 32),
        requirements=requirements,
        profiles=[verdicts.judge_profile(name, requirements) for name in PROFILES],
        findings=[report_pb2.Finding(slug=unmet, verdict=verdicts.WARNING, summary="it stayed open")],
        edition=report_pb2.Edition(
            name=SPEC_VERSION, requirement_count=len(register.requirements), digest=register.digest
        ),
        tier=report_pb2.TIER_LAUNCH,
        effort=report_pb2.Effort(check_count=len(checks), plan_count=900, operation_count=12_000, crash_count=4),
    )
    report.verdict, report.exit_code = verdicts.judge_run(report.profiles)
    report.summary = verdicts.sentence(report)
    report.start_time.FromDatetime(BEGAN)
    report.duration.FromTimedelta(LASTED)
    return report


def as_file(report: report_pb2.Report) -> bytes:
    """The bytes of its report.json."""
    return to_json(report).encode()
