"""The reference server, given the recorded requests, gives the recorded answers; only texts for people may differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from recorded_vectors import EXCHANGES, each_exchange

from tools.vectors.notation import Entry, decoded, message_of
from tools.vectors.session import Answer, Session, Stream, session, type_of
from tools.vectors.variable import without_texts


def told(entry: Entry) -> Message:
    return without_texts(message_of(entry))


def answered(answer: Answer, response_type: str) -> Message:
    type_name = response_type if answer.code is grpc.StatusCode.OK else "google.rpc.Status"
    return without_texts(decoded(type_name, answer.encoded))


def same(answer: Answer | None, step: Mapping[str, Any], method: str) -> None:
    if "status" not in step:
        assert answer is not None, "the stream ended where an answer was due"
        assert answer.code is grpc.StatusCode.OK, message_text(answer)
        assert answered(answer, type_of(method, response=True)) == told(step.get("response") or step["message"])
        return
    assert (answer.code.name if answer else "OK") == step["status"]["code"]
    if answer is not None and "details" in step["status"]:
        assert answered(answer, "") == told(step["status"]["details"])


def message_text(answer: Answer) -> str:
    return str(decoded("google.rpc.Status", answer.encoded))


async def replay(opened: Session, step: Mapping[str, Any]) -> None:
    opened.tick()
    if "arrange" in step:
        await opened.arrange(step["arrange"], bytes.fromhex(step["request"]["binary"]))
    elif "call" in step:
        answer = await opened.call(step["as"], step["call"], bytes.fromhex(step["request"]["binary"]))
        same(answer, step, step["call"])
    else:
        stream = await opened.open(step["as"], step["stream"])
        for message in step["messages"]:
            await replay_message(opened, stream, message, step["stream"])


async def replay_message(opened: Session, stream: Stream, message: Mapping[str, Any], method: str) -> None:
    if "meanwhile" in message:
        await replay(opened, message["meanwhile"])
    elif message["from"] == "server":
        same(await stream.receive(), message, method)
    elif "message" in message:
        await stream.send(bytes.fromhex(message["message"]["binary"]))
    elif "halfClose" in message:
        await stream.half_close()
    else:
        stream.cancel()


@each_exchange
async def test_the_reference_server_answers_as_recorded(exchange_name: str, tmp_path: Path) -> None:
    async with session(tmp_path) as opened:
        for step in EXCHANGES[exchange_name]["steps"]:
            await replay(opened, step)
