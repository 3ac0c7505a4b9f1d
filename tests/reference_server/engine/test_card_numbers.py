"""Card numbers in texts: found however they are written, and nowhere else."""

from __future__ import annotations

import itertools
import sys
import time
import unicodedata

import pytest
from cartsync.v1 import address_pb2, operation_pb2
from hypothesis import given
from hypothesis import strategies as st

from reference_server.engine.card_numbers import DASHES, SPACES, card_number_fields, holds_card_number
from reference_server.engine.policy import PROFILES

VISA = "4111111111111111"
SEPARATORS = st.text(st.sampled_from(" -._/\u00a0\u2003\u2013\u2010"), min_size=1, max_size=3)


def passes_luhn(digits: list[int]) -> bool:
    """The check as its inventor wrote it."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total += sum(divmod(digit * 2, 10)) if place % 2 else digit
    return total % 10 == 0


def with_check_digit(digits: str) -> str:
    """The digits with the one behind them that makes them pass."""
    return next(digits + last for last in "0123456789" if passes_luhn([int(d) for d in digits + last]))


CARD_NUMBERS = (
    st.text("0123456789", min_size=12, max_size=18).map(with_check_digit).filter(lambda digits: set(digits) != {"0"})
)


@pytest.mark.parametrize(
    "text",
    [
        VISA,
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111/1111_1111",
        "my card is 4111 - 1111 - 1111 - 1111, use it",
        "12 4111111111111111",  # groups before it do not hide it
        "4111111111111111 12",
        "４１１１１１１１１１１１１１１１",  # full width
        "٤١١١١١١١١١١١١١١١",  # Arabic-Indic
        "4222222222222",  # 13
        "6304000000000000000",  # 19
    ],
)
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no digits at all",
        "4111111111111112",  # fails the check
        "41111111111111111",  # 17 digits as one group: part of a group is no number
        "411111111111",  # 12
        "0000000000000000",
        "4111 1111  -  1111 1111",  # five separators
        "4111 1111, 1111 1111",
        "4111a1111b1111c1111",
        "⁴¹¹¹¹¹¹¹¹¹¹¹¹¹¹¹",  # superscripts are no decimal digits
        "Ⅳ" * 16,
    ],
)
def test_what_only_looks_a_little_like_one_is_left_alone(text: str) -> None:
    assert not holds_card_number(text)


def slowly(text: str) -> bool:
    """The sentence of section 14.4, word for word."""
    groups: list[tuple[str, str]] = [  # (is it digits, text)
        ("digits" if digits else "between", "".join(characters))
        for digits, characters in itertools.groupby(text, lambda c: unicodedata.category(c) == "Nd")
    ]
    numbers = [index for index, (what, _) in enumerate(groups) if what == "digits"]
    for first, last in itertools.combinations_with_replacement(range(len(numbers)), 2):
        between = [groups[index][1] for index in range(numbers[first] + 1, numbers[last], 2)]
        if any(
            len(gap) > 3 or any(unicodedata.category(c) not in ("Zs", "Pd") and c not in "._/" for c in gap)
            for gap in between
        ):
            continue
        digits = [unicodedata.decimal(c) for i in numbers[first : last + 1] for c in groups[i][1]]
        if 13 <= len(digits) <= 19 and any(digits) and passes_luhn(digits):
            return True
    return False


@given(st.text(st.sampled_from("0111224859 -._/,x٣\u00a0"), max_size=45))
def test_it_is_the_sentence_of_the_specification(text: str) -> None:
    assert holds_card_number(text) == slowly(text)


@given(CARD_NUMBERS, st.data())
def test_any_card_number_is_found_in_the_midst_of_other_text(number: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(number) - 1), max_size=4)))
    parts = [number[start:end] for start, end in zip([0, *cuts], [*cuts, len(number)], strict=True)]
    text = parts[0]
    for part in parts[1:]:
        text += data.draw(SEPARATORS) + part
    assert holds_card_number(f"card: {text}, thanks")


@given(CARD_NUMBERS)
def test_a_digit_changed_is_no_card_number(number: str) -> None:
    assert not holds_card_number(number[:-1] + str((int(number[-1]) + 1) % 10))


MOST = 4_194_304  # bytes of the largest submission; one operation may take them all


@pytest.mark.parametrize("text", ["1 ", "0 ", "77 ", "7", "1 1x", "1234567890123a", "1 1 1 1 1 1 1 1 1 1 1 1 1x", "٣ "])
def test_no_text_keeps_the_server_busy(text: str) -> None:
    """Seconds would be a way to bring the server down."""
    longest = text * (MOST // len(text.encode()))
    started = time.process_time()
    assert not holds_card_number(longest)
    assert time.process_time() - started < 2


def test_any_number_of_texts_in_one_field_is_looked_through_in_one_go() -> None:
    operation = operation_pb2.CartOperation(required_features=["", *["4111"] * (MOST // 6), ""])
    started = time.process_time()
    assert card_number_fields(operation, PROFILES) == []
    assert time.process_time() - started < 2


def test_a_card_number_is_in_one_text_and_not_in_two_that_follow_each_other() -> None:
    assert fields_of(required_features=["4111 1111", "1111 1111"]) == []
    assert fields_of(required_features=["12", VISA, "34"]) == ["required_features"]


def test_what_separates_is_every_space_and_dash_that_this_python_knows() -> None:
    """A newer Unicode may know more; those here are then still right."""
    known = {chr(number) for number in range(sys.maxunicode + 1)}
    spaces = {character for character in known if unicodedata.category(character) == "Zs"}
    dashes = {character for character in known if unicodedata.category(character) == "Pd"}
    assert set(SPACES) == spaces
    assert set(DASHES) <= dashes
    assert dashes - set(DASHES) <= {"\U00010d6e"}  # since Unicode 16


# Where


def fields_of(profiles: tuple[str, ...] = PROFILES, **fields: object) -> list[str]:
    return card_number_fields(operation_pb2.CartOperation(**fields), profiles)  # type: ignore[arg-type]


def test_every_text_of_every_operation_is_looked_at_and_named() -> None:
    for name in ("locale", "client_name", "client_version"):
        context = operation_pb2.SessionContext(**{name: VISA})
        assert fields_of(session_context=context) == [f"session_context.{name}"]
    assert fields_of(required_features=["a", VISA]) == ["required_features"]
    assert fields_of(apply_coupon=operation_pb2.ApplyCoupon(coupon_code=VISA)) == ["apply_coupon.coupon_code"]
    assert fields_of(remove_coupon=operation_pb2.RemoveCoupon(coupon_code=VISA)) == ["remove_coupon.coupon_code"]
    for field in address_pb2.Address.DESCRIPTOR.fields:
        address = address_pb2.Address()
        if field.name == "address_lines":
            address.address_lines.extend(["1 Road", VISA])
        else:
            setattr(address, field.name, VISA)
        put = operation_pb2.PutAddress(address=address)  # masked or not
        assert fields_of(put_address=put) == [f"put_address.address.{field.name}"]
    for name in ("provider", "provider_token", "label"):
        save = operation_pb2.SavePaymentMethod(**{name: VISA})
        assert fields_of(save_payment_method=save) == [f"save_payment_method.{name}"]


def test_identifiers_and_discards_are_exempt() -> None:
    gtin = "4006381333908"
    assert holds_card_number(gtin)
    assert fields_of(add_item=operation_pb2.AddItem(cart_id=gtin, sku=gtin)) == []
    assert fields_of(add_to_wishlist=operation_pb2.AddToWishlist(sku=gtin)) == []
    assert fields_of(put_address=operation_pb2.PutAddress(address_id=gtin)) == []
    assert fields_of(save_payment_method=operation_pb2.SavePaymentMethod(payment_method_id=gtin)) == []
    claim = operation_pb2.ClaimGuestCart(claim_token=VISA, cart_id=VISA, guest_cart_id=VISA)
    assert fields_of(claim_guest_cart=claim) == []
    context = operation_pb2.SessionContext(client_name=VISA)
    assert fields_of(discard=operation_pb2.Discard(discarded_key="k"), session_context=context) == []


def test_each_profile_covers_the_fields_of_its_own() -> None:
    put = operation_pb2.PutAddress(address=address_pb2.Address(label=VISA))
    save = operation_pb2.SavePaymentMethod(label=VISA)
    context = operation_pb2.SessionContext(client_name=VISA)
    assert fields_of(("core", "security"), put_address=put) == []
    assert fields_of(("core", "address_book"), put_address=put, session_context=context) == [
        "put_address.address.label"
    ]
    assert fields_of(("core", "payment_methods"), save_payment_method=save) == ["save_payment_method.label"]
    assert fields_of(("core",), session_context=context, required_features=[VISA]) == []
