"""Checks of spec 11: payment methods by token, asked about when they are decided."""

from __future__ import annotations

from functools import partial

import grpc
import pytest
from cartsync.v1 import outcome_pb2, payment_methods_pb2, reason_pb2

from conformance.suite.evidence import expect_undecided, expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart, twin_of
from conformance.suite.races import answer, held, overtake, read_beside, read_meanwhile
from conformance.wire import Device, Story


@requirement("payment/save")
def test_a_payment_method_is_kept_under_its_id(story: Story) -> None:
    """Saves two payment methods; each is there, with provider and label."""
    phone = story.device()
    first = _saved(story, phone, "one", label="Everyday")
    second = _saved(story, phone, "two", provider="other-pay")
    expected = {first: ("acme", "Everyday"), second: ("other-pay", "")}
    observed = {m.payment_method_id: (m.provider, m.label) for m in phone.payment_methods().payment_methods}
    story.expect(observed == expected, "other payment methods are kept", expected=expected, observed=observed)


@requirement("payment/save")
def test_saving_under_an_id_that_is_there_replaces_it(story: Story) -> None:
    """Saves twice under one id from two devices, with other tokens: the later one is there, once."""
    phone, tablet = story.device("phone"), story.device("tablet")
    name = _saved(story, phone, "one", brand="visa", last_four="1111")
    token = _token(story, "two", brand="mastercard", last_four="2222")
    story.expect_applied(tablet.submit(tablet.save_payment_method(name, token, label="New")).only)
    methods = phone.payment_methods().payment_methods
    observed = [(m.payment_method_id, m.brand, m.last_four, m.label) for m in methods]
    expected = [(name, "mastercard", "2222", "New")]
    story.expect(observed == expected, "a payment method was not replaced", expected=expected, observed=observed)


@requirement("payment/save")
def test_saving_what_is_there_changes_nothing(story: Story) -> None:
    """Saves the same token with the same label under the same id again: applied, nothing changed."""
    phone = story.device()
    token = _token(story, "one")
    name = phone.new_key()
    story.expect_applied(phone.submit(phone.save_payment_method(name, token)).only)
    story.expect_applied(phone.submit(phone.save_payment_method(name, token)).only, changed=False)
    story.expect_applied(phone.submit(phone.save_payment_method(name, token, label="New")).only)


@requirement("payment/save")
def test_another_token_is_a_change_though_it_looks_alike(story: Story) -> None:
    """Replaces a token by another one of which the provider says the same."""
    phone = story.device()
    name = _saved(story, phone, "one")
    other = phone.save_payment_method(name, _token(story, "two"))
    story.expect_applied(phone.submit(other).only)


@requirement("payment/save")
def test_a_token_may_stand_under_two_ids(story: Story) -> None:
    """Saves one token under two ids."""
    phone = story.device()
    names = sorted([_saved(story, phone, "one"), _saved(story, phone, "one")])
    observed = [method.payment_method_id for method in phone.payment_methods().payment_methods]
    story.expect(observed == names, "other payment methods are kept", expected=names, observed=observed)


@requirement("payment/as-provided", "payment/listing")
def test_what_is_shown_is_what_the_provider_said(story: Story) -> None:
    """Saves tokens of which the provider gives all, some or none of the details."""
    phone = story.device()
    cases = [("visa", "4242", 12, 2031), ("A. Brand \u00dc", "0007", 1, 2099), ("", "", 0, 0)]
    names = []
    for number, (brand, last_four, month, year) in enumerate(cases):
        token = _token(story, f"t{number}", brand=brand, last_four=last_four, expiry_month=month, expiry_year=year)
        names.append(phone.new_key())
        story.expect_applied(phone.submit(phone.save_payment_method(names[-1], token)).only, slug="payment/save")
    shown = {m.payment_method_id: m for m in phone.payment_methods().payment_methods}
    story.expect(
        sorted(shown) == sorted(names),
        "other payment methods are listed than were saved",
        expected=sorted(names),
        observed=sorted(shown),
        slug="payment/listing",
    )
    for name, case in zip(names, cases, strict=True):
        method = shown[name]
        observed = (method.brand, method.last_four, method.expiry_month, method.expiry_year)
        story.expect(
            observed == case,
            "a payment method is shown otherwise",
            expected=case,
            observed=observed,
            slug="payment/as-provided",
        )


@requirement("payment/as-provided", "payment/listing")
@pytest.mark.parametrize("valid", [True, False], ids=["otherwise described", "dropped"])
def test_what_the_provider_says_later_is_not_shown(story: Story, valid: bool) -> None:
    """Lets the provider change its mind about a token that was saved: what it said then stays."""
    phone = story.device()
    token = _token(story, "one", brand="visa", last_four="1111")
    name = phone.new_key()
    story.expect_applied(phone.submit(phone.save_payment_method(name, token)).only, slug="payment/save")
    _token(story, "one", brand="mastercard", last_four="2222", valid=valid)
    listed = phone.payment_methods().payment_methods
    story.expect(
        [method.payment_method_id for method in listed] == [name],
        "a payment method is not listed whose token the provider dropped later",
        expected=[name],
        observed=listed,
        slug="payment/listing",
    )
    story.expect(
        (listed[0].brand, listed[0].last_four) == ("visa", "1111"),
        "a saved payment method shows what the provider said later",
        expected="visa 1111",
        observed=f"{listed[0].brand} {listed[0].last_four}",
        slug="payment/as-provided",
    )


@requirement("payment/as-provided")
def test_what_is_shown_is_of_the_latest_save(story: Story) -> None:
    """Saves a token, lets the provider describe it otherwise, and saves it again under the same id and another."""
    phone = story.device()
    name = _saved(story, phone, "one", brand="visa", last_four="1111")
    token = _token(story, "one", brand="visa debit", last_four="2222")
    for again in (name, phone.new_key()):
        operation = phone.save_payment_method(again, token)
        story.expect_applied(phone.submit(operation).only, changed=None, slug="payment/save")
    observed = [(method.brand, method.last_four) for method in phone.payment_methods().payment_methods]
    expected = [("visa debit", "2222")] * 2
    story.expect(observed == expected, "a payment method is shown otherwise", expected=expected, observed=observed)


@requirement("payment/token-checked")
def test_a_token_is_checked_when_it_is_decided(story: Story) -> None:
    """Saves a token the provider never heard of, one it stands by no longer, and one it stands by only now."""
    phone = story.device()
    unknown = phone.save_payment_method(phone.new_key(), f"unknown-{story.tag}")
    story.expect_refused(phone.submit(unknown).only, reason_pb2.REASON_PAYMENT_TOKEN_INVALID)
    gone = phone.save_payment_method(phone.new_key(), _token(story, "gone"))
    _token(story, "gone", valid=False)
    story.expect_refused(phone.submit(gone).only, reason_pb2.REASON_PAYMENT_TOKEN_INVALID)
    other = phone.save_payment_method(phone.new_key(), _token(story, "good"), provider="other-pay-2")
    story.expect_refused(phone.submit(other).only, reason_pb2.REASON_PAYMENT_TOKEN_INVALID)
    late = phone.save_payment_method(phone.new_key(), f"late-{story.tag}")
    _token(story, "late")
    story.expect_applied(phone.submit(late).only)
    story.expect(len(phone.payment_methods().payment_methods) == 1, "a refused payment method is kept")


@requirement("payment/token-checked")
def test_the_provider_is_asked_anew_at_every_save(story: Story) -> None:
    """Saves a good token, and again when it is good no longer; then a bad one, and again when it has become good."""
    phone = story.device()
    name = _saved(story, phone, "one", label="First")
    token = _token(story, "one", valid=False)
    for again in (name, phone.new_key()):
        refused = phone.submit(phone.save_payment_method(again, token, label="Again")).only
        story.expect_refused(refused, reason_pb2.REASON_PAYMENT_TOKEN_INVALID)
    listed = [(method.payment_method_id, method.label) for method in phone.payment_methods().payment_methods]
    story.expect(
        listed == [(name, "First")], "a refused save left its mark", expected=[(name, "First")], observed=listed
    )
    early = phone.submit(phone.save_payment_method(phone.new_key(), f"late-{story.tag}")).only
    story.expect_refused(early, reason_pb2.REASON_PAYMENT_TOKEN_INVALID)
    late = phone.save_payment_method(phone.new_key(), _token(story, "late"))
    story.expect_applied(phone.submit(late).only)


@requirement("payment/token-hidden")
def test_no_answer_shows_the_token(story: Story) -> None:
    """Saves, replaces, fails to save, looks up and lists: the token is in none of the answers."""
    phone = story.device()
    secret = f"hidden-{story.tag}"
    story.shop.payment_token(secret)
    operation = phone.save_payment_method(phone.new_key(), secret, label="Everyday")
    answers = [phone.connection.submit(phone.request(operation)), phone.connection.submit(phone.request(operation))]
    story.expect_applied(answers[0].results[0], slug="payment/save")
    _saved(story, phone, "hidden")  # without a label, in whose place a token might be shown
    told_unlabelled = phone.payment_methods()
    story.shop.payment_token(secret, valid=False)
    again = phone.save_payment_method(phone.new_key(), secret)
    answers.append(phone.connection.submit(phone.request(again)))
    malformed = phone.save_payment_method(phone.new_key(), f"{secret} \u00e9")
    answers.append(phone.connection.submit(phone.request(malformed)))
    told = [*answers, told_unlabelled, phone.lookup(1, 4), phone.payment_methods(), phone.cart()]
    for message in told:
        story.expect(
            secret.encode() not in message.SerializeToString(),
            f"a {message.DESCRIPTOR.name} shows a provider's token",
            observed=message,
        )


@requirement("payment/replay-unchecked")
def test_a_duplicate_is_answered_whatever_the_provider_says_by_then(story: Story) -> None:
    """Sends a decided save again after the provider dropped the token, and while it is unreachable."""
    phone = story.device()
    operation = phone.save_payment_method(phone.new_key(), _token(story, "one"))
    first = story.expect_applied(phone.submit(operation).only, slug="payment/save")
    _token(story, "one", valid=False)
    story.expect_replayed(phone.submit(operation).only, first)
    story.shop.backend(available=False)
    story.expect_replayed(phone.submit(operation).only, first)


@requirement("payment/replay-unchecked")
def test_a_recorded_refusal_stays_when_the_token_turns_good(story: Story) -> None:
    """Has a save rejected for its token, then lets the provider stand by it: the duplicate is still rejected."""
    phone = story.device()
    operation = phone.save_payment_method(phone.new_key(), f"late-{story.tag}")
    refused = story.expect_refused(
        phone.submit(operation).only, reason_pb2.REASON_PAYMENT_TOKEN_INVALID, slug="payment/token-checked"
    )
    _token(story, "late")
    story.expect_replayed(phone.submit(operation).only, refused)
    story.expect(not phone.payment_methods().payment_methods, "a rejected payment method is kept")


@requirement("payment/backend")
def test_saving_waits_for_the_provider_and_deleting_does_not(story: Story) -> None:
    """Makes the provider unreachable: a deletion is applied, a save deferred and decided when it is back."""
    phone = story.device()
    name = _saved(story, phone, "one")
    token = _token(story, "two")
    story.shop.backend(available=False)
    story.expect_applied(phone.submit(phone.delete_payment_method(name)).only)
    save = phone.save_payment_method(phone.new_key(), token)
    for _ in range(2):
        refused = story.expect_refused(phone.submit(save).only, reason_pb2.REASON_BACKEND_UNAVAILABLE)
        story.expect(refused.refusal.HasField("retry_delay"), "a deferral has no delay", slug="answers/details")
    story.shop.backend(available=True)
    expect_undecided(story, phone, save)
    story.expect_applied(phone.submit(save).only)


@requirement("payment/rate-limited")
def test_saving_has_a_limit_of_its_own(story: Story) -> None:
    """Allows one save: the second waits, unrecorded and with a delay, while other operations pass."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    story.shop.payment_rate_limit(1)
    name = _saved(story, phone, "one")
    save = tablet.save_payment_method(tablet.new_key(), _token(story, "two"))
    for _ in range(2):
        said = tablet.submit(save)
        refused = story.expect_refused(said.only, reason_pb2.REASON_RATE_LIMITED)
        story.expect(refused.refusal.HasField("retry_delay"), "a deferral has no delay", slug="answers/details")
        expect_watermark(story, said, 0)
    for other in (phone.add(tea, 2), phone.delete_payment_method(name)):
        story.expect_applied(phone.submit(other).only)
    story.shop.payment_rate_limit(1)
    story.expect_applied(tablet.submit(save).only)
    late = phone.save_payment_method(phone.new_key(), _token(story, "three"))
    story.expect_refused(phone.submit(late).only, reason_pb2.REASON_RATE_LIMITED)


@requirement("payment/rate-limited")
def test_a_rejected_save_is_charged_and_a_duplicate_is_not(story: Story) -> None:
    """Allows two saves: duplicates cost nothing, and whoever tries bad tokens uses the limit up."""
    phone = story.device()
    story.shop.payment_rate_limit(2)
    first = phone.save_payment_method(phone.new_key(), _token(story, "one"))
    outcome = story.expect_applied(phone.submit(first).only, slug="payment/save")
    for _ in range(3):
        story.expect_replayed(phone.submit(first).only, outcome)
    bad = phone.save_payment_method(phone.new_key(), f"bad-{story.tag}")
    story.expect_refused(phone.submit(bad).only, reason_pb2.REASON_PAYMENT_TOKEN_INVALID, slug="payment/token-checked")
    third = phone.save_payment_method(phone.new_key(), _token(story, "three"))
    story.expect_refused(phone.submit(third).only, reason_pb2.REASON_RATE_LIMITED)
    story.expect_replayed(phone.submit(first).only, outcome)


@requirement("payment/delete")
def test_a_deleted_payment_method_is_gone(story: Story) -> None:
    """Deletes one of two; deleting it again, or one that never was, is applied and changes nothing."""
    phone, tablet = story.device("phone"), story.device("tablet")
    first, second = _saved(story, phone, "one"), _saved(story, phone, "two")
    story.expect_applied(tablet.submit(tablet.delete_payment_method(first)).only)
    for missing in (first, phone.new_key()):
        story.expect_applied(phone.submit(phone.delete_payment_method(missing)).only, changed=False)
    observed = [m.payment_method_id for m in phone.payment_methods().payment_methods]
    story.expect(observed == [second], "a deletion left other payment methods", expected=[second], observed=observed)


@requirement("payment/full")
def test_a_full_set_takes_replacements_and_no_more(story: Story) -> None:
    """Saves as many as there may be, then one more, one in the place of another, and one after a deletion."""
    phone = story.device()
    most = story.policy.max_payment_method_count
    story.expect(
        5 <= most <= 100, "max_payment_method_count is out of its bounds", observed=most, slug="policy/limit-floors"
    )
    story.shop.payment_rate_limit(most + 10)
    token = _token(story, "one")
    names = [phone.new_key() for _ in range(most)]
    for result in phone.submit(*(phone.save_payment_method(name, token) for name in names)).results:
        story.expect_applied(result)
    more = phone.new_key()
    story.expect_refused(
        phone.submit(phone.save_payment_method(more, token)).only, reason_pb2.REASON_PAYMENT_METHODS_FULL
    )
    story.expect_applied(phone.submit(phone.save_payment_method(names[0], token, label="New")).only)
    story.expect_applied(phone.submit(phone.delete_payment_method(names[1])).only, slug="payment/delete")
    story.expect_applied(phone.submit(phone.save_payment_method(more, token)).only)


WRONG: dict[str, dict[str, str]] = {
    "payment_method_id": {"payment_method_id": "card"},
    "payment_method_id in capitals": {"payment_method_id": "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE"},
    "provider missing": {"provider": ""},
    "provider with a space": {"provider": "ac me"},
    "provider too long": {"provider": "p" * 65},
    "provider_token missing": {"provider_token": ""},
    "provider_token with a space": {"provider_token": "to ken"},
    "provider_token beyond ASCII": {"provider_token": "t\u00f6ken"},
    "provider_token too long": {"provider_token": "t" * 513},
    "label too long": {"label": "l" * 65},
    "label with a control character": {"label": "a\nb"},
}


@requirement("payment/fields")
@pytest.mark.parametrize("case", WRONG)
def test_a_field_out_of_its_range_is_refused(story: Story, case: str) -> None:
    """Saves a payment method with one field that cannot be."""
    phone = story.device()
    operation = phone.save_payment_method(phone.new_key(), _token(story, "one"))
    for field, value in WRONG[case].items():
        setattr(operation.save_payment_method, field, value)
    refused = story.expect_refused(phone.submit(operation).only, reason_pb2.REASON_MALFORMED)
    named = [violation.field for violation in refused.refusal.field_violations]
    story.expect(
        any(case.split(maxsplit=1)[0] in name for name in named),
        "the refusal does not name the wrong field",
        expected=case.split(maxsplit=1)[0],
        observed=named,
        slug="deciding/malformed",
    )


@requirement("payment/fields")
def test_fields_are_taken_up_to_their_limits(story: Story) -> None:
    """Saves with a token of 512 characters, a provider of 64 and a label of 64 code points."""
    phone = story.device()
    token, provider, label = "~" * 512, "P" * 64, "\U0001f3e0" * 64
    story.shop.payment_token(token, provider=provider)
    operation = phone.save_payment_method(phone.new_key(), token, provider=provider, label=label)
    story.expect_applied(phone.submit(operation).only)
    shown = [(method.provider, method.label) for method in phone.payment_methods().payment_methods]
    story.expect(
        shown == [(provider, label)],
        "provider or label is shown otherwise",
        expected=[(provider, label)],
        observed=shown,
    )


@requirement("payment/revision")
def test_every_change_has_a_revision_of_its_own(story: Story) -> None:
    """Saves and deletes from two devices while a cart changes too: revisions rise, others keep them."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    story.expect(phone.payment_methods().revision == 0, "there is a revision before there was a payment method")
    outcomes: list[outcome_pb2.Outcome] = []
    names = [phone.new_key(), phone.new_key()]
    for device, name, token in ((phone, names[0], "one"), (tablet, names[1], "two")):
        save = device.save_payment_method(name, _token(story, token))
        outcomes.append(story.expect_applied(device.submit(save).only))
        put_in_cart(story, phone, tea)
    outcomes.append(story.expect_applied(phone.submit(phone.delete_payment_method(names[0])).only))
    revisions = [outcome.revision for outcome in outcomes]
    story.expect(
        revisions == sorted(set(revisions)) and revisions[0] > 0,
        "the changes of the payment methods do not have rising revisions",
        observed=revisions,
    )
    bad = phone.submit(phone.save_payment_method(phone.new_key(), f"bad-{story.tag}")).only
    refused = story.expect_refused(bad, reason_pb2.REASON_PAYMENT_TOKEN_INVALID, slug="payment/token-checked")
    same = story.expect_applied(phone.submit(phone.delete_payment_method(names[0])).only, changed=False)
    shown = phone.payment_methods().revision
    story.expect(
        refused.revision == same.revision == shown == revisions[-1],
        "what changed nothing carries another revision",
        expected=revisions[-1],
        observed=(refused.revision, same.revision, shown),
    )


@requirement("payment/concurrent")
def test_saves_of_two_devices_raced_are_both_kept(story: Story) -> None:
    """Holds one device's save before its commit while another's overtakes it."""
    phone, tablet = story.device("phone"), story.device("tablet")
    one, two = _token(story, "one"), _token(story, "two")
    names = [phone.new_key(), tablet.new_key()]
    with held(story, phone, phone.save_payment_method(names[0], one)) as pending:
        overtaking = overtake(tablet, tablet.save_payment_method(names[1], two))
    outcomes = [story.expect_applied(answer(call).only) for call in (pending, overtaking)]
    observed = [m.payment_method_id for m in phone.payment_methods().payment_methods]
    story.expect(observed == sorted(names), "of two raced saves one is lost", expected=sorted(names), observed=observed)
    story.expect(outcomes[0].revision != outcomes[1].revision, "two changes have one revision")


@requirement("payment/listing")
def test_payment_methods_are_listed_by_id_with_their_last_change(story: Story) -> None:
    """Saves three and replaces one: listed in ascending order of id, each with the revision of its change."""
    phone = story.device()
    last: dict[str, int] = {}
    for token in ("one", "two", "three"):
        name = phone.new_key()
        save = phone.save_payment_method(name, _token(story, token))
        last[name] = story.expect_applied(phone.submit(save).only, slug="payment/save").revision
    again = phone.save_payment_method(min(last), _token(story, "one"), label="New")
    last[min(last)] = story.expect_applied(phone.submit(again).only, slug="payment/save").revision
    observed = [(m.payment_method_id, m.change_revision) for m in phone.payment_methods().payment_methods]
    story.expect(
        observed == sorted(last.items()),
        "the payment methods are listed otherwise than they are",
        expected=sorted(last.items()),
        observed=observed,
    )


@requirement("payment/listing")
def test_the_list_and_the_watermark_are_of_one_instant(story: Story) -> None:
    """Reads while a save is held before its commit: method and watermark are both there, or neither."""
    phone = story.device()
    _saved(story, phone, "one")
    save = phone.save_payment_method(phone.new_key(), _token(story, "two"))
    request = payment_methods_pb2.ListPaymentMethodsRequest(queue_id=phone.queue_id)
    with held(story, phone, save):
        reader = story.connect("reader")
        beside = read_beside(lambda seconds: reader.list_payment_methods(request, seconds))
    for seen in (beside, phone.payment_methods()):
        if seen is not None:
            count, watermark = len(seen.payment_methods), seen.queue.decided_through_sequence
            story.expect(
                count == watermark, "list and watermark are of different instants", observed=(count, watermark)
            )
    story.expect_status(
        partial(phone.connection.list_payment_methods, payment_methods_pb2.ListPaymentMethodsRequest(queue_id="queue")),
        grpc.StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_INVALID",
        field="queue_id",
        what="ListPaymentMethods with a malformed queue id",
    )


@requirement("payment/listing")
def test_lists_read_while_saves_come_in_are_of_one_instant(story: Story) -> None:
    """Reads list and watermark over and over while saves come in, each of which writes its own sequence."""
    phone = story.device()
    reader = twin_of(story, phone, "reader")
    token, name = _token(story, "one"), _saved(story, phone, "one", label="1")

    def look() -> None:
        seen = reader.payment_methods()
        labels, watermark = [method.label for method in seen.payment_methods], seen.queue.decided_through_sequence
        story.expect(
            labels == [str(watermark)],
            "list and watermark are of different instants",
            expected=[str(watermark)],
            observed=labels,
        )

    read_meanwhile(phone, lambda: phone.save_payment_method(name, token, label=str(len(phone.log) + 1)), look)


def _token(
    story: Story,
    name: str,
    *,
    provider: str = "acme",
    valid: bool = True,
    brand: str = "visa",
    last_four: str = "4242",
    expiry_month: int = 12,
    expiry_year: int = 2030,
) -> str:
    """A token of this story's own; the provider is told what to say of it."""
    token = f"{name}-{story.tag}"
    story.shop.payment_token(
        token,
        provider=provider,
        valid=valid,
        brand=brand,
        last_four=last_four,
        expiry_month=expiry_month,
        expiry_year=expiry_year,
    )
    return token


def _saved(
    story: Story,
    device: Device,
    name: str,
    *,
    provider: str = "acme",
    label: str = "",
    brand: str = "visa",
    last_four: str = "4242",
) -> str:
    """A payment method that was saved; its id."""
    token = _token(story, name, provider=provider, brand=brand, last_four=last_four)
    payment_method_id = device.new_key()
    operation = device.save_payment_method(payment_method_id, token, provider=provider, label=label)
    story.expect_applied(device.submit(operation).only, slug="payment/save")
    return payment_method_id
