"""Checks of spec 14.4: a card number in the wrong field is refused and kept nowhere, and nothing else is taken for one.

The numbers are the test numbers of card schemes; none was ever issued to anybody.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

import pytest
from cartsync.v1 import operation_pb2, reason_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from conformance.suite.addresses import HOME, changed, expect_book, with_fields
from conformance.suite.edits import edited
from conformance.suite.evidence import expect_effects, expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Device, Story

VISA = "4111111111111111"
REFUSED = reason_pb2.REASON_CARD_NUMBER_REFUSED
NUMBERS = {
    "13 digits": "4222222222222",
    "14 digits": "30569309025904",
    "15 digits": "378282246310005",
    "16 digits": "5555555555554444",
    "17 digits": "50000000000000005",
    "18 digits": "500000000000000009",
    "19 digits": "6304000000000000000",
    "of no known issuer": "9999999999999995",
    "with a zero in front": "0000000000000018",
}
SPELLINGS = {
    "spaces": "4111 1111 1111 1111",
    "hyphens": "4111-1111-1111-1111",
    "dots": "4111.1111.1111.1111",
    "underscores": "4111_1111_1111_1111",
    "slashes": "4111/1111/1111/1111",
    "no-break spaces": "4111\u00a01111\u00a01111\u00a01111",
    "en dashes": "4111\u20131111\u20131111\u20131111",
    "several separators": "4111 - 1111 - 1111 - 1111",
    "odd groups": "41 1111 11111 11111",
    "in a sentence": "my card is 4111111111111111, thanks",
    "between letters": "visa4111111111111111x",
    "behind another number": "Flat 12 4111 1111 1111 1111",
    "before a date": "4111 1111 1111 1111 12/29",
    "full-width digits": "".join(chr(0xFF10 + int(digit)) for digit in VISA),
    "arabic-indic digits": "".join(chr(0x0660 + int(digit)) for digit in VISA),
    "mixed digits": "4111" + "".join(chr(0x0966 + int(digit)) for digit in VISA[4:]),
}
HARMLESS = {
    "one digit off": "4111111111111112",
    "12 digits": "411111111117",
    "20 digits": "41111111111111111111",
    "20 digits that pass": "41111111111111111115",
    "all zeros": "0000000000000000",
    "four separators between": "4111    1111    1111    1111",
    "letters between": "4111a1111b1111c1111",
    "a telephone number": "+44 20 7946 0958",
    "a postal address": "221B Baker Street, London NW1 6XE",
    "a comma between": "41111111,11111111",
}


@requirement("security/card-number-refused", "security/card-number-not-echoed")
@pytest.mark.parametrize("field", ["locale", "client_name", "client_version"])
def test_a_card_number_in_the_session_context_is_refused(story: Story, field: str) -> None:
    """Adds to the cart with a card number in a field of the session context."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2)
    setattr(operation.session_context, field, f"x {VISA}")
    _expect_refused(story, phone, operation, f"session_context.{field}")
    story.expect_lines(phone.cart(), {})
    put_in_cart(story, phone, tea, 1)


@requirement("security/card-number-refused", "security/card-number-not-echoed")
def test_a_card_number_among_the_required_features_is_refused(story: Story) -> None:
    """Requires a feature that is a card number: refused for that, and not named as a missing feature."""
    phone = story.device()
    operation = phone.add(story.sku(), 2)
    operation.required_features.append(VISA)
    _expect_refused(story, phone, operation, "required_features")


@requirement("security/card-number-refused", "security/card-number-not-echoed")
@pytest.mark.parametrize("kind", ["apply_coupon", "remove_coupon"])
def test_a_card_number_for_a_coupon_code_is_refused(story: Story, kind: str) -> None:
    """Enters a card number where the code goes; nothing to see where there are no coupons."""
    if "coupons" not in story.policy.profiles:
        return
    phone = story.device()
    put_in_cart(story, phone, story.sku(), 1)
    operation = phone.apply_coupon(VISA) if kind == "apply_coupon" else phone.remove_coupon(VISA)
    _expect_refused(story, phone, operation, f"{kind}.coupon_code")


@requirement("security/card-number-refused")
@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
def test_numbers_of_every_length_are_found(story: Story, number: str) -> None:
    """Uses card numbers of 13 to 19 digits."""
    phone = story.device()
    operation = phone.add(story.sku(), 1)
    operation.session_context.client_name = number
    story.expect_refused(phone.submit(operation).only, REFUSED)


@requirement("security/card-number-unseparated")
@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_card_number_is_found_however_it_is_written(story: Story, text: str) -> None:
    """Writes one card number in many ways."""
    phone = story.device()
    operation = phone.add(story.sku(), 1)
    operation.session_context.client_name = text
    story.expect_refused(phone.submit(operation).only, REFUSED)


@requirement("security/identifiers-exempt")
@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_digits_that_are_no_card_number_pass(story: Story, text: str) -> None:
    """Writes digits that only look like a card number at first sight."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2)
    operation.session_context.client_name = text
    story.expect_applied(phone.submit(operation).only)


@requirement("security/identifiers-exempt")
def test_a_gtin_is_a_good_sku(story: Story) -> None:
    """Uses a GTIN of 13 digits that passes the Luhn check as SKU, wish and line, and such digits as cart id."""
    gtin = "5001000001092"  # a good EAN-13 whose digits pass the Luhn check too
    story.expect(
        _passes(gtin), "the check's own number does not pass the Luhn check", slug="security/identifiers-exempt"
    )
    story.shop.offer(gtin, 100)
    phone = story.device(cart_id=NUMBERS["16 digits"])
    story.expect_applied(phone.submit(phone.add(gtin, 2)).only)
    story.expect_applied(phone.submit(phone.set(gtin, 3)).only)
    story.expect_lines(phone.cart(), {gtin: 3})
    if "wishlist" in story.policy.profiles:
        story.expect_applied(phone.submit(phone.wish(gtin)).only)
    story.expect_applied(phone.submit(phone.remove(gtin)).only)


@requirement("security/identifiers-exempt")
def test_a_uuid_whose_digits_pass_is_a_good_name(story: Story) -> None:
    """Uses UUIDs whose digits pass the Luhn check as queue, keys, and ids of an address and a payment method."""
    tea = story.sku()
    phone = story.device()
    phone.queue_id = _uuid(phone.new_key())
    operations = [phone.add(tea, 1), phone.add(tea, 1)]
    operations[0].idempotency_key = operations[1].previous_key = _uuid(phone.new_key())
    operations[1].idempotency_key = phone.log[-1].idempotency_key = _uuid(phone.new_key())
    for result in phone.submit(*operations).results:
        story.expect_applied(result)
    if "address_book" in story.policy.profiles:
        story.expect_applied(phone.submit(phone.put_address(_uuid(phone.new_key()), HOME)).only)
    if "payment_methods" in story.policy.profiles:
        story.shop.payment_token(f"token-{story.tag}")
        save = phone.save_payment_method(_uuid(phone.new_key()), f"token-{story.tag}")
        story.expect_applied(phone.submit(save).only)


@requirement("security/identifiers-exempt")
def test_every_text_is_looked_at_for_itself(story: Story) -> None:
    """Spreads the digits of a card number over fields, over features and over the lines of an address."""
    phone = story.device()
    operation = phone.add(story.sku(), 1)
    operation.session_context.client_name, operation.session_context.client_version = VISA[:8], VISA[8:]
    story.expect_applied(phone.submit(operation).only)
    if "address_book" in story.policy.profiles:
        lines = changed(HOME, address_lines=["Unit 41111111", "11111111"], label=VISA[:8])
        story.expect_applied(phone.submit(phone.put_address(phone.new_key(), lines)).only)


@requirement("discard/cancels-undecided")
def test_a_discard_is_not_looked_through(story: Story) -> None:
    """Discards an operation by a discard whose session context holds a card number; so did the operation's."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2)
    operation.session_context.client_name = VISA
    discard = phone.discard_of(operation)
    discard.session_context.client_name = VISA
    story.expect_applied(phone.submit(discard).only, changed=False)
    story.expect_lines(phone.cart(), {})


@requirement("security/card-number-refused")
def test_the_refusal_is_recorded_and_any_card_number_is_its_duplicate(story: Story) -> None:
    """Sends the refused operation again, with another card number, and with none."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2)
    operation.session_context.client_name = VISA
    first = phone.submit(operation)
    refused = story.expect_refused(first.only, REFUSED)
    expect_watermark(story, first, 1)
    story.expect_replayed(phone.submit(operation).only, refused)
    other = edited(operation)
    other.session_context.client_name = NUMBERS["15 digits"]
    story.expect_replayed(phone.submit(other).only, refused)
    none = edited(operation)
    none.session_context.client_name = "shop app"
    story.expect_refused(phone.submit(none).only, reason_pb2.REASON_PAYLOAD_MISMATCH)
    answer = phone.submit(phone.add(tea, 1))
    story.expect_applied(answer.only, slug="deciding/rejection-advances")
    expect_watermark(story, answer, 2)


@requirement("security/card-number-refused")
def test_it_comes_before_what_would_tell_of_the_payload(story: Story) -> None:
    """Has a card number, a missing feature, a malformed field and a closed cart at once: the card number is told."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 1)
    story.shop.close_cart(phone.cart_id)
    operation = phone.add(tea, 0)
    operation.required_features.append("levitation")
    operation.session_context.client_name = VISA
    story.expect_refused(phone.submit(operation).only, REFUSED)


@requirement("address/card-number", "security/card-number-not-echoed")
@pytest.mark.parametrize("masked", [True, False], ids=["masked", "not masked"])
@pytest.mark.parametrize("field", [f.name for f, _ in HOME.ListFields()])
def test_a_card_number_in_an_address_is_refused(story: Story, field: str, masked: bool) -> None:
    """Makes an address with a card number in one text, masked or not; nothing to see where there are no addresses."""
    if "address_book" not in story.policy.profiles:
        return
    phone = story.device()
    value: object = ["1 High Street", VISA] if field == "address_lines" else VISA
    mask = [f.name for f, _ in HOME.ListFields() if masked or f.name != field]
    operation = phone.put_address(phone.new_key(), changed(HOME, **{field: value}), mask=mask)
    _expect_refused(story, phone, operation, f"put_address.address.{field}", slug="address/card-number")
    expect_book(story, phone, {}, slug="address/card-number")


@requirement("address/card-number")
def test_an_address_may_have_digits(story: Story) -> None:
    """Makes an address whose texts hold digits that are no card number."""
    phone = story.device()
    address = changed(HOME, postal_code="00100", delivery_instructions="Code 4711, bell 12, call 020 7946 0958")
    operation = phone.put_address(phone.new_key(), address)
    story.expect_applied(phone.submit(operation).only)
    edit = phone.put_address(operation.put_address.address_id, with_fields(label="4111 1111 1111 1112"))
    story.expect_applied(phone.submit(edit).only)


PAYMENT_FIELDS: dict[str, Callable[[operation_pb2.SavePaymentMethod], None]] = {
    "provider": lambda save: setattr(save, "provider", VISA),
    "provider_token": lambda save: setattr(save, "provider_token", f"tok_{VISA}"),
    "label": lambda save: setattr(save, "label", SPELLINGS["spaces"]),
}


@requirement("payment/card-number", "security/card-number-not-echoed")
@pytest.mark.parametrize("field", PAYMENT_FIELDS)
def test_a_card_number_in_a_payment_method_is_refused(story: Story, field: str) -> None:
    """Saves a payment method with a card number in one of its texts; nothing to see where there are none."""
    if "payment_methods" not in story.policy.profiles:
        return
    phone = story.device()
    token = f"token-{story.tag}"
    for provider, given in (("acme", token), (VISA, token), ("acme", f"tok_{VISA}")):
        story.shop.payment_token(given, provider=provider)
    operation = phone.save_payment_method(phone.new_key(), token)
    PAYMENT_FIELDS[field](operation.save_payment_method)
    _expect_refused(story, phone, operation, f"save_payment_method.{field}", slug="payment/card-number")
    story.expect(
        not phone.payment_methods().payment_methods,
        "a payment method with a card number is kept",
        slug="payment/card-number",
    )


def _expect_refused(
    story: Story,
    phone: Device,
    operation: operation_pb2.CartOperation,
    field: str,
    *,
    slug: str = "security/card-number-refused",
) -> None:
    """Expect CARD_NUMBER_REFUSED that names the field, and the number in no answer, replayed or looked up."""
    response = phone.connection.submit(phone.request(operation))
    refused = story.expect_refused(response.results[0], REFUSED, slug=slug)
    named = [violation.field for violation in refused.refusal.field_violations]
    story.expect(
        any(name.startswith(field) for name in named),
        "the refusal does not name the field with the card number",
        expected=field,
        observed=named,
        slug=slug,
    )
    watermark = response.queue.decided_through_sequence
    story.expect(
        watermark == operation.sequence,
        "the refusal of a card number did not decide the operation",
        expected=operation.sequence,
        observed=watermark,
        slug=slug,
    )
    expect_effects(story, phone, operation, 0, slug=slug)
    again = phone.connection.submit(phone.request(operation))
    told = (response, again, phone.lookup(operation.sequence, operation.sequence), phone.cart())
    for message in told:
        story.expect(
            not any(VISA in _digits(text) for text in _texts(message)),
            f"a {message.DESCRIPTOR.name} gives a card number back",
            observed=message,
            slug="security/card-number-not-echoed",
        )


def _texts(message: Message) -> Iterator[str]:
    """Every text of a message."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            yield from [value] if isinstance(value, str) else value
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for each in [value] if isinstance(value, Message) else value:
                yield from _texts(each)


def _digits(text: str) -> str:
    """All digits of a text by their values, whatever stands between them."""
    return "".join(str(unicodedata.decimal(character)) for character in text if character.isdecimal())


def _uuid(drawn: str) -> str:
    """The UUID with its last two groups all digits, of which the last sixteen pass the Luhn check."""
    digits = "8" + "".join(str(int(digit, 16) % 10) for digit in drawn[20:] if digit != "-")[:14]
    check = next(str(last) for last in range(10) if _passes(f"{digits}{last}"))
    return f"{drawn[:18]}-{digits[:4]}-{digits[4:]}{check}"


def _passes(digits: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
