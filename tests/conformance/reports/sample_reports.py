"""Reports as real runs make them, built on the register of the spec: certified, violated, partial, unreachable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from cartsync.conformance.v1 import report_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from conformance.explaining.reasons import reason_for
from conformance.requirements import register

PROFILES = ("core", "streaming")
NO_CONTROL = "Needs the control service (`--control HOST:PORT`), which this run was not given."
NO_LAUNCH = "Needs a server that the suite launches and kills (`--launch COMMAND`)."

TRANSCRIPT = """\
# deciding/replay-verbatim, shown without the suite.
call "$CARTSYNC_CREDENTIAL" cartsync.v1.CartSyncService/SubmitOperations '{"queueId": "8e227963-2daa"}'
#   here it went wrong:
#   {"results": [{"outcome": {"sequence": "1", "state": "OUTCOME_STATE_APPLIED"}, "replayed": true}]}
"""

HOSTILE = "<script>alert('x')</script> \" ' & \x00\x1b[31m \u202e \uffff ]]> `{{ 7*7 }}` \r\n end"


def span(seconds: float) -> Duration:
    """A length of time as the report carries it."""
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration


def certified() -> report_pb2.Report:
    """Everything passed."""
    return _report({}, report_pb2.RUN_VERDICT_CERTIFIED, 0, "Every MUST of core and streaming was tested and met.")


def violated() -> report_pb2.Report:
    """Three findings, one with a story of a lost answer, one long one, and a warning."""
    report = _report(
        {
            "deciding/replay-verbatim": report_pb2.VERDICT_VIOLATION,
            "effects/exactly-once": report_pb2.VERDICT_VIOLATION,
            "sync/superseded": report_pb2.VERDICT_WARNING,
            "store/restored-watermark": report_pb2.VERDICT_NOT_TESTABLE,
            "poison/quarantined": report_pb2.VERDICT_SUITE_ERROR,
        },
        report_pb2.RUN_VERDICT_VIOLATION,
        1,
        "The server breaks 2 MUSTs of core: a retried add was applied twice after its record was pruned.",
    )
    report.findings.extend(
        [
            report_pb2.Finding(
                slug="effects/exactly-once",
                verdict=report_pb2.VERDICT_VIOLATION,
                summary="An add whose answer was lost was applied a second time when the client sent it again.",
                expected="line MUG-01 has quantity 2 at revision 3\nthe retry answers APPLIED, replayed",
                observed="line MUG-01 has quantity 4 at revision 4\nthe retry answered `APPLIED`, not replayed",
                check_id="suite/test_fuzz.py::test_any_history_has_a_correct_cart[core]",
                because=reason_for("effects/exactly-once"),
                replay_file="failures/effects-exactly-once-1.json",
                replay_command="cartsync-conformance replay failures/effects-exactly-once-1.json --launch 'my server'",
                reproduction=report_pb2.Reproduction(
                    label=report_pb2.Reproduction.LABEL_DETERMINISTIC, attempt_count=5, reproduced_count=5
                ),
                timeline=lost_answer_story(),
            ),
            report_pb2.Finding(
                slug="deciding/replay-verbatim",
                verdict=report_pb2.VERDICT_VIOLATION,
                summary="A duplicate was answered with today's price instead of its recorded outcome.",
                expected="PRICE_CHANGED adjustment with current price EUR 11.49, as recorded",
                observed="PRICE_CHANGED adjustment with current price EUR 12.99",
                check_id="suite/test_deciding.py::test_duplicates_are_answered_verbatim",
                because=reason_for("deciding/replay-verbatim"),
                replay_file="failures/deciding-replay-verbatim-1.json",
                transcript=TRANSCRIPT,
                reproduction=report_pb2.Reproduction(
                    label=report_pb2.Reproduction.LABEL_FLAKY, attempt_count=5, reproduced_count=2
                ),
                timeline=long_story(340),
            ),
            report_pb2.Finding(
                slug="sync/superseded",
                verdict=report_pb2.VERDICT_WARNING,
                summary="The older of two streams of one queue stayed open.",
                expected="ABORTED with ErrorInfo.reason STREAM_SUPERSEDED",
                observed="the stream was still open after 2 s",
                check_id="suite/test_streams.py::test_newer_stream_ends_the_older",
            ),
        ]
    )
    return report


def campaign() -> report_pb2.Report:
    """Known failures and none besides: two parts of a long campaign, with what they reached, against a baseline."""
    report = violated()
    report.verdict, report.exit_code = report_pb2.RUN_VERDICT_AS_BASELINE, 0
    report.summary = "Not certified: 2 requirements are violated, both known to the baseline."
    report.tier = report_pb2.TIER_LAUNCH
    report.settings.time_limit.CopyFrom(span(3600))
    for finding in report.findings[:2]:
        finding.known.CopyFrom(
            report_pb2.KnownFailure(
                slug=finding.slug,
                reason="retries are not told apart yet",
                link="https://tracker.example/CART-12",
                expiry_date="2027-01-31",
            )
        )
        report.baseline.known.append(finding.known)
    report.baseline.faults.add(
        entry=report_pb2.KnownFailure(slug="cart/add-adds", reason="was broken", expiry_date="2026-01-01"),
        kind=report_pb2.BaselineFault.KIND_EXPIRED,
    )
    faults = ("none", "cut", "held after commit", "crash before commit", "killed", "answer lost", "stalled")
    states = ("next in line", "duplicate", "above a gap", "beside its record", "next in line, after a kill", "read")
    for number, requirement in enumerate(report.requirements[:60]):
        for index, fault in enumerate(faults):
            for place, state in enumerate(states):
                if (number * 7 + index * 5 + place * 3) % 4 == 0:
                    report.coverage.add(
                        requirement=requirement.slug, state=state, fault=fault, count=number + index + 1
                    )
    for index in (1, 2):
        shard = report.shards.add(index=index, count=2, seed=20260314 + index, plan_digest=f"{index}f" * 32)
        shard.duration.CopyFrom(span(1800 + index))
        shard.start_time.CopyFrom(report.start_time)
    return report


def partial() -> report_pb2.Report:
    """Nothing wrong, but no control service and no launch: much could not be tested."""
    report = _report(
        {
            **dict.fromkeys(_slugs("poison/", "store/new", "store/restored", "backend/", "rate/"), _NOT_TESTABLE),
            **dict.fromkeys(_slugs("durability/", "store/id-survives"), _NOT_TESTABLE),
        },
        report_pb2.RUN_VERDICT_PARTIAL,
        5,
        "Nothing was found wrong, but 14 requirements could not be tested against this server.",
    )
    report.target.launched = False
    report.target.address = "cart.staging.example.net:443"
    report.target.name = "acme-cart"
    report.target.version = "2026.3.1+build.5512"
    report.target.ClearField("control_address")
    report.target.ClearField("capabilities")
    report.effort.crash_count = 0
    for requirement in report.requirements:
        if requirement.verdict == _NOT_TESTABLE:
            requirement.note = NO_LAUNCH if requirement.slug.startswith("durability/") else NO_CONTROL
    return report


def selected() -> report_pb2.Report:
    """Two requirements of core were selected: one is violated, several times over, and one passed."""
    report = violated()
    del report.findings[1:]
    for extra in (3, 1):
        finding = report.findings.add()
        finding.CopyFrom(report.findings[0])
        finding.summary = f"Told in {extra}."
        del finding.timeline[extra:]
    for requirement in report.requirements:
        if requirement.slug == "cart/add-adds":
            requirement.verdict = report_pb2.VERDICT_PASSED
        elif requirement.slug != "effects/exactly-once":
            requirement.verdict, requirement.note = _NOT_TESTABLE, "not selected in this run"
            requirement.ClearField("checks")
    report.ClearField("profiles")
    report.profiles.extend(_profile(name, report.requirements) for name in PROFILES)
    report.summary = f"Not certified: 1 of {len(report.requirements)} requirements are violated."
    return report


def older_edition() -> report_pb2.Report:
    """Certified for the first edition; two of the requirements that came later are not met."""
    report = certified()
    report.edition.name, report.edition.released = "1.0-draft.1", True
    report.edition.requirement_count, report.edition.digest = len(report.requirements), "cd" * 32
    later = violated()
    wrong = {finding.slug for finding in later.findings}
    told = [requirement for requirement in later.requirements if requirement.slug in wrong]
    for number, requirement in enumerate(told):
        requirement.slug = f"later/{number}"
        requirement.since_edition = "1.0-draft.2"
        later.findings[number].slug = requirement.slug
    report.later_requirements.extend(told)
    report.later_findings.extend(later.findings)
    return report


def unreachable() -> report_pb2.Report:
    """Nothing answered, so nothing was judged."""
    return report_pb2.Report(
        suite=report_pb2.SuiteIdentity(version="0.1.0", spec_version="1.0-draft.1", spec_digest="ab" * 32),
        target=report_pb2.Target(address="127.0.0.1:50051"),
        settings=report_pb2.RunSettings(seed=7, budget="fast", profiles=PROFILES),
        verdict=report_pb2.RUN_VERDICT_UNREACHABLE,
        exit_code=3,
        summary="Nothing listens on 127.0.0.1:50051: is the server started, and is that its public address?",
        duration=span(2.1),
    )


def hostile() -> report_pb2.Report:
    """A report in which every text that a target or a story can influence tries to break out."""
    report = violated()
    report.target.name = HOSTILE
    report.target.version = HOSTILE
    report.target.address = HOSTILE
    report.target.capabilities.append(HOSTILE)
    report.summary = HOSTILE
    report.requirements[0].slug = HOSTILE
    for requirement in report.requirements:
        requirement.note = HOSTILE
        requirement.chapter = HOSTILE
        requirement.checks[0].title = HOSTILE
    report.edition.name = report.edition.digest = HOSTILE
    report.coverage.add(requirement=HOSTILE, state=HOSTILE, fault=HOSTILE, count=1)
    report.baseline.known.add(slug=HOSTILE, reason=HOSTILE, link=HOSTILE, expiry_date=HOSTILE)
    report.shards.add(plan_digest=HOSTILE)
    report.later_requirements.extend(report.requirements[:1])
    report.later_requirements[0].slug += " later"
    report.later_findings.extend(report.findings[:1])
    for finding in (*report.findings, *report.later_findings):
        finding.summary = finding.expected = finding.observed = finding.check_id = HOSTILE
        finding.replay_file = HOSTILE
        for event in finding.timeline:
            event.actor = event.title = event.detail = HOSTILE
        finding.because = finding.transcript = finding.known.reason = finding.known.link = HOSTILE
    return report


def lost_answer_story() -> Iterable[report_pb2.TimelineEvent]:
    """How a lost answer became a second effect."""
    return [
        _event(0.0, _SHOP, "", "lists MUG-01 at EUR 10.00, 40 in stock"),
        _event(
            0.0012,
            _DEVICE,
            "queue A",
            "writes down add 2 × MUG-01",
            "sequence 1\nkey 3f0c2b1e-8a55-4d7e-9c1b-0d2f5a6b7c8d\nobserved_unit_price EUR 10.00",
        ),
        _event(0.0031, _DEVICE, "queue A", "sends sequence 1"),
        _event(0.0094, _SERVER, "", "applies it at revision 3", "APPLIED\nquantity 0 -> 2\nrevision 3\nchanged true"),
        _event(0.0097, _NETWORK, "connection 1", "answer lost, connection cut"),
        _event(2.41, _SERVER, "", "killed with SIGKILL and started again", "pid 4121 -> 4139\nhealthy after 610 ms"),
        _event(3.02, _SHOP, "", "raises MUG-01 to EUR 11.49"),
        _event(3.05, _DEVICE, "queue B", "adds 1 × TEE-07", "sequence 1\nkey 91d6e1de-02aa-4bd1-8a4e-2f1f3c7f9a10"),
        _event(3.061, _SERVER, "", "answers queue B: APPLIED"),
        _event(3.22, _DEVICE, "queue A", "sends sequence 1 again, same key"),
        _event(
            3.231,
            _SERVER,
            "",
            "applies it a second time",
            "outcome {\n  state: APPLIED\n  changed: true\n  revision: 5\n"
            '  line_change { sku: "MUG-01" before: 2 after: 4 }\n}\nreplayed: false',
            culprit=True,
        ),
        _event(3.24, _DEVICE, "queue A", "reads the cart: 4 × MUG-01"),
    ]


def long_story(count: int) -> Iterable[report_pb2.TimelineEvent]:
    """A story of `count` events that goes wrong four before its end."""
    lanes = [_DEVICE, _SERVER, _DEVICE, _NETWORK, _SERVER, _SHOP]
    titles = {
        _DEVICE: "sends sequence {}",
        _SERVER: "answers sequence {}: APPLIED at revision {}",
        _NETWORK: "delays the answer to sequence {}",
        _SHOP: "changes the price of SKU-{}",
    }
    return [
        _event(
            0.004 * index + (30.0 if index > count - 20 else 0.0),
            lanes[index % 6],
            f"queue {'ABC'[index % 3]}" if lanes[index % 6] == _DEVICE else "",
            titles[lanes[index % 6]].format(index // 6 + 1, index),
            "state: APPLIED\nreplayed: false" if index % 4 == 1 else "",
            culprit=index == count - 5,
        )
        for index in range(count)
    ]


_NOT_TESTABLE = report_pb2.VERDICT_NOT_TESTABLE
_DEVICE, _NETWORK = report_pb2.LANE_DEVICE, report_pb2.LANE_NETWORK
_SERVER, _SHOP = report_pb2.LANE_SERVER, report_pb2.LANE_SHOP


def _event(
    offset: float, lane: report_pb2.Lane.ValueType, actor: str, title: str, detail: str = "", *, culprit: bool = False
) -> report_pb2.TimelineEvent:
    return report_pb2.TimelineEvent(
        offset=span(offset), lane=lane, actor=actor, title=title, detail=detail, culprit=culprit
    )


def _slugs(*beginnings: str) -> Iterable[str]:
    return [r.slug for r in register.load().requirements if r.slug.startswith(beginnings)]


def _report(
    verdicts: Mapping[str, report_pb2.Verdict.ValueType],
    verdict: report_pb2.RunVerdict.ValueType,
    exit_code: int,
    summary: str,
) -> report_pb2.Report:
    spec = register.load()
    started = Timestamp()
    started.FromDatetime(datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC))
    requirements = [
        _result(requirement, verdicts.get(requirement.slug, report_pb2.VERDICT_PASSED), index)
        for index, requirement in enumerate(spec.of_profiles(PROFILES))
    ]
    return report_pb2.Report(
        suite=report_pb2.SuiteIdentity(version="0.1.0", spec_version="1.0-draft.1", spec_digest=spec.digest),
        target=report_pb2.Target(
            address="127.0.0.1:50051",
            control_address="127.0.0.1:50052",
            launched=True,
            name="cartsync-reference",
            version="0.1.0",
            capabilities=["advance_clock", "fail_points", "save_restore", "effects"],
        ),
        settings=report_pb2.RunSettings(seed=20260314, budget="fast", profiles=PROFILES),
        verdict=verdict,
        exit_code=exit_code,
        summary=summary,
        start_time=started,
        duration=span(64.2),
        profiles=[_profile(name, requirements) for name in PROFILES],
        requirements=requirements,
        effort=report_pb2.Effort(check_count=118, plan_count=2460, operation_count=31877, crash_count=42),
    )


def _result(
    requirement: register.Requirement, verdict: report_pb2.Verdict.ValueType, index: int
) -> report_pb2.RequirementResult:
    notes = {
        _NOT_TESTABLE: "Needs the capability `save_restore`, which the control service does not list.",
        report_pb2.VERDICT_SUITE_ERROR: "AssertionError in the check: no fail point was hit within 10 s.",
    }
    test = requirement.slug.replace("/", "_").replace("-", "_")
    checks = [
        report_pb2.CheckResult(
            check_id=f"suite/test_{requirement.chapter[3:-3].replace('-', '_')}.py::test_{test}",
            title=f"Tells the story of `{requirement.slug}` once",
            verdict=verdict,
            duration=span(0.05 + index / 300),
            plan_count=1,
        )
    ]
    if index % 3 == 0:
        checks.append(
            report_pb2.CheckResult(
                check_id="suite/test_fuzz.py::test_any_history_has_a_correct_cart[core]",
                title="Executes drawn plans and compares every answer with the oracle",
                verdict=report_pb2.VERDICT_PASSED,
                duration=span(12.5),
                plan_count=60,
            )
        )
    return report_pb2.RequirementResult(
        slug=requirement.slug,
        profile=requirement.profile,
        level=requirement.level,
        statement=requirement.statement,
        chapter=f"{requirement.chapter}, {requirement.heading}",
        verdict=verdict,
        note=notes.get(verdict, ""),
        checks=checks,
    )


def _profile(name: str, requirements: Iterable[report_pb2.RequirementResult]) -> report_pb2.ProfileResult:
    verdicts = [r.verdict for r in requirements if r.profile == name]
    by_severity = (
        report_pb2.VERDICT_VIOLATION,
        report_pb2.VERDICT_SUITE_ERROR,
        _NOT_TESTABLE,
    )
    return report_pb2.ProfileResult(
        name=name,
        verdict=next((v for v in by_severity if v in verdicts), report_pb2.VERDICT_PASSED),
        passed_count=verdicts.count(report_pb2.VERDICT_PASSED),
        requirement_count=len(verdicts),
    )
