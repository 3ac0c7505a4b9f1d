"""Opens reports in a headless Chromium and says what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Error, Page, sync_playwright

from tools.site.browser import FLAGS, BrowserError, chromium

AIM_SECONDS = 2.0  # in which a story of 5,000 events opens on a machine that has nothing else to do
PATIENCE_SECONDS = 8.0  # after which the check fails, however busy the machine is
_GRAVE = ("serious", "critical")
_AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
_LOADED = "() => { const t = performance.getEntriesByType('navigation')[0]; return t.loadEventEnd / 1000; }"


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is looked at."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]


LOOKS = (Look("wide", 1280, 900, "light"), Look("narrow", 400, 800, "light"), Look("dark", 1280, 900, "dark"))
_DARK = ("failing", "campaign", "given")  # which together have every colour


@dataclass
class Seen:
    """What was looked at, and everything that was wrong with it, one line each."""

    browser: str = ""
    looks: int = 0
    axe_rules: int = 0  # rules that were met, over all looks
    seconds: dict[str, float] = field(default_factory=dict)  # until a page was loaded and drawn, wide
    problems: list[str] = field(default_factory=list)


def look_at(pages: Mapping[str, Path], axe: str, screenshots: Path | None = None) -> Seen:
    """Open every page in every look. Raises BrowserError."""
    program = chromium()
    seen = Seen()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
            try:
                seen.browser = f"Chromium {browser.version}"
                for look in LOOKS:
                    for name, path in pages.items():
                        if look.scheme == "dark" and not name.startswith(_DARK):
                            continue
                        _look(browser, look, name, path, axe, seen, screenshots)
            finally:
                browser.close()
    except Error as error:
        raise BrowserError(f"{program} failed: {error.message.strip().splitlines()[0]}") from error
    return seen


def _look(browser: Browser, look: Look, name: str, path: Path, axe: str, seen: Seen, screenshots: Path | None) -> None:
    place = f"{name} ({look.name})"
    page = browser.new_context(
        viewport={"width": look.width, "height": look.height}, color_scheme=look.scheme
    ).new_page()
    page.on("pageerror", lambda error: seen.problems.append(f"{place}: {error}"))
    page.on(
        "console",
        lambda message: (
            seen.problems.append(f"{place}: console {message.type}: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    page.on("request", lambda request: _own(request.url, path, place, seen))
    page.goto(path.as_uri())
    page.evaluate(_DRAWN)
    seen.looks += 1
    if look.name == "wide":
        seen.seconds[name] = float(page.evaluate(_LOADED))
        if seen.seconds[name] > PATIENCE_SECONDS:
            seen.problems.append(f"{place}: took {seen.seconds[name]:.1f} s to open")
    if screenshots is not None:
        screenshots.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=screenshots / f"{name}-{look.name}.png")
    _too_wide(page, look, place, seen)
    _with_the_keyboard(page, place, seen)
    _accessible(page, axe, place, seen)
    page.context.close()


def _own(url: str, path: Path, place: str, seen: Seen) -> None:
    if url != path.as_uri() and not url.startswith("data:"):
        seen.problems.append(f"{place}: asks for {url}")


def _too_wide(page: Page, look: Look, place: str, seen: Seen) -> None:
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > look.width:
        seen.problems.append(f"{place}: is {width} pixels wide")
    cut = page.evaluate(
        "[...document.querySelectorAll('.contents a')].filter((a) => a.getBoundingClientRect().right > innerWidth)"
        ".map((a) => a.textContent.trim())"
    )
    if cut:
        seen.problems.append(f"{place}: the contents are cut before {cut[0]}")


def _with_the_keyboard(page: Page, place: str, seen: Seen) -> None:
    """The first stop is the way past the contents, and what can be pressed is reached by tabbing and shows it."""
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.className")
    if first != "skip":
        seen.problems.append(f"{place}: the first stop of the tabulator is no skip link but {first!r}")
    for _ in range(6):
        page.keyboard.press("Tab")
        shown = page.evaluate(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return e === document.body || s.outlineStyle !== 'none'; })()"
        )
        if not shown:
            seen.problems.append(f"{place}: the focus is not to be seen on {page.evaluate(_FOCUSED)}")


_FOCUSED = "document.activeElement.outerHTML.slice(0, 80)"


def _accessible(page: Page, axe: str, place: str, seen: Seen) -> None:
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate(
        "(tags) => axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })",
        _AXE_TAGS,
    )
    seen.axe_rules += len(found["passes"])
    for violation in found["violations"]:
        if violation["impact"] in _GRAVE:
            where = violation["nodes"][0]["target"][0]
            seen.problems.append(
                f"{place}: axe {violation['impact']} {violation['id']}: {violation['help']} "
                f"({len(violation['nodes'])} times, first at {where})"
            )
