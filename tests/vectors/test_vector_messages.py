"""In every vector JSON, hexadecimal and file are one message, and nothing is lost in reading and writing it."""

from __future__ import annotations

import json
from typing import Any

from cartsync.v1 import (
    address_book_pb2,
    guest_claim_pb2,
    operation_pb2,
    outcome_pb2,
    payment_methods_pb2,
    reason_pb2,
    service_pb2,
    wishlist_pb2,
)
from google.protobuf import json_format
from google.protobuf.message import Message
from recorded_vectors import EXCHANGES, FOLDER, MESSAGES, VECTORS, each_exchange, each_vector

from conformance.requirements import load
from tools.vectors.files import FORMAT, entries_of
from tools.vectors.messages import results_in
from tools.vectors.notation import decoded, entry, has_unknown_fields, layout, message_of, message_of_json
from tools.vectors.script import steps_in

KNOWN_TYPES = ("cartsync.v1.", "cartsync.conformance.v1.", "google.rpc.Status")


def without_unknown(message: Message) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    return copy


@each_vector
def test_json_and_bytes_are_one_message(vector_name: str) -> None:
    for told in entries_of(VECTORS[vector_name]):
        assert told["type"].startswith(KNOWN_TYPES)
        assert without_unknown(message_of(told)) == message_of_json(told)


@each_vector
def test_the_json_is_the_canonical_one(vector_name: str) -> None:
    for told in entries_of(VECTORS[vector_name]):
        assert json_format.MessageToDict(message_of(told)) == told["json"]


@each_vector
def test_reading_and_writing_loses_nothing(vector_name: str) -> None:
    for told in entries_of(VECTORS[vector_name]):
        message = message_of(told)
        again = decoded(told["type"], message.SerializeToString())
        assert again == message
        assert has_unknown_fields(again) == told.get("unknownFields", False)


@each_vector
def test_the_file_beside_it_holds_the_same_bytes(vector_name: str) -> None:
    for told in entries_of(VECTORS[vector_name]):
        assert (FOLDER / told["file"]).read_bytes() == bytes.fromhex(told["binary"])


def test_every_binary_file_is_of_some_vector() -> None:
    named = {told["file"] for vector in VECTORS.values() for told in entries_of(vector)}
    assert {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.binpb")} == named


@each_vector
def test_every_vector_says_what_it_shows_and_names_requirements_that_there_are(vector_name: str) -> None:
    vector = VECTORS[vector_name]
    assert vector["format"] == FORMAT
    assert vector["title"]
    assert vector["shows"].endswith(".")
    slugs = set(load().by_slug)
    assert set(vector["requirements"]) <= slugs
    assert vector["requirements"] or vector_name in MESSAGES


@each_exchange
def test_every_exchange_is_of_the_profile_that_its_requirements_allow(exchange_name: str) -> None:
    vector = EXCHANGES[exchange_name]
    profiles = {load().by_slug[slug].profile for slug in vector["requirements"]}
    assert vector["profile"] in profiles
    assert profiles <= {"core", "security", vector["profile"]}


def test_every_kind_of_operation_has_its_example() -> None:
    kinds = {field.name for field in operation_pb2.CartOperation.DESCRIPTOR.oneofs_by_name["intent"].fields}
    shown = {
        message_of(vector["message"]).WhichOneof("intent")
        for name, vector in MESSAGES.items()
        if name.startswith("operation-")
    }
    assert shown - {None} == kinds


def test_every_state_and_adjustment_comes_up_in_an_exchange() -> None:
    outcomes = [result.outcome for vector in EXCHANGES.values() for result in results_in(vector["steps"])]
    assert {outcome.state for outcome in outcomes} == set(reason_pb2.OutcomeState.values()) - {0}
    adjustments = {a.WhichOneof("adjustment") for outcome in outcomes for a in outcome.adjustments}
    assert adjustments == {field.name for field in outcome_pb2.Adjustment.DESCRIPTOR.fields}


NOT_WORTH_A_VECTOR = {
    "REASON_OPERATION_TOO_LARGE",  # it takes 32 KiB of padding
    "REASON_COUPON_LIMIT_EXCEEDED",  # it takes as many coupons as the policy allows
    "REASON_WISHLIST_FULL",  # and so do these
    "REASON_ADDRESS_BOOK_FULL",
    "REASON_PAYMENT_METHODS_FULL",
}


def test_every_reason_comes_up_in_an_exchange() -> None:
    reasons = {
        reason_pb2.Reason.Name(result.outcome.refusal.reason)
        for vector in EXCHANGES.values()
        for result in results_in(vector["steps"])
        if result.outcome.HasField("refusal")
    }
    assert set(reason_pb2.Reason.keys()[1:]) - reasons == NOT_WORTH_A_VECTOR


def test_every_method_and_every_profile_has_an_exchange() -> None:
    methods = {
        f"{service.name}/{method.name}"
        for file in (service_pb2, wishlist_pb2, address_book_pb2, payment_methods_pb2, guest_claim_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    steps = [step for vector in EXCHANGES.values() for step in steps_in(vector["steps"])]
    assert {step.get("call") or step.get("stream") for step in steps} - {None} == methods
    # Security is about requests that no client sends: its examples are the checks of the suite.
    assert {vector["profile"] for vector in EXCHANGES.values()} == set(load().profiles) - {"security"}


def test_layout_fills_lines_and_is_json() -> None:
    value: Any = {"a": list(range(80)), "b": {"c": "x" * 200, "d": 1, "e": []}, "f": {}}
    text = layout(value)
    assert json.loads(text) == value
    assert all(len(line) <= 112 or "x" * 200 in line for line in text.splitlines())


def test_an_entry_says_when_its_json_does_not_show_everything() -> None:
    operation = operation_pb2.CartOperation(sequence=1)
    assert "unknownFields" not in entry(operation)
    operation.add_item.MergeFromString(bytes.fromhex("c2bb01036e6577"))
    assert entry(operation)["unknownFields"] is True
