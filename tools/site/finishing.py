"""What the generator leaves to do: nothing from the network, and every requirement found by its slug."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from html import escape
from pathlib import Path
from typing import Any

from conformance.requirements import Register
from tools.diagrams.stories import Duty

_SHIM = re.compile(r'<script src="https://unpkg\.com/iframe-worker/shim"[^>]*></script>')
_WORKER = "assets/local-worker.js"


def finish(site: Path, register: Register, duties: Collection[Duty]) -> int:
    """Finish the rendered site in place; the number of its pages. KeyError: a chapter is not in it."""
    pages = sorted(site.rglob("*.html"))
    for page in pages:
        worker = os.path.relpath(site / _WORKER, page.parent)
        text = page.read_text(encoding="utf-8")
        page.write_text(_SHIM.sub(f'<script src="{worker}"></script>', text), encoding="utf-8")
    _make_searchable(site, register, duties)
    return len(pages)


def _make_searchable(site: Path, register: Register, duties: Collection[Duty]) -> None:
    """Give every requirement and duty an entry of its own: its slug finds it before all that mentions it."""
    index: dict[str, Any] = json.loads((site / "search.json").read_text(encoding="utf-8"))
    paths = {item["location"]: item["path"] for item in index["items"]}
    entries = [
        (r.slug, r.chapter, f"{r.statement} ({r.level}, {r.profile})", [r.heading]) for r in register.requirements
    ] + [(duty.slug, duty.chapter, f"{duty.says} (a duty of the client)", []) for duty in duties]
    index["items"] += [_entry(*entry, paths) for entry in entries]
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (site / "search.json").write_text(text, encoding="utf-8")
    # The same once more as a script: a page from the file system can load nothing else.
    (site / "search.js").write_text(f"var __index = {text}", encoding="utf-8")


def _entry(slug: str, chapter: str, text: str, under: list[str], paths: dict[str, list[str]]) -> dict[str, object]:
    page = f"spec/{chapter.removesuffix('.md')}.html"
    return {
        "location": f"{page}#{slug}",
        "level": 3,
        "title": slug,
        "text": f"<p>{escape(text, quote=False)}</p>",
        "path": [*paths[page], *under],
        "tags": [],
    }
