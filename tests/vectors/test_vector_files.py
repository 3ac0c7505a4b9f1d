"""Vectors are written whole, stale ones are found, and a text that is put better changes no recorded answer."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from google.rpc import error_details_pb2, status_pb2
from recorded_vectors import EXCHANGES, FOLDER, MESSAGES

from conformance.requirements import load
from tools.vectors.exchanges import in_order
from tools.vectors.files import Vectors, kept, recorded, stale, write
from tools.vectors.notation import entry, message_of
from tools.vectors.page import pages
from tools.vectors.script import EXCHANGES as TOLD
from tools.vectors.script import exchange
from tools.vectors.variable import without_texts

SOME = Vectors({"gap": EXCHANGES["gap"]}, {"outcome-applied": MESSAGES["outcome-applied"]})


def answer_of(vector: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = next(step["response"] for step in vector["steps"] if "response" in step)
    return told


def changed(vector: dict[str, Any], change: str) -> dict[str, Any]:
    """The exchange `gap`, its first answer with another text or with another sequence expected."""
    other = copy.deepcopy(vector)
    told = answer_of(other)
    message: Any = message_of(told)
    refusal = message.results[0].outcome.refusal
    if change == "text":
        refusal.message = "Put better."
    else:
        refusal.expected_sequence = 9
    told.update(entry(message))
    return other


def test_a_recorded_answer_is_kept_when_only_a_text_differs() -> None:
    assert kept(EXCHANGES["gap"], changed(EXCHANGES["gap"], "text")) == EXCHANGES["gap"]


def test_an_answer_that_says_something_else_replaces_the_recorded_one() -> None:
    other = changed(EXCHANGES["gap"], "sequence")
    assert kept(EXCHANGES["gap"], other) == other
    assert kept(None, other) == other


def test_a_step_that_is_new_is_taken_over_and_one_that_is_gone_does_not_stay() -> None:
    longer = copy.deepcopy(EXCHANGES["gap"])
    longer["steps"].append(EXCHANGES["first-add"]["steps"][-1])
    assert kept(EXCHANGES["gap"], longer) == longer
    assert kept(longer, EXCHANGES["gap"]) == EXCHANGES["gap"]


def test_texts_are_left_out_inside_packed_details_and_nothing_else_is() -> None:
    def status(text: str, field: str) -> status_pb2.Status:
        made = status_pb2.Status(code=3, message=text)
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=text)
        made.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
        return made

    assert without_texts(status("one", "a")) == without_texts(status("two", "a"))
    assert without_texts(status("one", "a")) != without_texts(status("one", "b"))


def test_what_was_written_is_read_back_and_not_stale(tmp_path: Path) -> None:
    write(tmp_path, SOME)
    assert stale(tmp_path, SOME) == []
    assert recorded(tmp_path) == SOME


def test_what_differs_is_missing_or_is_too_much_is_stale_until_it_is_written_again(tmp_path: Path) -> None:
    write(tmp_path, SOME)
    (tmp_path / "exchanges/gap.json").write_text("{}")
    (tmp_path / "messages/outcome-applied.binpb").unlink()
    (tmp_path / "messages/forgotten.json").write_text("{}")
    assert stale(tmp_path, SOME) == [
        "exchanges/gap.json",
        "messages/forgotten.json",
        "messages/outcome-applied.binpb",
    ]
    write(tmp_path, SOME)
    assert stale(tmp_path, SOME) == []


@pytest.mark.parametrize("text", ["no json", "{}", '{"format": "other"}'])
def test_a_file_that_is_no_vector_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "exchanges").mkdir()
    (tmp_path / "exchanges" / "broken.json").write_text(text)
    with pytest.raises(ValueError, match=r"broken\.json: .*`make docs` writes it anew"):
        recorded(tmp_path)


def test_two_exchanges_do_not_share_a_name() -> None:
    with pytest.raises(ValueError, match="two exchanges called gap"):
        exchange("gap", "Another gap")(lambda play: None)  # type: ignore[arg-type,return-value]  # never told


def test_every_exchange_that_is_told_is_recorded() -> None:
    assert [exchange.name for exchange in in_order()] == list(dict.fromkeys(exchange.name for exchange in in_order()))
    assert {exchange.name for exchange in in_order()} == set(TOLD) == set(EXCHANGES)


def test_the_appendix_has_every_vector_and_no_link_into_nothing() -> None:
    told = pages(Vectors({exchange.name: EXCHANGES[exchange.name] for exchange in in_order()}, MESSAGES), load())
    appendix = told["19-worked-examples.md"]
    for name in EXCHANGES:
        assert f"(vectors/exchanges/{name}.json)" in appendix
        assert f"vectors/exchanges/{name}.md" in told
    for name in MESSAGES:
        assert f"(vectors/messages/{name}.json)" in appendix
    for place, text in told.items():
        for target in (part.partition(")")[0] for part in text.split("](")[1:]):
            assert (FOLDER.parent / place).parent.joinpath(target).exists(), f"{place}: {target}"
    assert json.loads((FOLDER / "exchanges/gap.json").read_text()) == EXCHANGES["gap"]
