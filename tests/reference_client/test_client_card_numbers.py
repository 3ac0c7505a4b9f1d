"""The client's own eye for card numbers, against the words of section 14.4 tried one by one."""

from __future__ import annotations

import re
import unicodedata

import pytest
from cartsync.v1 import operation_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from reference_client import account_intents, intents
from reference_client.card_numbers import card_number_field, holds_card_number

CARD = "4111111111111111"


def luhn_by_the_book(digits: str) -> bool:
    doubled = [sum(map(int, str(int(d) * (1 + place % 2)))) for place, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0 and set(digits) != {"0"}


def by_brute_force(text: str) -> bool:
    """Every stretch of the text that begins and ends with a whole group, looked at for itself."""
    plain = "".join(
        str(unicodedata.decimal(c))
        if unicodedata.category(c) == "Nd"
        else "-"
        if unicodedata.category(c) in {"Zs", "Pd"} or c in "._/"
        else "x"
        for c in text
    )
    bounds = [m.span() for m in re.finditer(r"[0-9]+", plain)]
    for number, (start, _) in enumerate(bounds):
        for _, end in bounds[number:]:
            stretch = plain[start:end]
            digits = re.sub("[^0-9]", "", stretch)
            if "x" not in stretch and "----" not in stretch and 13 <= len(digits) <= 19 and luhn_by_the_book(digits):
                return True
    return False


ALPHABET = st.sampled_from([*"0123456789 -./_x", "٤", "१", "\u00a0", "—", "²", "\n"])
pieces = st.one_of(
    st.sampled_from([CARD, "0" * 16, "378282246310005", "6304000000000000000", " ", "-", "   ", "    ", "/"]),
    st.text(ALPHABET, max_size=8),
)


@given(st.lists(pieces, max_size=8).map("".join))
@example("41111111111111114111111111111111")
@example("4 4111 1111 1111 1111")
@example("4111   1111   1111   1111")
@example("4111    1111    1111    1111")
def test_a_text_is_judged_as_by_trying_every_sequence_of_groups(text: str) -> None:
    assert holds_card_number(text) == by_brute_force(text)


@pytest.mark.parametrize("text", ["5012345678900", "+44 20 7946 0958", "0" * 16, "41111111111111112222", "4111²111"])
def test_other_digits_are_no_card_number(text: str) -> None:
    assert not holds_card_number(text)


HOME = {"recipient": "Ann", "address_lines": ["1 High Street"], "region_code": "GB"}
ADDRESS_ID = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        (intents.apply_coupon(CARD), "apply_coupon.coupon_code"),
        (intents.remove_coupon(CARD), "remove_coupon.coupon_code"),
        (intents.requiring(intents.remove_item("A"), CARD), "required_features"),
        *(
            (
                account_intents.put_address(ADDRESS_ID, {name: [CARD] if name == "address_lines" else CARD}),
                f"put_address.address.{name}",
            )
            for name in account_intents.ADDRESS_FIELDS
            if name not in {"region_code", "postal_code"}
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_field_is_named(operation: operation_pb2.CartOperation, field: str) -> None:
    assert card_number_field(operation) == field


@pytest.mark.parametrize(
    "operation",
    [
        intents.add_item("4006381333931", quantity=1, price=intents.Price("GBP", 1)),
        intents.remove_item(CARD, cart_id=CARD),
        account_intents.add_to_wishlist(CARD),
        account_intents.put_address("41111111-1111-1111-8111-111111111111", HOME),
    ],
    ids=["gtin", "cart", "wish", "address id"],
)
def test_identifiers_are_exempt(operation: operation_pb2.CartOperation) -> None:
    assert card_number_field(operation) is None
