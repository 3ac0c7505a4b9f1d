"""Diagrams and tables of states, made from the tables that the code runs on."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from cartsync.v1 import reason_pb2

from reference_client.machine.states import TRANSITIONS
from reference_server.engine.deciding import Decider
from tools.diagrams import graphs, ladder
from tools.diagrams.faults import DiagramError
from tools.diagrams.graphs import Edge, Graph

PICTURES = PurePosixPath("docs/images/diagrams")


def state_pictures(root: Path) -> dict[str, str]:
    """The pictures by their paths from the repository. Raises DiagramError when text and tables do not agree."""
    texts = root / "docs" / "diagrams"
    return {
        str(PICTURES / "client-drain.svg"): graphs.drawn(client_drain(_read(texts / "client-drain.toml"))),
        str(PICTURES / "operation-life.svg"): graphs.drawn(operation_life(_read(texts / "operation-life.toml"))),
        str(PICTURES / "deciding.svg"): _deciding(root, _read(texts / "deciding.toml")),
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise DiagramError(f"{path}: {error}") from error


def client_edges() -> list[Edge]:
    """Every transition of the client's sync machine, in the order of its table."""
    return [
        Edge(source.name, event.__name__, target.name)
        for source, row in TRANSITIONS.items()
        for event, targets in row.items()
        for target in sorted(targets, key=lambda state: state.value)
    ]


def client_drain(text: Mapping[str, Any]) -> Graph:
    """The sync machine of the reference client."""
    edges = client_edges()
    return Graph(
        text["title"],
        "; ".join(f"{edge.source}, {edge.event}: {edge.target}" for edge in edges),
        text["places"],
        edges,
        text["bends"],
        text["events_at"],
        text["marked"],
        frozenset(state.name for state, row in TRANSITIONS.items() if not row),
    )


def operation_life(text: Mapping[str, Any]) -> Graph:
    """What becomes of an operation: states and dispositions from the options of the reasons."""
    ways = [(*way.split(" -> "), event) for way, event in text["before"].items()]
    edges = [Edge(source, event, target) for source, target, event in ways]
    pairs: dict[tuple[str, str], bool] = {}
    for value in reason_pb2.Reason.DESCRIPTOR.values:
        if value.number:
            policy = value.GetOptions().Extensions[reason_pb2.reason_policy]
            state = reason_pb2.OutcomeState.Name(policy.state).removeprefix("OUTCOME_STATE_")
            disposition = reason_pb2.Disposition.Name(policy.disposition).removeprefix("DISPOSITION_")
            pairs[state, disposition] = policy.recorded
    recorded = {"APPLIED": True} | {state: is_recorded for (state, _), is_recorded in pairs.items()}
    edges += [Edge("SENT", "recorded" if yes else "not recorded", state) for state, yes in recorded.items()]
    said = {f"{state} {disposition}" for state, disposition in pairs}
    if said != set(text["after"]):
        raise DiagramError(f"{text['title']}: [after] says {sorted(text['after'])}, the reasons say {sorted(said)}")
    for pair, target in text["after"].items():
        state, disposition = pair.split()
        edges.append(Edge(state, disposition, target))
    return Graph(
        text["title"],
        "; ".join(f"{edge.source}, {edge.event}: {edge.target}" for edge in edges),
        text["places"],
        edges,
        text["bends"],
        ends=frozenset({edge.target for edge in edges} - {edge.source for edge in edges}),
        labels=text["labels"],
    )


def _deciding(root: Path, text: Mapping[str, Any]) -> str:
    steps = ladder.rungs(root / "docs" / "spec" / "03-deciding.md")
    methods: Mapping[str, int] = text["methods"]
    discards = {methods[name] for name in Decider.DISCARD_STEPS if name in methods}
    return ladder.drawn(text["title"], steps, discards)


def disagreements(root: Path) -> list[str]:
    """Where chapter 3, `docs/diagrams/deciding.toml` and the reference server's steps do not agree, one line each."""
    text = _read(root / "docs" / "diagrams" / "deciding.toml")
    methods: Mapping[str, int] = text["methods"]
    known = {*methods, *text["beside"]}
    steps = dict.fromkeys(rung.number for rung in ladder.rungs(root / "docs" / "spec" / "03-deciding.md"))
    found = [
        f"deciding.toml does not know the server's step {name}"
        for name in dict.fromkeys([*Decider.STEPS, *Decider.DISCARD_STEPS])
        if name not in known
    ]
    found += [
        f"deciding.toml names {name}, which is no step of the server" for name in methods if name not in Decider.STEPS
    ]
    found += [
        f"step {number} of chapter 3 is no step of the server" for number in steps if number not in methods.values()
    ]
    order = [methods[name] for name in Decider.STEPS if name in methods]
    if order != sorted(order):
        found.append(f"the server takes the steps in the order {order}")
    return found


def transition_rows() -> list[tuple[str, str, str]]:
    """The client's table for a page: state, event, where it can lead."""
    return [
        (
            f"`{source.name}`",
            f"`{event.__name__}`",
            ", ".join(f"`{t.name}`" for t in sorted(targets, key=lambda t: t.value)),
        )
        for source, row in TRANSITIONS.items()
        for event, targets in row.items()
    ]
