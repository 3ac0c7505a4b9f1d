"""Reading when a link was down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.real_orders.exceptions import UsageError
from benchmarks.real_orders.recording import Outage, Recording, read_recording


def written(folder: Path, document: object) -> Path:
    file = folder / "link.json"
    file.write_text(json.dumps(document))
    return file


def test_outages_that_touch_or_overlap_are_one(tmp_path: Path) -> None:
    outages = [[3000, 4000], [1000, 2000], [2000, 2500], [3500, 3600], [5000, 5000]]
    recording = read_recording(written(tmp_path, {"trace": "bus", "duration_ms": 10_000, "outages_ms": outages}))
    assert recording == Recording("bus", 10.0, (Outage(1.0, 2.5), Outage(3.0, 4.0)))
    assert recording.down_seconds == 2.5


def test_a_recording_without_a_name_has_that_of_its_file(tmp_path: Path) -> None:
    assert read_recording(written(tmp_path, {"duration_ms": 10, "outages_ms": []})).name == "link"


def test_a_raw_recording_is_down_where_no_packet_crossed(tmp_path: Path) -> None:
    file = tmp_path / "bus.up"
    file.write_text("600\n600\n900\n1400\n1410\n3000\n")
    assert read_recording(file) == Recording("bus.up", 3.0, (Outage(0.0, 0.6), Outage(0.9, 1.4), Outage(1.41, 3.0)))


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(sorted), max_size=8),
    st.floats(0.1, 1000),
)
def test_squeezing_keeps_the_share_of_time_that_is_down(outages: list[list[int]], seconds: float) -> None:
    merged: set[int] = set()
    for start, end in outages:
        merged.update(range(start, end))
    recording = Recording("any", 1.0, tuple(_runs(sorted(merged))))
    squeezed = recording.squeezed(seconds)
    assert squeezed.duration == seconds
    assert squeezed.down_seconds == pytest.approx(len(merged) / 1000 * seconds)


def _runs(milliseconds: list[int]) -> list[Outage]:
    runs: list[Outage] = []
    for millisecond in milliseconds:
        if runs and runs[-1].end == millisecond / 1000:
            runs[-1] = Outage(runs[-1].start, (millisecond + 1) / 1000)
        else:
            runs.append(Outage(millisecond / 1000, (millisecond + 1) / 1000))
    return runs


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"outages_ms": []}, "duration_ms must be"),
        ({"duration_ms": 0, "outages_ms": []}, "duration_ms must be"),
        ({"duration_ms": True, "outages_ms": []}, "duration_ms must be"),
        ({"duration_ms": 10}, "outages_ms must be"),
        ({"duration_ms": 10, "outages_ms": [1, 2]}, "outages_ms must be"),
        ({"duration_ms": 10, "outages_ms": [[1, 2], [3]]}, r"outages_ms\[1\] must be"),
        ({"duration_ms": 10, "outages_ms": [[2, 1]]}, r"outages_ms\[0\] must be"),
        ({"duration_ms": 10, "outages_ms": [[2, 11]]}, r"outages_ms\[0\] must be"),
        ({"duration_ms": 10, "outages_ms": [["2", "3"]]}, r"outages_ms\[0\] must be"),
    ],
)
def test_a_wrong_recording_is_refused_with_the_member_named(tmp_path: Path, document: object, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        read_recording(written(tmp_path, document))


@pytest.mark.parametrize("text", ["", "{", "one\ntwo\n", "5\n3\n", "{" * 100_000])
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "link"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"--link .*link: .*NSDI 2013"):
        read_recording(file)


def test_a_missing_recording_says_where_recordings_come_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read.*github\.com/ravinet/mahimahi"):
        read_recording(tmp_path / "nothing.json")
