"""No file of a run holds a card number, though its stories are full of them (spec: section 14.4)."""

from __future__ import annotations

import shlex
import sys
import unicodedata
from pathlib import Path

import pytest
from cartsync.v1 import operation_pb2, outcome_pb2
from hypothesis import given
from hypothesis import strategies as st

from conformance.oracle.card_numbers import holds_card_number
from conformance.redaction import redacted_event, redacted_message, redacted_text
from conformance.requirements import load
from conformance.run import NoProgress, RunSettings
from conformance.run.execute import execute
from conformance.suite.test_card_numbers import NUMBERS, SPELLINGS, VISA
from conformance.wire import Event, TargetOptions
from conformance.wire.history import Lane

UUID = "4b4b8a7e-1234-4111-8943-303210010329"  # its last two groups pass for a card number


@pytest.mark.parametrize("text", [*NUMBERS.values(), *SPELLINGS.values()])
def test_a_card_number_loses_its_digits_and_nothing_else(text: str) -> None:
    redacted = redacted_text(f"before {text} after")
    assert not holds_card_number(redacted)
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert len(redacted) == len(f"before {text} after")
    assert "xxx" in redacted


@pytest.mark.parametrize("text", ["", "4111111111111112", "12 High Street, BS1 4DJ", "+44 20 7946 0958", UUID])
def test_what_is_no_card_number_stays(text: str) -> None:
    assert redacted_text(text) == text


@given(st.text(alphabet=st.one_of(st.sampled_from("0123456789-. /\u0664\u0966"), st.characters()), max_size=60))
def test_no_text_keeps_a_card_number(text: str) -> None:
    redacted = redacted_text(text)
    assert not holds_card_number(redacted)
    changed = [old for old, new in zip(text, redacted, strict=True) if old != new]
    assert all(unicodedata.category(character) == "Nd" for character in changed)


def test_identifiers_of_a_message_stay() -> None:
    operation = operation_pb2.CartOperation(
        idempotency_key=UUID,
        required_features=[VISA, "plain"],
        add_item=operation_pb2.AddItem(cart_id=VISA, sku="5001000001092", quantity=1),
    )
    operation.session_context.client_name = f"x {VISA}"
    redacted = redacted_message(operation)
    assert redacted.session_context.client_name == "x xxxxxxxxxxxxxxxx"
    assert list(redacted.required_features) == ["x" * 16, "plain"]
    assert (redacted.idempotency_key, redacted.add_item) == (UUID, operation.add_item)
    assert operation.session_context.client_name == f"x {VISA}"


def test_words_and_message_of_an_event_are_redacted() -> None:
    refusal = outcome_pb2.Refusal(message=f"{VISA} looks like a card number")
    event = redacted_event(Event(0.0, Lane.SERVER, "", f"answers {VISA}", f"says {VISA}", refusal))
    assert VISA not in f"{event.as_json()}"


# A server that gives card numbers back, one that takes them, and one that shows what it should have refused.
WRONG = {
    "echoes-card-numbers": "security/card-number-not-echoed",
    "context-unlooked-at": "security/card-number-unseparated",
    "addresses-unlooked-at": "address/card-number",
    "payment-methods-unlooked-at": "payment/card-number",
}


@pytest.mark.parametrize(("mutant", "slug"), WRONG.items(), ids=WRONG)
def test_the_files_about_a_server_that_leaks_card_numbers_have_none(tmp_path: Path, mutant: str, slug: str) -> None:
    register = load()
    command = f"{shlex.quote(sys.executable)} -m conformance.mutants {mutant}"
    settings = RunSettings.checked(
        register,
        target=TargetOptions(launch=command),
        profiles=register.profiles,
        budget="fast",
        seed=1,
        report_dir=tmp_path,
        only=("test_card_numbers.py*",),
    )
    code, report = execute(register, settings, NoProgress())
    assert code == 1
    assert report is not None
    assert slug in {finding.slug for finding in report.findings}
    files = {file.name: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert {"report.json", "report.html", "junit.xml"} <= files.keys()
    assert any(b"xxxx" in content for content in files.values())
    forms = {VISA, *(text for text in SPELLINGS.values())}
    forms |= {form.encode("unicode_escape").decode() for form in forms}
    leaking = [(name, form) for name, content in files.items() for form in forms if form.encode() in content]
    assert leaking == []


def test_what_opens_something_is_not_shown() -> None:
    claim = operation_pb2.ClaimGuestCart(claim_token="v1.secret", guest_cart_id="main", cart_id="main")
    save = operation_pb2.SavePaymentMethod(provider_token="tok_secret", provider="acme")
    for message in (claim, save):
        shown = redacted_message(message)
        assert "secret" not in str(shown)
        assert "not shown" in str(shown)
