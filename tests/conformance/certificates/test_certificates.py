"""A certificate is good as it was signed, for the one key, and with no byte of it or of its report changed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from cartsync.conformance.v1 import report_pb2
from certified_reports import BEGAN, LASTED, as_file, certified
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.certificates import Demands, NotGoodError, RefusedError, certify, verify
from conformance.certificates.envelope import Envelope, EnvelopeFormatError, from_bytes, pre_authentication, to_bytes
from conformance.certificates.keys import KeyFormatError, new_private_key, private_key_of, public_key_of
from conformance.certificates.wording import facts
from conformance.run import verdicts

KEY = new_private_key()
OTHER_KEY = new_private_key()
REPORT = as_file(certified())
CERTIFICATE = certify(REPORT, KEY)
NEXT_DAY = BEGAN + LASTED + timedelta(days=1)


def test_a_certificate_is_good_and_tells_what_it_certifies() -> None:
    good = verify(CERTIFICATE, KEY.public, now=NEXT_DAY, report_beside=REPORT)
    assert good.report == certified()
    assert good.key_id == KEY.public.key_id
    assert good.age == timedelta(days=1)
    told = dict(facts(good))
    assert told["server"] == "acme-cart 2.1"
    assert told["certified for"] == "core, streaming"
    assert told["tested"] == "2026-03-14 09:28:23 UTC, 24 hours ago"
    assert told["budget"] == "standard"
    assert told["seed"] == "7"
    assert told["plans"] == f"SHA-256 {'ab' * 32}"
    assert told["how"].startswith("launch")
    assert certified().edition.digest in told["requirements"]
    assert certified().suite.spec_digest in told["suite"]


def test_the_payload_is_the_report_to_the_byte_in_the_form_of_dsse() -> None:
    content = json.loads(CERTIFICATE)
    assert base64.b64decode(content["payload"]) == REPORT
    assert content["payloadType"] == "application/vnd.cartsync.report+json"
    (signature,) = content["signatures"]
    assert signature["keyid"] == KEY.public.key_id
    signed = b"DSSEv1 36 application/vnd.cartsync.report+json %d " % len(REPORT) + REPORT
    assert KEY.public.has_signed(signed, base64.b64decode(signature["sig"]))


@settings(deadline=None)
@given(st.integers(0, len(CERTIFICATE) - 1), st.integers(1, 255))
def test_no_byte_of_a_certificate_can_be_changed(position: int, change: int) -> None:
    edited = bytearray(CERTIFICATE)
    edited[position] ^= change
    with pytest.raises(NotGoodError):
        verify(bytes(edited), KEY.public, now=NEXT_DAY)


# Most of a certificate is its payload: drawn positions would seldom meet what stands around it.
@pytest.mark.parametrize("change", [1, 2, 32, 128])
def test_no_byte_around_the_payload_can_be_changed(change: int) -> None:
    start = CERTIFICATE.index(b'"payload": "') + len(b'"payload": "')
    end = CERTIFICATE.index(b'"', start)
    for position in (*range(start + 8), *range(end - 8, len(CERTIFICATE))):
        edited = bytearray(CERTIFICATE)
        edited[position] ^= change
        with pytest.raises(NotGoodError):
            verify(bytes(edited), KEY.public, now=NEXT_DAY)


@settings(deadline=None)
@given(st.integers(0, len(REPORT) - 1), st.integers(1, 255))
def test_no_byte_of_the_report_can_be_changed(position: int, change: int) -> None:
    edited = bytearray(REPORT)
    edited[position] ^= change
    with pytest.raises(NotGoodError, match="not the one that was signed"):
        verify(CERTIFICATE, KEY.public, now=NEXT_DAY, report_beside=bytes(edited))
    envelope = from_bytes(CERTIFICATE)
    with pytest.raises(NotGoodError, match="its signature does not fit"):
        verify(to_bytes(Envelope(bytes(edited), envelope.key_id, envelope.signature)), KEY.public, now=NEXT_DAY)


@settings(deadline=None)
@given(st.integers(0, len(CERTIFICATE) - 1))
def test_a_certificate_that_was_cut_short_is_none(length: int) -> None:
    with pytest.raises(NotGoodError):
        verify(CERTIFICATE[:length], KEY.public, now=NEXT_DAY)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_an_envelope_is_read_as_it_was_written_and_in_no_other_way(payload: bytes) -> None:
    envelope = Envelope(payload, KEY.public.key_id, KEY.sign(pre_authentication(payload)))
    assert from_bytes(to_bytes(envelope)) == envelope
    for other in (to_bytes(envelope) + b"\n", to_bytes(envelope).replace(b"  ", b"    "), to_bytes(envelope)[:-1]):
        with pytest.raises(EnvelopeFormatError):
            from_bytes(other)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"payloadType": "text/plain", "payload": "", "signatures": []}',
        b'{"payloadType": "application/vnd.cartsync.report+json", "payload": 7, "signatures": [{}]}',
        REPORT,
    ],
)
def test_what_is_no_certificate_is_said_to_be_none(text: bytes) -> None:
    with pytest.raises(NotGoodError, match=r"it is no certificate|cut short"):
        verify(text, KEY.public, now=NEXT_DAY)


def test_a_certificate_of_another_key_is_not_good() -> None:
    with pytest.raises(NotGoodError, match="names another key"):
        verify(CERTIFICATE, OTHER_KEY.public, now=NEXT_DAY)
    envelope = from_bytes(CERTIFICATE)
    forged = Envelope(envelope.payload, OTHER_KEY.public.key_id, envelope.signature)
    with pytest.raises(NotGoodError, match="its signature does not fit"):
        verify(to_bytes(forged), OTHER_KEY.public, now=NEXT_DAY)


# What somebody might write into a report before certifying it, and how the refusal begins.


def _verdict(report: report_pb2.Report) -> None:
    report.verdict, report.exit_code = report_pb2.RUN_VERDICT_PARTIAL, 5


def _as_baseline(report: report_pb2.Report) -> None:
    report.verdict = report_pb2.RUN_VERDICT_AS_BASELINE


def _hidden_violation(report: report_pb2.Report) -> None:
    report.requirements[0].verdict = verdicts.VIOLATION


def _not_tested(report: report_pb2.Report) -> None:
    report.requirements[0].verdict = verdicts.NOT_TESTABLE


def _profile_as_passed(report: report_pb2.Report) -> None:
    report.requirements[0].verdict = verdicts.NOT_TESTABLE
    report.profiles[0].passed_count -= 1


def _check_did_not_pass(report: report_pb2.Report) -> None:
    report.requirements[0].checks.add(check_id="another", verdict=verdicts.VIOLATION)


def _no_check(report: report_pb2.Report) -> None:
    report.requirements[0].ClearField("checks")


def _must_as_warning(report: report_pb2.Report) -> None:
    requirement = next(r for r in report.requirements if r.level == "MUST")
    requirement.verdict = requirement.checks[0].verdict = verdicts.WARNING
    report.profiles[0].passed_count -= 1


def _left_out(report: report_pb2.Report) -> None:
    del report.requirements[0]
    report.profiles[0].passed_count -= 1
    report.profiles[0].requirement_count -= 1


def _twice(report: report_pb2.Report) -> None:
    report.requirements[1].CopyFrom(report.requirements[0])


def _weaker_sentence(report: report_pb2.Report) -> None:
    report.requirements[0].statement = "Anything goes."


def _profile_not_asked_for(report: report_pb2.Report) -> None:
    report.settings.profiles.append("coupons")


def _empty_profile(report: report_pb2.Report) -> None:
    report.settings.profiles.append("coupons")
    report.profiles.append(report_pb2.ProfileResult(name="coupons", verdict=verdicts.PASSED))


def _no_profile(report: report_pb2.Report) -> None:
    for name in ("profiles", "requirements", "findings"):
        report.ClearField(name)
    report.settings.ClearField("profiles")


def _other_finding(report: report_pb2.Report) -> None:
    report.findings.append(report_pb2.Finding(slug="cart/add-adds", verdict=verdicts.VIOLATION))


def _excused(report: report_pb2.Report) -> None:
    report.baseline.known.append(report_pb2.KnownFailure(slug=report.requirements[0].slug, reason="later"))


def _no_digest(report: report_pb2.Report) -> None:
    report.edition.ClearField("digest")


def _no_plans(report: report_pb2.Report) -> None:
    report.settings.ClearField("plan_digest")


def _shard_without_plans(report: report_pb2.Report) -> None:
    report.shards.extend([report_pb2.Shard(plan_digest="ab"), report_pb2.Shard()])


def _no_time(report: report_pb2.Report) -> None:
    report.ClearField("start_time")


def _released_edition_with_other_requirements(report: report_pb2.Report) -> None:
    report.edition.name, report.edition.digest = "1.0-draft.1", "cd" * 32


EDITS: list[tuple[Callable[[report_pb2.Report], None], str]] = [
    (_verdict, "only a report of RUN_VERDICT_CERTIFIED is a certificate"),
    (_as_baseline, "RUN_VERDICT_AS_BASELINE: only a report of RUN_VERDICT_CERTIFIED"),
    (_hidden_violation, "does not follow from"),
    (_not_tested, "does not follow from"),
    (_profile_as_passed, "does not follow from"),
    (_check_did_not_pass, "one of them did not pass"),
    (_no_check, "none of them passed"),
    (_must_as_warning, "calls .* a warning, which is a MUST"),
    (_left_out, "does not judge the requirements that edition"),
    (_twice, "it judges .* 2 times"),
    (_weaker_sentence, "does not judge the requirements that edition"),
    (_profile_not_asked_for, "not those that its settings ask for"),
    (_empty_profile, "has no requirement of the profile coupons"),
    (_no_profile, "names no profile"),
    (_other_finding, "a finding on cart/add-adds that its verdict does not count"),
    (_excused, "what is excused is not met"),
    (_no_digest, r"edition\.digest is missing"),
    (_no_plans, "no digest of the plans"),
    (_shard_without_plans, "no digest of the plans"),
    (_no_time, "start_time is missing"),
    (_released_edition_with_other_requirements, "which is released and never changes"),
]


@pytest.mark.parametrize(("edit", "sentence"), EDITS, ids=[edit.__name__.strip("_") for edit, _ in EDITS])
def test_a_report_whose_verdict_does_not_follow_is_neither_certified_nor_good(
    edit: Callable[[report_pb2.Report], None], sentence: str
) -> None:
    report = certified()
    edit(report)
    content = as_file(report)
    with pytest.raises(RefusedError, match=sentence):
        certify(content, KEY)
    signed_all_the_same = Envelope(content, KEY.public.key_id, KEY.sign(pre_authentication(content)))
    with pytest.raises(NotGoodError, match=sentence):
        verify(to_bytes(signed_all_the_same), KEY.public, now=NEXT_DAY)


@settings(deadline=None)
@given(st.data())
def test_a_report_with_any_verdict_made_worse_is_not_certified(data: st.DataObject) -> None:
    report = certified()
    worse = data.draw(st.sampled_from([verdicts.VIOLATION, verdicts.NOT_TESTABLE, verdicts.SUITE_ERROR]))
    parts: list[report_pb2.RequirementResult | report_pb2.ProfileResult] = [*report.requirements, *report.profiles]
    data.draw(st.sampled_from(parts)).verdict = worse
    with pytest.raises(RefusedError):
        certify(as_file(report), KEY)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"verdict": 1, "verdict": 2}'])
def test_what_is_no_report_is_refused(content: bytes) -> None:
    with pytest.raises(RefusedError):
        certify(content, KEY)


def test_a_report_with_fields_that_this_suite_does_not_know_is_refused() -> None:
    newer = json.dumps({**json.loads(REPORT), "moonPhase": "full"}).encode()
    with pytest.raises(RefusedError, match="no older than the one that wrote it"):
        certify(newer, KEY)


def test_a_working_copy_of_another_day_is_good_and_said_not_to_be_compared() -> None:
    report = certified()
    report.edition.digest = "ef" * 32
    good = verify(certify(as_file(report), KEY), KEY.public, now=NEXT_DAY)
    assert not good.compared
    assert "were not compared" in dict(facts(good))["requirements"]


@pytest.mark.parametrize(
    ("demands", "sentence"),
    [
        (Demands(max_age=timedelta(hours=23)), "too old: the run ended 24 hours ago, and at most 23 hours are allowed"),
        (Demands(edition="1.0-draft.1"), "judged by edition .* where 1.0-draft.1 is demanded"),
        (Demands(profiles=("core", "coupons")), "does not certify the profile coupons, only core, streaming"),
        (Demands(target_name="globex"), "calls itself 'acme-cart', where 'globex' is demanded"),
    ],
)
def test_a_certificate_that_is_not_what_was_demanded_is_not_good(demands: Demands, sentence: str) -> None:
    with pytest.raises(NotGoodError, match=sentence):
        verify(CERTIFICATE, KEY.public, now=NEXT_DAY, demands=demands)


def test_demands_that_are_met_are_no_hindrance() -> None:
    demands = Demands(timedelta(days=1), certified().edition.name, ("streaming",), "acme-cart")
    assert verify(CERTIFICATE, KEY.public, now=NEXT_DAY, demands=demands)


def test_a_certificate_of_the_future_is_not_good_but_for_a_clock_that_is_ahead_a_little() -> None:
    end = BEGAN + LASTED
    assert verify(CERTIFICATE, KEY.public, now=end - timedelta(minutes=9))
    with pytest.raises(NotGoodError, match="in the future"):
        verify(CERTIFICATE, KEY.public, now=end - timedelta(minutes=11))


def test_no_control_character_of_a_report_reaches_the_reader() -> None:
    report = certified()
    report.target.name = "acme\x1b[2J\u202e"
    good = verify(certify(as_file(report), KEY), KEY.public, now=NEXT_DAY)
    assert all(value.isprintable() for _, value in facts(good))


# Keys.


def test_a_key_is_read_as_it_was_written() -> None:
    assert private_key_of(KEY.pem()).public.key_id == KEY.public.key_id
    assert private_key_of(KEY.pem("open sesame"), "open sesame").public.key_id == KEY.public.key_id
    assert public_key_of(KEY.public.pem()).key_id == KEY.public.key_id
    assert KEY.public.key_id != OTHER_KEY.public.key_id


@pytest.mark.parametrize(
    ("pem", "passphrase", "sentence"),
    [
        (KEY.pem("open sesame"), "", "it has a passphrase: put it into CARTSYNC_SIGN_PASSPHRASE"),
        (KEY.pem("open sesame"), "wrong", "the passphrase in CARTSYNC_SIGN_PASSPHRASE does not open it"),
        (KEY.pem(), "superfluous", "it has no passphrase"),
        (KEY.public.pem(), "", "no private key in PEM"),
        (b"", "", "no private key in PEM"),
    ],
)
def test_a_private_key_that_cannot_be_used_is_told_without_its_secrets(
    pem: bytes, passphrase: str, sentence: str
) -> None:
    with pytest.raises(KeyFormatError, match=sentence) as refused:
        private_key_of(pem, passphrase)
    assert "sesame" not in str(refused.value)
    assert not passphrase or passphrase not in str(refused.value)


def test_a_private_key_is_not_taken_for_a_public_one() -> None:
    with pytest.raises(KeyFormatError, match="give its public half"):
        public_key_of(KEY.pem())
    with pytest.raises(KeyFormatError, match="no public key"):
        public_key_of(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")


def test_no_key_is_in_its_representation() -> None:
    assert repr(KEY) == "PrivateKey()"
