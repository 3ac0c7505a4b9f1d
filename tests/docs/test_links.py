"""Links of the documentation lead somewhere, in the site and on a code host alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.site.links import anchors_of_markdown, broken_links_of_markdown, broken_links_of_site

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert broken_links_of_markdown([page]) == []


def test_a_file_that_is_missing_and_an_anchor_that_is_missing_are_told_with_their_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n\n[a](gone.md) [b](#one) [c](#two) [d](https://example.com/gone)\n", encoding="utf-8")
    assert [problem.removeprefix(f"{page}:") for problem in broken_links_of_markdown([page])] == [
        "3: gone.md is not there",
        "3: #two is an anchor that is not there",
    ]


def test_what_stands_in_code_is_no_link(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```\n[a](gone.md)\n```\n\n    [b](gone.md)\n\nas `[c](gone.md)` shows\n", encoding="utf-8")
    assert broken_links_of_markdown([page]) == []


def test_anchors_are_headings_requirements_duties_and_ids() -> None:
    text = """# Two words, `code` and [a link](x.md)
## Again
## Again
- **deciding/replay-verbatim** (MUST, core): A server MUST …
| `client/one-drainer` | at most one | two of them |
<a id="by-hand"></a>
```
# no heading
```
"""
    assert anchors_of_markdown(text) == {
        "two-words-code-and-a-link",
        "again",
        "again-1",
        "deciding/replay-verbatim",
        "client/one-drainer",
        "by-hand",
    }


def test_a_built_page_may_load_nothing_from_elsewhere_and_link_to_nothing_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<script src="https://elsewhere.example/x.js"></script><a href="b.html#here">b</a><a href="b.html#gone">b</a>'
        '<a href="c.html">c</a><a href="https://example.com/">out</a><img src="gone.png">',
        encoding="utf-8",
    )
    (tmp_path / "b.html").write_text('<p id="here"><a href="a.html">a</a></p>', encoding="utf-8")
    assert broken_links_of_site(tmp_path) == [
        "a.html loads https://elsewhere.example/x.js from the network",
        "a.html links to b.html#gone, but that page has no such anchor",
        "a.html links to c.html, which is not there",
        "a.html links to gone.png, which is not there",
    ]
