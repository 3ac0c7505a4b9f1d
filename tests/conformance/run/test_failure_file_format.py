"""Failure files of real runs follow their schema, hold no secret, and show the violation without the suite."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from conformance.mutants.trial import mutant_command
from conformance.requirements import load
from conformance.run import NoProgress, RunSettings
from conformance.run.execute import execute
from conformance.wire import TargetOptions

MUTANT = "replayed-flag-missing"
SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "docs" / "reference" / "failure-file.schema.json").read_text()
)


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The failure files of a run against a server that never says that an outcome is a replay."""
    folder = tmp_path_factory.mktemp("run")
    settings = RunSettings.checked(
        load(),
        target=TargetOptions(launch=mutant_command(MUTANT), control_secret="hush-hush"),
        budget="fast",
        seed=3,
        report_dir=folder,
        only=("test_duplicates.py::test_a_duplicate_is_answered_with_the_recorded_outcome", "*fuzzed_duplicates*"),
    )
    execute(load(), settings, NoProgress())
    return [json.loads(path.read_text()) for path in sorted((folder / "failures").glob("*.json"))]


def test_scripted_and_fuzzed_failures_follow_the_schema(failures: list[dict[str, Any]]) -> None:
    assert [failure["plan"] is None for failure in failures] == [True, False]
    for failure in failures:
        assert list(problems(failure, SCHEMA)) == []


def test_the_schema_refuses_what_is_no_failure_file(failures: list[dict[str, Any]]) -> None:
    good = failures[1]
    for change in ({"format": "cartsync-failure/3"}, {"seed": "3"}, {"extra": 1}, {"history": [{"lane": "sea"}]}):
        assert list(problems({**good, **change}, SCHEMA))
    assert list(problems({name: good[name] for name in good if name != "worlds"}, SCHEMA))


def test_the_reason_the_wire_and_the_worlds_are_in_it(failures: list[dict[str, Any]]) -> None:
    scripted, fuzzed = failures
    assert scripted["requirement"] == fuzzed["requirement"] == "deciding/replayed-flag"
    assert "lost the answer" in scripted["because"]
    assert scripted["worlds"] is None
    assert fuzzed["worlds"]["count"] >= 1
    assert fuzzed["worlds"]["shown"][0]["queues"][0]["records"][0]["outcome"]["state"]
    for failure in failures:
        sent = [event for event in failure["history"] if event.get("direction") == "sent"]
        received = [event for event in failure["history"] if event.get("direction") == "received"]
        assert {"cartsync.v1.CartSyncService/SubmitOperations"} <= {event["method"] for event in sent}
        assert any("SubmitOperationsResponse" in event["message"] for event in received)
        assert [event for event in failure["history"] if event.get("culprit")]


def test_no_secret_is_in_it_and_the_command_has_the_launch_command(failures: list[dict[str, Any]]) -> None:
    for failure in failures:
        text = json.dumps(failure)
        assert "hush-hush" not in text
        assert "Bearer" not in text
        words = shlex.split(failure["command"])
        assert words[words.index("--launch") + 1] == mutant_command(MUTANT)


def test_the_transcript_shows_the_violation_without_the_suite(failures: list[dict[str, Any]], tmp_path: Path) -> None:
    transcript = failures[0]["transcript"]
    with server(tmp_path) as (address, control):
        script = re.sub(r"(?m)^TARGET=.*$", f"TARGET={address}", transcript)
        script = re.sub(r"(?m)^CONTROL=.*$", f"CONTROL={control}", script)
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**environment, "CARTSYNC_CONTROL_SECRET": "", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    answers = list(objects(done.stdout))
    told = list(objects("\n".join(re.findall(r"(?m)^#   (\{.*)$", transcript))))
    assert [sorted(answer) for answer in answers if answer] == [sorted(answer) for answer in told]
    outcomes = [result for answer in answers for result in answer.get("results", [])]
    first, again = outcomes[0], outcomes[-1]
    assert again["outcome"] == first["outcome"]
    assert not again.get("replayed")  # which is the violation


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, str]]:
    """A mutant with its control service, on ports of its own."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARTSYNC_")}
    environment |= {"CARTSYNC_LISTEN": addresses[0], "CARTSYNC_CONTROL_LISTEN": addresses[1]}
    environment["CARTSYNC_DATA_DIR"] = str(folder / "data")
    process = subprocess.Popen(shlex.split(mutant_command(MUTANT)), env=environment, stdout=subprocess.DEVNULL)
    try:
        for address in addresses:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(30)
        yield addresses[0], addresses[1]
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object that stands in a text, one after the other."""
    decoder = json.JSONDecoder()
    place = text.find("{")
    while place >= 0:
        value, end = decoder.raw_decode(text, place)
        yield value
        place = text.find("{", end)


def problems(value: object, schema: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """What of a JSON value is not as the schema says, for the words of JSON Schema that this one uses."""
    known = {"$schema", "$id", "$defs", "title", "description", "$ref", "anyOf", "const", "enum", "type", "required"}
    known |= {"properties", "additionalProperties", "items", "pattern", "minimum"}
    assert set(schema) <= known, set(schema) - known
    if "$ref" in schema:
        yield from problems(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], place)
    if "anyOf" in schema and all(list(problems(value, option, place)) for option in schema["anyOf"]):
        yield f"{place} is nothing of what it may be"
    if "const" in schema and value != schema["const"]:
        yield f"{place} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is none of {schema['enum']}"
    kinds: dict[str, Any] = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}
    kinds["null"] = type(None)
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        yield f"{place} is no {schema['type']}"
        return
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{place} is not like {schema['pattern']}"
    if isinstance(value, int | float) and value < schema.get("minimum", value):
        yield f"{place} is too small"
    if isinstance(value, list) and "items" in schema:
        for index, entry in enumerate(value):
            yield from problems(entry, schema["items"], f"{place}[{index}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        yield from (f"{place} lacks {name}" for name in schema.get("required", []) if name not in value)
        for name, entry in value.items():
            if name in properties:
                yield from problems(entry, properties[name], f"{place}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{place} has {name}, which is unknown"
