"""The browser that looks at the site: found, or asked for in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.site.browser import BrowserError, check_in_browser, chromium


def program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_without_a_browser_it_is_said_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(BrowserError, match="apt-get install -y --no-install-recommends chromium"):
        chromium()


def test_a_browser_that_does_not_start_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHROMIUM", str(program(tmp_path, "no-browser")))
    with pytest.raises(BrowserError, match="no-browser failed: "):
        check_in_browser(tmp_path)


def test_the_browser_on_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert program(tmp_path, "chromium") == Path(chromium())


def test_a_browser_that_is_named_wins_and_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = program(tmp_path, "my-chromium")
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("CHROMIUM", str(named))
    assert Path(chromium()) == named
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "gone"))
    with pytest.raises(BrowserError, match="gone is no program"):
        chromium()
