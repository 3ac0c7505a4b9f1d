"""The generated reference says all that the protocol says, and refuses a protocol that says too little."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath

import pytest

from conformance.requirements import load
from tools.reference.descriptors import Enum, File, Message, Method, Service, read_protocol
from tools.reference.faults import SourceError
from tools.reference.markdown import REASONS, Places, one_line, page_of, table, tables_in
from tools.reference.policy_page import duration, policy_page
from tools.reference.protocol_pages import protocol_pages
from tools.reference.reason_page import Reason, next_step, reason_names, reason_page, reasons, unnamed
from tools.reference.rpc_page import rpc_page

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def protocol() -> tuple[File, ...]:
    return read_protocol(ROOT / "proto")


@pytest.fixture(scope="module")
def places(protocol: tuple[File, ...]) -> Places:
    return Places.known(protocol, reason_names())


def service_with(comment: str) -> File:
    """A protocol of one call with that comment."""
    method = Method("Ask", "cartsync.v1.AskRequest", "cartsync.v1.AskResponse", False, False, comment)
    service = Service("AskService", "cartsync.v1.AskService", "Asks.", (method,))
    return File("cartsync/v1/ask.proto", "cartsync.v1", (service,), (), (), ())


# The protocol.


def test_every_message_field_enum_value_service_and_call_has_a_comment(protocol: tuple[File, ...]) -> None:
    silent = [
        f"{kind.full_name}{part}"
        for file in protocol
        for kind in kinds(file)
        for part, comment in [("", kind.comment), *inner(kind)]
        if not comment.strip()
    ]
    assert silent == []


def kinds(file: File) -> list[Message | Enum | Service]:
    return [*file.messages, *file.enums, *file.services]


def inner(kind: Message | Enum | Service) -> list[tuple[str, str]]:
    match kind:
        case Message():
            return [(f".{field.name}", field.comment) for field in kind.fields]
        case Enum():
            return [(f".{value.name}", value.comment) for value in kind.values]
        case Service():
            return [(f".{method.name}", method.comment) for method in kind.methods]


def test_every_file_has_a_page_that_has_every_name_in_it(protocol: tuple[File, ...], places: Places) -> None:
    pages = protocol_pages(protocol, places)
    for file in protocol:
        page = pages[f"docs/reference/protocol/{page_of(file.name)}"]
        for kind in kinds(file):
            assert f"\n## {kind.name}\n" in page
            assert all(f"`{name.removeprefix('.')}" in page for name, _ in inner(kind))


def test_the_page_of_a_file_keeps_its_folder_apart() -> None:
    assert page_of("cartsync/v1/cart.proto") == "cart.md"
    assert page_of("cartsync/conformance/v1/control.proto") == "conformance-control.md"


def test_a_proto_file_that_does_not_compile_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong.proto").write_text("syntax = 'proto3'; message {", encoding="utf-8")
    with pytest.raises(SourceError, match="protoc failed"):
        read_protocol(tmp_path)


# Calls.


def test_every_call_of_the_protocol_has_a_table(protocol: tuple[File, ...], places: Places) -> None:
    page = rpc_page(protocol, places)
    for file in protocol:
        if file.package == "cartsync.v1":
            for service in file.services:
                assert all(f"\n### {method.name}\n" in page for method in service.methods)


def test_a_call_without_a_table_is_refused_by_name(places: Places) -> None:
    with pytest.raises(SourceError, match=r"AskService\.Ask has no table"):
        rpc_page([service_with("Asks a question.")], places)


def test_a_call_may_say_that_it_ends_as_every_call_does(places: Places) -> None:
    assert "### Ask" in rpc_page([service_with("Asks.\n\nOnly the errors that any call can end with.")], places)


def test_what_follows_from_a_code_is_added_to_the_table_of_a_call(places: Places) -> None:
    comment = "Asks.\n\n| condition | code | then |\n|---|---|---|\n| wrong | INVALID_ARGUMENT | is a bug: stops |"
    page = rpc_page([service_with(comment)], places)
    assert "| wrong | `INVALID_ARGUMENT` | no | `TERMINAL` | is a bug: stops |" in page


def test_a_code_of_which_nothing_is_known_is_refused(places: Places) -> None:
    comment = "Asks.\n\n| condition | code | then |\n|---|---|---|\n| wrong | DATA_LOSS | stops |"
    with pytest.raises(SourceError, match="DATA_LOSS"):
        rpc_page([service_with(comment)], places)


def test_a_row_with_other_columns_than_its_heading_is_refused(places: Places) -> None:
    comment = "Asks.\n\n| condition | code | then |\n|---|---|---|\n| wrong | INTERNAL |"
    with pytest.raises(SourceError, match="other columns"):
        rpc_page([service_with(comment)], places)


# Reasons.


def test_every_reason_is_named_by_a_requirement(protocol: tuple[File, ...]) -> None:
    assert unnamed(reasons(protocol, load())) == []


def test_every_reason_has_its_table(protocol: tuple[File, ...], places: Places) -> None:
    found = reasons(protocol, load())
    page = reason_page(found, places)
    assert [reason.name for reason in found] == list(reason_names())
    for reason in found:
        section = page.partition(f"\n## {reason.name}\n")[2].partition("\n## ")[0]
        rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
        assert rows[:5] == ["condition", "code", "recorded", "disposition", "what the caller must do next"]


def test_the_details_of_a_reason_are_the_fields_of_refusal_that_name_it(protocol: tuple[File, ...]) -> None:
    details = {reason.name: reason.details for reason in reasons(protocol, load())}
    assert details["RATE_LIMITED"] == ("retry_delay",)
    assert details["SEQUENCE_GAP"] == ("expected_sequence",)
    assert details["KEY_REUSED"] == ()


def test_what_to_do_next_follows_from_state_disposition_and_details() -> None:
    reason = Reason("X", 1, "", "DEFERRED", "RETRY", False, ("retry_delay",), ())
    assert "`retry_delay`" in next_step(reason)
    assert "new queue" in next_step(dataclasses.replace(reason, state="CONFLICT", disposition="RETRY_AFTER_ACTION"))
    assert "new key" in next_step(dataclasses.replace(reason, state="REJECTED", disposition="RETRY_AFTER_ACTION"))
    with pytest.raises(SourceError, match="nothing says what to do"):
        next_step(dataclasses.replace(reason, state="DEFERRED", disposition="TERMINAL"))


# Policy.


def test_the_policy_page_has_bounds_and_the_figures_of_the_reference_server(
    protocol: tuple[File, ...], places: Places
) -> None:
    page = policy_page(protocol, places)
    assert "| `replay_window` | at least 72 hours | 7 days |" in page
    assert "| `max_submission_operation_count` | at least 100 | 500 |" in page


def test_a_time_is_written_in_its_largest_whole_unit() -> None:
    assert [duration(seconds) for seconds in (0, 1, 90, 7200, 86_400 * 400)] == [
        "0",
        "1 second",
        "90 seconds",
        "2 hours",
        "400 days",
    ]


# Markdown.


def test_a_cell_stays_one_cell() -> None:
    assert table(("a", "b"), [("x | y", "one\ntwo\n\nthree")])[2] == "| x \\| y | one two<br>three |"
    assert one_line("a\n\nb") == "a<br>b"


def test_prose_and_tables_of_a_comment_are_told_apart() -> None:
    prose, tables = tables_in("Says.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nMore.")
    assert prose == "Says.\n\nMore."
    assert tables == [[["a", "b"], ["1", "2"]]]


def test_names_become_links_to_where_they_are_told_about(places: Places) -> None:
    page = PurePosixPath("docs/reference/protocol/cart.md")
    assert places.linked("see `Money` and `Cart`", page) == "see [`Money`](money.md#money) and [`Cart`](#cart)"
    assert places.linked("`SyncPolicy.replay_window`", page) == "[`SyncPolicy.replay_window`](policy.md#syncpolicy)"
    assert places.linked("`REJECTED / MALFORMED`", page) == "[`REJECTED / MALFORMED`](../reasons.md#malformed)"
    assert places.linked("`REJECTED / MALFORMED`", REASONS) == "[`REJECTED / MALFORMED`](#malformed)"
    assert places.linked("`nothing of the kind`", page) == "`nothing of the kind`"
