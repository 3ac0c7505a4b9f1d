"""Vectors as files: playing all examples, keeping what was recorded, writing, and finding what is stale."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.vectors import messages
from tools.vectors.exchanges import in_order, subject_of
from tools.vectors.messages import Single
from tools.vectors.notation import Entry, layout, message_of
from tools.vectors.script import Exchange, Play, Step, entries_in
from tools.vectors.session import session
from tools.vectors.variable import without_texts

__all__ = ["FORMAT", "Vectors", "fresh", "kept", "play", "recorded", "stale", "write"]

FORMAT = "cartsync-vector/1"


@dataclass(frozen=True, slots=True)
class Vectors:
    """All worked examples, by name."""

    exchanges: Mapping[str, dict[str, Any]]
    messages: Mapping[str, dict[str, Any]]

    def files(self) -> dict[str, bytes]:
        """The content of every file, by its path below the folder of the vectors."""
        told: dict[str, bytes] = {}
        for folder, vectors in (("exchanges", self.exchanges), ("messages", self.messages)):
            for name, vector in vectors.items():
                told[f"{folder}/{name}.json"] = (layout(vector) + "\n").encode()
                for entry in entries_of(vector):
                    told[entry["file"]] = bytes.fromhex(entry["binary"])
        return told


def entries_of(vector: Mapping[str, Any]) -> list[Entry]:
    """The messages of a vector, in order."""
    return list(entries_in(vector["steps"])) if "steps" in vector else [vector["message"]]


async def play(exchange: Exchange) -> list[Step]:
    """Play one exchange on a server of its own; the steps."""
    with tempfile.TemporaryDirectory() as scratch:
        async with session(Path(scratch)) as opened:
            telling = Play(opened)
            await exchange.tell(telling)
            return telling.steps


def fresh(before: Vectors | None = None) -> Vectors:
    """Play everything; an answer that `before` has is kept as it was when only texts for people differ."""

    async def all_of_them() -> dict[str, dict[str, Any]]:
        return {exchange.name: _exchange(exchange, await play(exchange)) for exchange in in_order()}

    told = asyncio.run(all_of_them())
    if before is not None:
        told = {name: kept(before.exchanges.get(name), vector) for name, vector in told.items()}
    steps = {name: vector["steps"] for name, vector in told.items()}
    singles = [
        *messages.operations(),
        *messages.outcomes(steps),
        *messages.newer_outcomes(),
        *messages.calls(steps),
    ]
    return Vectors(told, {single.name: _single(single) for single in singles})


def _exchange(exchange: Exchange, steps: list[Step]) -> dict[str, Any]:
    for number, entry in enumerate(entries_in(steps), start=1):
        short = entry["type"].rpartition(".")[2]
        entry["file"] = f"exchanges/{exchange.name}/{number:02}-{short}.binpb"
    return {
        "format": FORMAT,
        "title": exchange.title,
        "shows": exchange.shows,
        "subject": subject_of(exchange),
        "profile": exchange.profile,
        "requirements": list(exchange.requirements),
        "steps": steps,
    }


def _single(single: Single) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "title": single.title,
        "shows": single.shows,
        "requirements": list(single.requirements),
        "message": {**single.message, "file": f"messages/{single.name}.binpb"},
    }


def kept(before: Any, after: Any) -> Any:
    """`after`, with every message that says the same as `before` but for texts as it was before."""
    match before, after:
        case {"type": str(was), "binary": str()}, {"type": str(now), "binary": str()} if was == now:
            same = without_texts(message_of(before)) == without_texts(message_of(after))
            return before if same and before.get("file") == after.get("file") else after
        case dict(), dict():
            return {key: kept(before.get(key), value) for key, value in after.items()}
        case list(), list():
            paired = [*before[: len(after)], *[None] * (len(after) - len(before))]
            return [kept(old, new) for old, new in zip(paired, after, strict=True)]
        case _:
            return after


def recorded(folder: Path) -> Vectors:
    """The vectors in a folder; raises ValueError, naming the file, for what is none."""
    return Vectors(_read(folder / "exchanges"), _read(folder / "messages"))


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    vectors = {}
    for path in sorted(folder.glob("*.json")):
        try:
            vector = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: no vector: {error}; `make docs` writes it anew") from error
        if vector.get("format") != FORMAT:
            raise ValueError(f"{path}: its format is not {FORMAT!r}; `make docs` writes it anew")
        vectors[path.stem] = vector
    return vectors


def stale(folder: Path, vectors: Vectors) -> list[str]:
    """Paths below `folder` that are missing, differ or are there without need."""
    wanted = vectors.files()
    present = {path.relative_to(folder).as_posix(): path for path in _present(folder)}
    differing = [name for name, content in wanted.items() if name in present and present[name].read_bytes() != content]
    return sorted([*differing, *(wanted.keys() ^ present.keys())])


def write(folder: Path, vectors: Vectors) -> None:
    """Write the vectors, and remove those that are no more."""
    wanted = vectors.files()
    for path in _present(folder):
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    for name, content in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _present(folder: Path) -> Iterable[Path]:
    return [path for kind in ("*.json", "*.binpb") for path in folder.rglob(kind)]
