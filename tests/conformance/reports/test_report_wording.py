from __future__ import annotations

import shlex
import unicodedata

import pytest
from cartsync.conformance.v1 import report_pb2
from hypothesis import given
from hypothesis import strategies as st

from conformance.reports import wording
from conformance.reports.chapters import Place, place_of

texts = st.text(st.characters(exclude_categories=["Cs"]))


def test_every_verdict_has_a_glyph_and_a_word() -> None:
    verdicts = [v for v in report_pb2.Verdict.values() if v != report_pb2.VERDICT_UNSPECIFIED]
    runs = [v for v in report_pb2.RunVerdict.values() if v != report_pb2.RUN_VERDICT_UNSPECIFIED]
    assert set(wording.VERDICTS) == set(verdicts)
    assert set(wording.RUN_VERDICTS) == set(runs)
    assert {word.glyph for word in (*wording.VERDICTS.values(), *wording.RUN_VERDICTS.values())} == {"✓", "✗", "!", "–"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.8124, "812 ms"),
        (0.9996, "1.00 s"),
        (4.211, "4.21 s"),
        (9.996, "10.0 s"),
        (47.31, "47.3 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3600, "1 h 00 min"),
        (3725, "1 h 02 min"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert wording.duration_text(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "+0 ms"), (3.2312, "+3.231 s"), (125, "+2 min 05 s")])
def test_offsets_read_well(seconds: float, text: str) -> None:
    assert wording.offset_text(seconds) == text


@given(texts)
def test_visible_text_can_neither_drive_a_terminal_nor_reorder_a_line(text: str) -> None:
    shown = wording.visible(text)
    assert [character for character in shown if unicodedata.category(character) == "Cc"] == [
        character for character in shown if character in "\n\t"
    ]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff\uffff")
    assert wording.visible(shown) == shown


@given(texts)
def test_a_replay_command_is_one_line_and_five_words_for_the_shell(text: str) -> None:
    finding = report_pb2.Finding(replay_file=f"failures/{text}.json")
    command = wording.replay_command(finding, report_pb2.Target(address=f"host{text}:1"))
    assert "\n" not in command
    words = shlex.split(command)
    assert words[:2] == ["cartsync-conformance", "replay"]
    assert words[3] == "--target"
    assert len(words) == 5


def test_a_replay_command_names_the_control_listener_or_leaves_the_launch_to_the_reader() -> None:
    finding = report_pb2.Finding(replay_file="failures/a.json")
    running = report_pb2.Target(address="host:1", control_address="host:2")
    assert wording.replay_command(finding, running).endswith("--target host:1 --control host:2")
    launched = report_pb2.Target(address="host:1", control_address="host:2", launched=True)
    assert wording.replay_command(finding, launched).endswith("failures/a.json --launch 'COMMAND'")
    assert "out/failures/a.json" in wording.replay_command(finding, running, folder="out/")
    assert wording.replay_command(report_pb2.Finding(), running) == ""


@pytest.mark.parametrize(
    ("chapter", "place", "stem"),
    [
        ("03-deciding.md, 3.1 Decided already", Place("03-deciding.md", "3.1 Decided already"), "03-deciding"),
        ("docs/spec/05-carts.md — 5.2 Guards", Place("docs/spec/05-carts.md", "5.2 Guards"), "05-carts"),
        ("05-carts.md#5.2 Guards", Place("05-carts.md", "5.2 Guards"), "05-carts"),
        ("05-carts.md", Place("05-carts.md", ""), "05-carts"),
        ("5.2 Guards", Place("", "5.2 Guards"), "5-2 Guards"),
    ],
)
def test_a_chapter_is_read_as_file_and_heading(chapter: str, place: Place, stem: str) -> None:
    assert place_of(chapter) == place
    assert place_of(chapter).stem == stem
