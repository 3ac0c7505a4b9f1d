from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_server.credentials import (
    DevelopmentCredentials,
    FirstOf,
    GuestsOf,
    TokensFileError,
    bearer_token,
    load_tokens,
    tokens_file_line,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ALICE, BOB = "alice-token-with-enough-in-it", "bob-token-with-enough-in-it-too"


def written(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "tokens"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_token_speaks_for_the_principal_of_its_line(tmp_path: Path) -> None:
    file = written(tmp_path, "# people", "", tokens_file_line(ALICE, "alice"), f"  {tokens_file_line(BOB, 'bob')} ")
    tokens = load_tokens(file)
    assert [tokens.principal(token, NOW) for token in (ALICE, BOB, "dev:alice", "")] == ["alice", "bob", None, None]


def test_a_token_stops_working_when_it_expires(tmp_path: Path) -> None:
    tokens = load_tokens(written(tmp_path, tokens_file_line(ALICE, "alice", "2026-11-24T01:00:00+01:00")))
    assert tokens.principal(ALICE, NOW) == "alice"
    assert tokens.principal(ALICE, datetime(2026, 11, 24, tzinfo=UTC)) is None


def test_a_line_may_say_that_its_principal_is_a_guest(tmp_path: Path) -> None:
    tokens = load_tokens(
        written(
            tmp_path,
            tokens_file_line(ALICE, "guest"),
            tokens_file_line(BOB, "visitor", "2026-11-24T00:00:00Z", guest=True),
        )
    )
    assert [tokens.guest_flag(name) for name in ("guest", "visitor", "guest-1")] == [False, True, None]
    assert tokens.principal(BOB, NOW) == "visitor"
    guests = GuestsOf(FirstOf(tokens, DevelopmentCredentials()))
    assert [guests.is_guest(name) for name in ("guest", "visitor", "guest-1", "ann")] == [False, True, True, False]


def test_a_principal_cannot_be_a_guest_by_one_token_and_an_account_by_another(tmp_path: Path) -> None:
    file = written(tmp_path, tokens_file_line(ALICE, "x"), tokens_file_line(BOB, "x", guest=True))
    with pytest.raises(TokensFileError, match=":2: its principal is a guest in one line"):
        load_tokens(file)


def test_the_file_does_not_hold_the_token() -> None:
    assert ALICE not in tokens_file_line(ALICE, "alice")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (ALICE, ":2: does not begin with sha256$"),
        ("sha256$abc alice", ":2: does not begin with sha256$"),
        (tokens_file_line(ALICE, "x").rpartition(" ")[0], ":2: has 1 words"),
        (tokens_file_line(ALICE, "x").rpartition(" ")[0] + " a/b", ":2: the principal must be"),
        (tokens_file_line(ALICE, "x") + " tomorrow", ":2: the expiry must be"),
        (tokens_file_line(ALICE, "x") + " guest guest", ":2: the expiry must be"),
        (tokens_file_line(ALICE, "x") + " 2027-01-31T00:00:00", ":2: the expiry must be"),
        (tokens_file_line(BOB, "again"), ":2: this token stands in the file twice"),
    ],
)
def test_a_wrong_line_is_named_without_repeating_it(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(TokensFileError) as caught:
        load_tokens(written(tmp_path, tokens_file_line(BOB, "bob"), line))
    assert said in str(caught.value)
    assert ALICE not in str(caught.value)


def test_a_file_that_grants_nothing_or_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TokensFileError, match="grants nothing"):
        load_tokens(written(tmp_path, "# nobody"))
    with pytest.raises(TokensFileError, match="cannot be read"):
        load_tokens(tmp_path / "none")


@pytest.mark.parametrize(
    ("token", "principal", "expires", "said"),
    [
        ("short", "alice", "", "20 characters or more"),
        ("with a space in the middle of it", "alice", "", "without spaces"),
        (ALICE, "al ice", "", "the principal must be"),
        (ALICE, "alice", "soon", "the expiry must be"),
        (ALICE, "alice", "0001-01-01T00:00:00+14:00", "the expiry must be"),
    ],
)
def test_a_line_is_only_made_of_what_can_be_read_back(token: str, principal: str, expires: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        tokens_file_line(token, principal, expires)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("token", "principal"),
    [("dev:ann", "ann"), ("ann", None), ("dev:", None), ("dev:a b", None), ("dev:" + "x" * 65, None)],
)
def test_development_credentials_take_everybodys_word(token: str, principal: str | None) -> None:
    assert DevelopmentCredentials().principal(token, NOW) == principal


def test_sources_are_asked_in_order(tmp_path: Path) -> None:
    tokens = load_tokens(written(tmp_path, tokens_file_line(ALICE, "alice")))
    both = FirstOf(tokens, DevelopmentCredentials())
    assert [both.principal(token, NOW) for token in (ALICE, "dev:bob", "x")] == ["alice", "bob", None]


@given(st.lists(st.tuples(st.just("authorization"), st.text() | st.binary()), max_size=3))
def test_no_metadata_makes_reading_the_token_fail(metadata: list[tuple[str, str | bytes]]) -> None:
    token = bearer_token(metadata)
    assert token is None or (len(metadata) == 1 and " " not in token)


def test_the_scheme_is_read_without_regard_to_case() -> None:
    assert bearer_token([("authorization", "bearer abc")]) == "abc"
