"""The site: complete, searchable by slug, and loading nothing from the network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conformance.requirements import load
from tools.site.building import build
from tools.site.links import broken_links_of_site
from tools.site.staging import fenced_lines, navigation, title_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of this checkout, built in a folder of its own."""
    place = tmp_path_factory.mktemp("built") / "site"
    build(place)
    return place


def test_every_link_of_the_site_leads_somewhere_and_nothing_is_loaded_from_the_network(site: Path) -> None:
    assert broken_links_of_site(site) == []


def test_every_page_of_the_documentation_is_in_the_site(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        inside = page.relative_to(ROOT / "docs").with_suffix(".html")
        name = "index.html" if inside.stem == "README" else inside.name
        assert (site / inside.with_name(name)).is_file(), page


def test_every_requirement_has_an_anchor_of_its_own_that_is_its_slug(site: Path) -> None:
    for requirement in load().requirements:
        chapter = site / "spec" / requirement.chapter.replace(".md", ".html")
        assert f'id="{requirement.slug}"' in chapter.read_text(encoding="utf-8"), requirement.slug


@pytest.mark.parametrize("name", ["search.json", "search.js"])
def test_every_requirement_is_an_entry_of_the_search_under_its_slug(site: Path, name: str) -> None:
    index = json.loads((site / name).read_text(encoding="utf-8").removeprefix("var __index = "))
    entries = {item["title"]: item for item in index["items"] if "#" in item["location"]}
    for requirement in load().requirements:
        entry = entries[requirement.slug]
        assert entry["location"] == f"spec/{requirement.chapter.removesuffix('.md')}.html#{requirement.slug}"
        assert entry["path"][0] == "Specification"


def test_search_takes_a_slug_apart_as_it_takes_the_text_apart(site: Path) -> None:
    index = json.loads((site / "search.json").read_text(encoding="utf-8"))
    words = re.split(index["config"]["separator"], "deciding/replay-verbatim")
    assert words == ["deciding", "replay", "verbatim"]


def test_a_slug_that_a_page_mentions_links_to_the_requirement(site: Path) -> None:
    requirements = (site / "spec" / "18-hard-questions.html").read_text(encoding="utf-8")
    assert 'href="03-deciding.html#deciding/replay-verbatim"' in requirements.replace("./", "")


def test_links_to_proto_files_lead_to_their_reference_pages(site: Path) -> None:
    guide = (site / "guides" / "certify-your-server.html").read_text(encoding="utf-8")
    assert 'href="../reference/protocol/conformance-control.html"' in guide


def test_files_outside_the_documentation_that_it_links_to_are_in_the_site(site: Path) -> None:
    assert (site / "files" / "examples" / "catalog.csv").read_bytes() == (
        ROOT / "examples" / "catalog.csv"
    ).read_bytes()


def test_the_navigation_follows_the_readme_of_a_folder_and_then_the_names(tmp_path: Path) -> None:
    for name, text in {
        "index.md": "# Home",
        "spec/README.md": "# Spec\n\n[b](b.md#part), [inner](inner/README.md)",
        "spec/a.md": "# A `first`",
        "spec/b.md": "# B",
        "spec/inner/README.md": "# Inner",
        "spec/pictures/x.svg": "<svg/>",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert navigation(tmp_path) == [
        {"Home": "index.md"},
        {
            "Specification": [
                "spec/README.md",
                {"B": "spec/b.md"},
                {"Inner": ["spec/inner/README.md"]},
                {"A first": "spec/a.md"},
            ]
        },
    ]


def test_code_blocks_are_told_from_text_also_inside_lists() -> None:
    lines = ["text", "", "    code", "", "- item", "", "    of the item", "```", "code", "```", "text"]
    assert [line for line, fenced in fenced_lines(lines) if fenced] == ["    code", "```", "code", "```"]


def test_a_page_without_a_heading_is_called_after_its_file(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("```\n# no heading\n```\n", encoding="utf-8")
    assert title_of(tmp_path / "notes.md") == "notes"
