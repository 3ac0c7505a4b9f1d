"""A card number in any text of any intent reaches neither the client's files nor anything it prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cartsync.v1 import operation_pb2
from click.testing import CliRunner
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from reference_client import intents
from reference_client.cli.commands import cli
from reference_client.exceptions import InvalidIntentError
from reference_client.queue import QueueFile

NUMBER = "4111111111111111"
SPELLINGS = (NUMBER, "4111 1111 1111 1111", "4111-1111-1111-1111", "pay 4111.1111.1111.1111, please")
# Section 14.4: the rule is not for these. The last two are no texts but of a fixed form.
EXEMPT = frozenset(
    {
        "idempotency_key",
        "previous_key",
        "discarded_key",
        "cart_id",
        "guest_cart_id",
        "sku",
        "address_id",
        "payment_method_id",
        "claim_token",
        "currency_code",
        "paths",
    }
)
SERVER = "shop.example:443"
Names = tuple[str, ...]


def texts(kind: Descriptor) -> Iterator[Names]:
    """The path of every text of a message, messages within it included."""
    for field in kind.fields:
        if field.type == FieldDescriptor.TYPE_STRING and field.name not in EXEMPT:
            yield (field.name,)
        elif field.message_type is not None and field.message_type.file.package != "google.protobuf":
            yield from ((field.name, *path) for path in texts(field.message_type))


def planted(path: Names, spelling: str) -> operation_pb2.CartOperation:
    """An operation with the number in one of its texts; a removal where the text is no intent's own."""
    operation = operation_pb2.CartOperation()
    if path[0] in {"session_context", "required_features"}:
        operation.CopyFrom(intents.remove_item("TEA"))
    message: Any = operation
    for name in path[:-1]:
        message = getattr(message, name)
    if isinstance(getattr(message, path[-1]), str):
        setattr(message, path[-1], spelling)
    else:
        getattr(message, path[-1]).append(spelling)
    return operation


def holding(folder: Path, spelling: str) -> list[str]:
    """Names of the files that hold the number, as it was written or as digits."""
    forms = {spelling.encode(), NUMBER.encode(), json.dumps(spelling).encode()}
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [file.name for file in files if any(form in file.read_bytes() for form in forms)]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_text_of_an_operation_takes_a_card_number_to_the_disk(tmp_path: Path, spelling: str) -> None:
    paths = list(texts(operation_pb2.CartOperation.DESCRIPTOR))
    assert len(paths) > 15
    queues = QueueFile.open(tmp_path)
    for path in paths:
        with pytest.raises(InvalidIntentError) as refused:
            queues.enqueue(SERVER, [planted(path, spelling)])
        assert path[-1] in f"{refused.value}"
        assert spelling not in f"{refused.value} {refused.value!r}"
    assert queues.queues() == []
    assert holding(tmp_path, spelling) == []  # while the write-ahead log is there
    queues.close()
    assert holding(tmp_path, spelling) == []


COMMANDS: tuple[Names, ...] = (
    ("coupon", "apply", "{}"),
    ("coupon", "remove", "{}"),
    *(
        ("address", "put", "--recipient", "Ann", "--line", "1 High Street", "--region", "GB", option, "{}")
        for option in (
            "--recipient",
            "--company",
            "--line",
            "--locality",
            "--administrative-area",
            "--postal-code",
            "--region",
            "--delivery-instructions",
            "--label",
        )
    ),
    ("payment", "save", "--provider", "{}", "--provider-token-file", "-"),
    ("payment", "save", "--provider", "acme", "--provider-token-file", "-", "--label", "{}"),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join((*command[:2], command[-2])))
def test_no_command_keeps_or_repeats_a_card_number(tmp_path: Path, command: Names, spelling: str) -> None:
    _expect_nothing(tmp_path, [spelling if word == "{}" else word for word in command], "tok_1", spelling)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_provider_token_is_not_kept_either(tmp_path: Path, spelling: str) -> None:
    command = ["payment", "save", "--provider", "acme", "--provider-token-file", "-"]
    _expect_nothing(tmp_path, command, spelling, spelling)


def _expect_nothing(folder: Path, arguments: list[str], stdin: str, spelling: str) -> None:
    environment = {"CARTSYNC_CLIENT_DIR": str(folder / "data"), "CARTSYNC_TOKEN": "a-very-secret-credential"}
    result = CliRunner().invoke(cli, arguments, env=environment, input=stdin)
    assert result.exit_code != 0
    assert spelling not in result.output
    assert NUMBER not in result.output
    assert holding(folder, spelling) == []
