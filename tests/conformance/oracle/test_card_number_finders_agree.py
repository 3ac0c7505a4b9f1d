"""Suite, server and client each have an eye of their own for card numbers; they see the same (spec: section 14.4)."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from conformance.oracle.card_numbers import card_numbers_in
from conformance.oracle.card_numbers import holds_card_number as suite_finds
from conformance.suite.test_card_numbers import HARMLESS, NUMBERS, SPELLINGS
from reference_client.card_numbers import holds_card_number as client_finds
from reference_server.engine.card_numbers import holds_card_number as server_finds

_GAPS = st.sampled_from(["", " ", "-", ".", "_", "/", "\u00a0", "\u2013", " - ", "    ", ",", "x", "\n", "\u200b", "+"])
_DIGITS = st.sampled_from(["0", "1", "4", "5", "9", "\u0664", "\u0967", "\uff11", "\U0001d7d9", "\u00b2", "\u2460"])


@st.composite
def _spelled(draw: st.DrawFn) -> str:
    """Digits in groups, some of which pass the check, between words and separators of all sorts."""
    number = draw(st.sampled_from(list(NUMBERS.values())) | st.text("0123456789", min_size=11, max_size=21))
    pieces = [digit + (draw(_GAPS) if draw(st.integers(0, 3)) == 0 else "") for digit in number]
    return draw(st.text(max_size=5)) + "".join(pieces) + draw(st.text(max_size=5))


@given(_spelled() | st.lists(_DIGITS | _GAPS, max_size=40).map("".join) | st.text())
@example("4111 1111 1111 1111" * 2)
def test_suite_server_and_client_find_card_numbers_in_the_same_texts(text: str) -> None:
    assert server_finds(text) == suite_finds(text) == client_finds(text)


def test_all_of_them_find_every_spelling_and_let_pass_what_is_harmless() -> None:
    for finds in (server_finds, suite_finds, client_finds):
        assert [text for text in (*NUMBERS.values(), *SPELLINGS.values()) if not finds(text)] == []
        assert [text for text in HARMLESS.values() if finds(text)] == []


def test_where_a_card_number_stands_is_told_from_its_first_digit_to_its_last() -> None:
    text = "Flat 12 4111 1111 1111 1111 12/29"
    assert [text[found] for found in card_numbers_in(text)] == ["4111 1111 1111 1111"]
    assert list(card_numbers_in("no 4111111111111112")) == []
