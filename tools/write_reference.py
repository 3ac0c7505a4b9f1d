"""Writes the generated pages of docs/reference, or (--check) fails when one of them is stale.

The reason table comes from the options and comments in the protocol, the requirement table from the spec and the
suite, the table of mutants from their catalogue.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import resources
from pathlib import Path

from cartsync.v1 import reason_pb2
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from conformance.mutants import CATALOGUE
from conformance.requirements import load
from conformance.run.execute import inventory

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
_ENUM_FIELD = 5  # FileDescriptorProto.enum_type
_VALUE_FIELD = 2  # EnumDescriptorProto.value


def main() -> int:
    """Write the pages, or compare them; the exit code."""
    pages = {"reasons.md": reasons(), "requirements.md": requirements(), "mutants.md": mutants()}
    if "--check" not in sys.argv[1:]:
        REFERENCE.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            (REFERENCE / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in pages.items() if _read(REFERENCE / name) != text]
    for name in stale:
        print(f"docs/reference/{name} is stale: run `make docs` and commit it", file=sys.stderr)
    return 1 if stale else 0


def reasons() -> str:
    """Every reason with its policy and the comment in the protocol."""
    rows = [
        "# Reasons",
        "",
        "Generated from `proto/cartsync/v1/reason.proto` by `make docs`.",
        "",
        "| reason | state | disposition | recorded | when |",
        "|---|---|---|---|---|",
    ]
    comments = _comments()
    for value in reason_pb2.Reason.DESCRIPTOR.values:
        if value.number == 0:
            continue
        policy = value.GetOptions().Extensions[reason_pb2.reason_policy]
        state = reason_pb2.OutcomeState.Name(policy.state).removeprefix("OUTCOME_STATE_")
        disposition = reason_pb2.Disposition.Name(policy.disposition).removeprefix("DISPOSITION_")
        name = value.name.removeprefix("REASON_")
        recorded = "yes" if policy.recorded else "no"
        rows.append(f"| `{name}` | `{state}` | `{disposition}` | {recorded} | {comments[value.name]} |")
    return "\n".join(rows) + "\n"


def requirements() -> str:
    """Every requirement with the number of its checks."""
    register = load()
    checks = inventory()
    rows = [
        "# Requirements",
        "",
        "Generated from `docs/spec` and `conformance/suite` by `make docs`: "
        f"{len(register.requirements)} requirements, {len(checks)} checks.",
        "",
        "| requirement | level | profile | checks | chapter |",
        "|---|---|---|---|---|",
    ]
    for r in register.requirements:
        count = sum(r.slug in check.slugs for check in checks)
        rows.append(f"| `{r.slug}` | {r.level} | `{r.profile}` | {count} | [{r.heading}](../spec/{r.chapter}) |")
    return "\n".join(rows) + "\n"


def mutants() -> str:
    """Every wrong server with what it does wrong and the requirement it breaks."""
    rows = [
        "# Mutants",
        "",
        f"Generated from `conformance/mutants` by `make docs`: {len(CATALOGUE)} wrong servers, each the reference "
        "server with one part exchanged.",
        "`make selftest` runs the suite against every one of them; `python -m conformance.mutants NAME` serves one.",
        "",
        "| mutant | what it does wrong | requirement it breaks |",
        "|---|---|---|",
    ]
    rows += [f"| `{m.name}` | {m.does} | {', '.join(f'`{slug}`' for slug in m.breaks)} |" for m in CATALOGUE]
    return "\n".join(rows) + "\n"


def _comments() -> dict[str, str]:
    """The leading comment of every value of Reason, on one line."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "set.bin"
        code = protoc.main(
            [
                "protoc",
                f"-I{ROOT / 'proto'}",
                f"-I{resources.files('grpc_tools') / '_proto'}",
                "--include_source_info",
                f"--descriptor_set_out={out}",
                "cartsync/v1/reason.proto",
            ]
        )
        if code:
            raise SystemExit(f"protoc failed with exit code {code}")
        file = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]
    index = [enum.name for enum in file.enum_type].index("Reason")
    values = file.enum_type[index].value
    return {
        values[location.path[3]].name: " ".join(location.leading_comments.split())
        for location in file.source_code_info.location
        if list(location.path[:3]) == [_ENUM_FIELD, index, _VALUE_FIELD] and len(location.path) == 4
    }


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    raise SystemExit(main())
