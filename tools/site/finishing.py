"""What the generator leaves to do: nothing from the network, and every requirement found by its slug."""

from __future__ import annotations

import json
import os
import re
from html import escape
from pathlib import Path
from typing import Any

from conformance.requirements import Register
from conformance.requirements.register import Requirement

_SHIM = re.compile(r'<script src="https://unpkg\.com/iframe-worker/shim"[^>]*></script>')
_WORKER = "assets/local-worker.js"


def finish(site: Path, register: Register) -> int:
    """Finish the rendered site in place; the number of its pages. KeyError: a chapter is not in it."""
    pages = sorted(site.rglob("*.html"))
    for page in pages:
        worker = os.path.relpath(site / _WORKER, page.parent)
        text = page.read_text(encoding="utf-8")
        page.write_text(_SHIM.sub(f'<script src="{worker}"></script>', text), encoding="utf-8")
    _make_searchable(site, register)
    return len(pages)


def _make_searchable(site: Path, register: Register) -> None:
    """Give every requirement an entry of its own, so that its slug finds it before all that mentions it."""
    index: dict[str, Any] = json.loads((site / "search.json").read_text(encoding="utf-8"))
    paths = {item["location"]: item["path"] for item in index["items"]}
    index["items"] += [_entry(requirement, paths) for requirement in register.requirements]
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (site / "search.json").write_text(text, encoding="utf-8")
    # The same once more as a script: a page from the file system can load nothing else.
    (site / "search.js").write_text(f"var __index = {text}", encoding="utf-8")


def _entry(requirement: Requirement, paths: dict[str, list[str]]) -> dict[str, object]:
    page = f"spec/{requirement.chapter.removesuffix('.md')}.html"
    kind = f"{requirement.level}, {requirement.profile}"
    return {
        "location": f"{page}#{requirement.slug}",
        "level": 3,
        "title": requirement.slug,
        "text": f"<p>{escape(requirement.statement, quote=False)} ({kind})</p>",
        "path": [*paths[page], requirement.heading],
        "tags": [],
    }
