"""The released editions in `compat/`: comparing the working copy with them, and freezing it as the next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from conformance.requirements.editions import major_of, order_of, released_editions
from tools.release import protocol
from tools.release.compatibility import breaches, notes
from tools.release.contract import Contract, contract_of

CONTRACT = "contract.json"
DESCRIPTORS = "descriptors.binpb"


class ReleaseError(ValueError):
    """An edition cannot be frozen; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The working copy against the released editions of its major version."""

    editions: tuple[str, ...]
    broken: tuple[str, ...] = field(default=())  # each names what changed and the way out
    noted: tuple[str, ...] = field(default=())


def compare(root: Path, edition: str) -> Comparison:
    """Compare the tree at `root`, a working copy of `edition`, with what it has in `compat/`.

    Raises ValueError when a file cannot be read, BufError when buf cannot compare.
    """
    archive = root / "compat"
    own = [name for name in released_editions(archive) if major_of(name) == major_of(edition)]
    if not own:
        return Comparison(())
    last = own[-1]
    present = contract_of(root, edition)
    broken = [
        f"{last} promised otherwise: {change}\n    put it back as it was, and add beside it what is new"
        for change in protocol.changes(root, archive / last / DESCRIPTORS)
    ]
    contracts = [read(archive / name) for name in own]
    for released in contracts:
        broken += [str(breach) for breach in breaches(released, present)]
    return Comparison(tuple(own), tuple(dict.fromkeys(broken)), tuple(notes(contracts[-1], present)))


def freeze(root: Path, edition: str) -> Path:
    """Write the tree at `root` down as the released `edition`; returns its folder.

    Raises ReleaseError for a name that is no edition, is released already or is not newer than the last one, and for
    a tree that breaks what was released.
    """
    archive = root / "compat"
    try:
        place = order_of(edition)
    except ValueError as error:
        raise ReleaseError(str(error)) from error
    released = released_editions(archive)
    if edition in released:
        raise ReleaseError(f"{edition} is released and frozen; name the next one in SPEC_VERSION")
    if released and place < order_of(released[-1]):
        raise ReleaseError(
            f"{edition} is older than {released[-1]}, which is released; name a newer one in SPEC_VERSION"
        )
    if broken := compare(root, edition).broken:
        raise ReleaseError("\n".join(broken))
    folder = archive / edition
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTORS).write_bytes(protocol.descriptors(root))
    (folder / CONTRACT).write_text(contract_of(root, edition).to_json(), encoding="utf-8")
    return folder


def read(folder: Path) -> Contract:
    """The contract of a released edition; raises ContractFormatError, OSError."""
    path = folder / CONTRACT
    return Contract.from_json(path.read_text(encoding="utf-8"), str(path))
