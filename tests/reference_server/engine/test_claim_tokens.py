"""Claim tokens: a server knows its own, and nothing that merely looks like one."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_server.engine import claim_tokens

KEY = b"k" * 32
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)


@given(guest=NAMES)
def test_a_token_tells_its_guest_to_the_server_that_made_it(guest: str) -> None:
    token = claim_tokens.issue(KEY, guest)
    assert claim_tokens.verify(KEY, token) == claim_tokens.guest_of(token) == guest
    assert 1 <= len(token) <= 1_024
    assert all("!" <= character <= "~" for character in token)


@given(guest=NAMES)
def test_a_token_asked_for_again_is_the_same(guest: str) -> None:
    assert claim_tokens.issue(KEY, guest) == claim_tokens.issue(KEY, guest)


@given(guest=NAMES)
def test_a_token_of_another_server_is_none(guest: str) -> None:
    assert claim_tokens.verify(b"j" * 32, claim_tokens.issue(KEY, guest)) is None


@given(one=NAMES, other=NAMES)
def test_the_seal_of_one_guest_is_not_that_of_another(one: str, other: str) -> None:
    edition, name, _ = claim_tokens.issue(KEY, one).split(".")
    seal = claim_tokens.issue(KEY, other).split(".")[2]
    assert claim_tokens.verify(KEY, f"{edition}.{name}.{seal}") == (one if one == other else None)


@given(guest=NAMES, data=st.data())
def test_a_token_with_one_character_changed_cut_off_or_added_is_none(guest: str, data: st.DataObject) -> None:
    token = claim_tokens.issue(KEY, guest)
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters(min_codepoint=0x21, max_codepoint=0x7E))
    for wrong in (token[:place] + token[place + 1 :], token[:place] + character + token[place:], token + character):
        assert claim_tokens.verify(KEY, wrong) is None
    replaced = token[:place] + character + token[place + 1 :]
    assert claim_tokens.verify(KEY, replaced) == (guest if replaced == token else None)


@given(text=st.text(max_size=60) | st.text("cg1.-_=AQab", max_size=60))
def test_any_text_can_be_shown_and_claims_nobody(text: str) -> None:
    claim_tokens.guest_of(text)
    assert claim_tokens.verify(KEY, text) is None
    assert claim_tokens.verify(KEY, f"cg1.{text}") is None


@pytest.mark.parametrize("text", ["cg1..", "cg1.YQ.", "cg1.YQ==.x", "cg1.YR.x", "cg1.gIA.x", "cg2.YQ.x", "." * 9])
def test_a_token_that_is_not_in_its_one_form_is_none(text: str) -> None:
    assert claim_tokens.verify(KEY, text) is None


def test_a_name_that_makes_no_token_of_the_allowed_length_is_refused_and_never_recognised() -> None:
    with pytest.raises(ValueError, match="too many for a claim token"):
        claim_tokens.issue(KEY, "v" * 800)
    name = claim_tokens.issue(KEY, "v" * 720).split(".")[1]
    assert claim_tokens.verify(KEY, f"cg1.{name}AAAA.x") is None


def test_a_text_far_too_long_for_a_token_is_not_taken_apart() -> None:
    tracemalloc.start()
    assert claim_tokens.guest_of("." * 4_000_000) is None
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8_000_000  # the text itself, and no list of its four million parts
