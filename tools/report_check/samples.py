"""Reports to look at: those of the tests, and one with a story of 5,000 events."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from cartsync.conformance.v1 import report_pb2

LONG = 5_000  # events
_SAMPLES = Path(__file__).parents[2] / "tests" / "conformance" / "reports" / "sample_reports.py"


def samples() -> dict[str, report_pb2.Report]:
    """Reports by name."""
    made = _of_the_tests()
    long = made.violated()
    finding = long.findings[1]
    del finding.timeline[:]
    finding.timeline.extend(made.long_story(LONG))
    return {
        "passing": made.certified(),
        "failing": made.violated(),
        "partial": made.partial(),
        "campaign": made.campaign(),
        "unreachable": made.unreachable(),
        "long": long,
    }


def _of_the_tests() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_reports", _SAMPLES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
