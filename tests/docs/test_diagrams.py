"""Diagrams: drawn from text and from the tables that the code runs on, legible, and refused when the two disagree."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.requirements import load
from tools.diagrams import graphs, ladder, sequences
from tools.diagrams.faults import DiagramError
from tools.diagrams.graphs import Edge, Graph
from tools.diagrams.stories import chapters_of, read_stories, story_page, story_pictures
from tools.diagrams.svg import width_of, wrapped
from tools.diagrams.tables import client_edges, disagreements, state_pictures

ROOT = Path(__file__).resolve().parents[2]
STORIES = read_stories(ROOT / "docs" / "diagrams")
SVG = "{http://www.w3.org/2000/svg}"
LANES = {"device": "Device", "server": "Server"}


@pytest.fixture(scope="module")
def pictures() -> dict[str, str]:
    return {**story_pictures(STORIES), **state_pictures(ROOT)}


# Stories.


def test_there_are_ten_stories_and_every_name_that_decides_one_exists() -> None:
    chapters = chapters_of(load(), ROOT / "docs" / "spec")
    assert len(STORIES) == 10
    assert story_page(STORIES, chapters).count("\n## ") == 10


def test_a_story_that_names_what_does_not_exist_is_refused() -> None:
    with pytest.raises(DiagramError, match="no requirement and no client duty"):
        story_page(STORIES, {})


def test_every_story_says_what_goes_wrong_and_what_decides_it() -> None:
    assert all(story.wrong and story.decided_by and story.steps for story in STORIES)


def test_a_story_with_a_part_missing_is_refused_by_file(tmp_path: Path) -> None:
    (tmp_path / "story-01-x.toml").write_text('title = "x"', encoding="utf-8")
    with pytest.raises(DiagramError, match=r"story-01-x\.toml: has title; a story has decided_by"):
        read_stories(tmp_path)


def test_a_story_that_is_no_toml_is_refused_by_file(tmp_path: Path) -> None:
    (tmp_path / "story-01-x.toml").write_text("title =", encoding="utf-8")
    with pytest.raises(DiagramError, match=r"story-01-x\.toml"):
        read_stories(tmp_path)


# Pictures.


def test_every_picture_is_an_image_by_itself_with_a_title_and_a_description(pictures: dict[str, str]) -> None:
    for name, text in pictures.items():
        image = ElementTree.fromstring(text)
        assert image.tag == f"{SVG}svg", name
        assert image.findtext(f"{SVG}title"), name
        assert image.findtext(f"{SVG}desc"), name
        assert not re.search(r'(href|src)=|url\(|@import|https?://(?!www\.w3\.org/2000/svg")', text), name


def test_every_picture_follows_the_colour_scheme_on_a_background_of_its_own(pictures: dict[str, str]) -> None:
    for text in pictures.values():
        image = ElementTree.fromstring(text)
        card = next(shape for shape in image if shape.tag == f"{SVG}rect")
        assert "prefers-color-scheme:dark" in text
        assert card.get("class") == "s-rule f-card"
        assert float(card.get("width", 0)) >= float(image.get("width", 0)) - 2


def test_no_text_of_a_picture_leaves_it(pictures: dict[str, str]) -> None:
    for name, text in pictures.items():
        image = ElementTree.fromstring(text)
        right, bottom = float(image.get("width", 0)), float(image.get("height", 0))
        for shape in image.iter(f"{SVG}text"):
            x, y = float(shape.get("x", 0)), float(shape.get("y", 0))
            width = width_of(shape.text or "", float(shape.get("font-size", 0)))
            left = {"start": x, "middle": x - width / 2, "end": x - width}[shape.get("text-anchor", "start")]
            assert left >= 0, f"{name}: {shape.text}"
            assert left + width <= right, f"{name}: {shape.text}"
            assert 0 < y < bottom, f"{name}: {shape.text}"


# Sequences.


def drawn(*steps: str) -> str:
    return sequences.drawn("T", "D", LANES, steps)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["device > server: x"], "is no step"),
        (["device -> shop: x"], "no lane is called shop"),
        (["device -> @late: x"], "late never arrives"),
        (["@late -> server: x"], "never left"),
    ],
)
def test_a_step_that_cannot_be_drawn_is_refused(steps: list[str], said: str) -> None:
    with pytest.raises(DiagramError, match=said):
        drawn(*steps)


def test_a_lost_message_never_reaches_its_lane() -> None:
    assert ">lost<" in drawn("device -x server: x")
    assert ">lost<" not in drawn("device -> server: x")
    assert drawn("device -x server: x").count("<polygon") == 0


def test_a_sequence_has_two_to_four_lanes() -> None:
    with pytest.raises(DiagramError, match="1 lanes"):
        sequences.drawn("T", "D", {"device": "Device"}, [])


@given(st.lists(st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=12), min_size=1))
@settings(max_examples=60, deadline=None)
def test_text_of_any_kind_is_drawn_whole(words: list[str]) -> None:
    said = " ".join(words)
    image = ElementTree.fromstring(drawn(f"device: {said}"))
    shown = " ".join(shape.text or "" for shape in image.iter(f"{SVG}text")).split()
    assert shown == ["Device", "Server", *said.split()]


@given(st.text(st.characters(codec="ascii", categories=("L", "Zs")), min_size=1), st.floats(40, 400))
def test_no_line_is_wider_than_allowed_unless_it_is_one_word(text: str, width: float) -> None:
    lines = wrapped(text, width)
    assert " ".join(lines).split() == text.split()
    assert all(width_of(line) <= width or " " not in line for line in lines)


# States.


def test_every_transition_of_the_client_is_drawn_or_marked(pictures: dict[str, str]) -> None:
    image = ElementTree.fromstring(pictures["docs/images/diagrams/client-drain.svg"])
    edges = client_edges()
    ways = {(edge.source, edge.target) for edge in edges if edge.event != "CallFailed"}
    assert len(list(image.iter(f"{SVG}path"))) == len(ways)
    shown = {shape.text for shape in image.iter(f"{SVG}text")}
    assert {edge.source for edge in edges} | {edge.target for edge in edges} <= shown


def test_a_state_without_a_place_and_a_place_without_a_state_are_refused() -> None:
    edges = [Edge("A", "go", "B")]
    with pytest.raises(DiagramError, match="give a place to B"):
        graphs.drawn(Graph("T", "D", {"A": (0, 0), "C": (1, 0)}, edges))


def test_a_bend_of_a_way_that_is_not_there_is_refused() -> None:
    with pytest.raises(DiagramError, match="B -> A, which is no transition"):
        graphs.drawn(Graph("T", "D", {"A": (0, 0), "B": (1, 0)}, [Edge("A", "go", "B")], {"B -> A": 5}))


def test_the_steps_of_chapter_3_are_those_of_the_reference_server() -> None:
    assert disagreements(ROOT) == []


def test_a_chapter_without_the_table_of_steps_is_refused(tmp_path: Path) -> None:
    (tmp_path / "03.md").write_text("# 3\n\n| a | b |\n|---|---|\n", encoding="utf-8")
    with pytest.raises(DiagramError, match="its first table is not"):
        ladder.rungs(tmp_path / "03.md")
