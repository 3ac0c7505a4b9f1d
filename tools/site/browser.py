"""Opens every page of the site in a headless Chromium and says what is wrong with it."""

from __future__ import annotations

import functools
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    Response,
    TimeoutError,
    sync_playwright,
)

# Each is typed into the search box of the site; the first result has to lead to the requirement.
SEARCHED = ("deciding/replay-verbatim", "retention/purged-not-executed", "client/one-drainer")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TELEPHONE = 400  # pixels; the crawl looks at every page at this width
_PATIENCE_MS = 30_000
_PICTURES = {
    "home": "index.html",
    "chapter": "spec/03-deciding.html",
    "stories": "spec/stories.html",
    "reasons": "reference/reasons.html",
    "messages": "reference/protocol/operation.html",
}
_SIZES = {"wide": (1280, 900), "narrow": (TELEPHONE, 800)}


class BrowserError(Exception):
    """There is no Chromium, and the message says how to get one; or it failed, and the message has its words."""


@dataclass
class Seen:
    """What was looked at, and everything that was wrong with it, one line each."""

    browser: str = ""
    pages: int = 0
    links: int = 0
    searches: int = 0
    problems: list[str] = field(default_factory=list)


def chromium() -> str:
    """Path of the browser: CHROMIUM in the environment, or the one on the path. Raises BrowserError."""
    named = os.environ.get("CHROMIUM")
    found = shutil.which(named or "chromium") or (None if named else shutil.which("google-chrome"))
    if found is None:
        raise BrowserError(
            f"{named} is no program"
            if named
            else "the site is checked in Chromium, which is not installed: `apt-get install -y --no-install-recommends "
            "chromium` on Debian, or name one in the environment variable CHROMIUM"
        )
    return found


def check_in_browser(site: Path, screenshots: Path | None = None) -> Seen:
    """Serve `site` on a loopback port and crawl it from its first page.

    Wrong are: an error in the console, a request that fails or leaves the site's own origin, a link to a page or an
    anchor that is not there, a page that no other one leads to, a slug that search does not find, a page that is
    wider than a telephone's screen. Raises BrowserError.
    """
    program = chromium()
    try:
        with _served(site) as origin, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
            try:
                return _looked_at(browser, site, origin, screenshots)
            finally:
                browser.close()
    except Error as error:
        raise BrowserError(f"{program} failed: {error.message.strip().splitlines()[0]}") from error


def _looked_at(browser: Browser, site: Path, origin: str, screenshots: Path | None) -> Seen:
    crawl = _Crawl(browser, site, origin)
    crawl.seen.browser = f"Chromium {browser.version}"
    crawl.pages()
    crawl.searches()
    crawl.from_the_file_system()
    if screenshots is not None:
        crawl.pictures(screenshots)
    return crawl.seen


class _Crawl:
    def __init__(self, browser: Browser, site: Path, origin: str) -> None:
        self.browser, self.site, self.origin = browser, site, origin
        self.seen = Seen()
        self.anchors: dict[str, set[str]] = {}
        self.statuses: dict[str, int] = {}

    def pages(self) -> None:
        page = self._open(viewport={"width": TELEPHONE, "height": 800})
        links: dict[str, set[str]] = {}
        waiting = [f"{self.origin}/index.html"]
        while waiting:
            url = waiting.pop()
            if url in self.anchors:
                continue
            answer = page.goto(url)
            if answer is None or answer.status >= 400:
                continue
            self.seen.pages += 1
            self.anchors[url] = set(page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)"))
            links[url] = set(page.evaluate("[...document.querySelectorAll('a[href]')].map((e) => e.href)"))
            self._wider_than_a_telephone(page, url)
            for link in sorted(links[url]):
                target, _ = urldefrag(link)
                if urlsplit(target).path.endswith(".html") and link.startswith(f"{self.origin}/"):
                    waiting.append(target)
        for url, found in links.items():
            self._follow(page, url, found)
        for unreached in sorted({*self._all_pages()} - {*self.anchors}):
            self.seen.problems.append(f"no page leads to {unreached}")
        page.context.close()

    def _follow(self, page: Page, url: str, links: set[str]) -> None:
        for link in sorted(links):
            target, fragment = urldefrag(link)
            if not target.startswith(f"{self.origin}/"):
                continue
            self.seen.links += 1
            if target in self.anchors:
                if fragment and unquote(fragment) not in self.anchors[target]:
                    self.seen.problems.append(f"{url} links to {link}, but that page has no such anchor")
            elif self._status(page, target) != 200:
                self.seen.problems.append(f"{url} links to {link}, which is not there")

    def _status(self, page: Page, target: str) -> int:
        if target not in self.statuses:
            self.statuses[target] = page.request.head(target).status
        return self.statuses[target]

    def _wider_than_a_telephone(self, page: Page, url: str) -> None:
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > TELEPHONE:
            self.seen.problems.append(f"{url} is {width} pixels wide on a screen of {TELEPHONE}")

    def searches(self) -> None:
        page = self._open()
        for slug in SEARCHED:
            self._search(page, f"{self.origin}/index.html", slug)
        page.context.close()

    def from_the_file_system(self) -> None:
        page = self._open()
        self._search(page, (self.site / "index.html").as_uri(), SEARCHED[0])
        page.context.close()

    def _search(self, page: Page, home: str, slug: str) -> None:
        self.seen.searches += 1
        page.goto(home)
        self._type(page, slug)
        try:
            self._results(page).wait_for(timeout=_PATIENCE_MS)
        except TimeoutError:
            self.seen.problems.append(f"{home}: search for {slug} finds nothing")
            return
        best = self._results(page).get_attribute("href") or ""
        if not best.endswith(f"#{slug}"):
            self.seen.problems.append(f"{home}: search for {slug} finds {best} first")
            return
        self._results(page).click()
        page.wait_for_url(f"**#{slug}", timeout=_PATIENCE_MS)

    def _type(self, page: Page, words: str) -> None:
        page.locator(".md-search__button:visible, label[for=__search]:visible").first.click()
        page.get_by_role("combobox", name="Search").fill(words)

    def _results(self, page: Page) -> Locator:
        return page.get_by_role("listbox").get_by_role("option").first

    def pictures(self, folder: Path) -> None:
        """Write pictures of some pages, wide and narrow, light and dark."""
        folder.mkdir(parents=True, exist_ok=True)
        for size, (width, height) in _SIZES.items():
            for scheme in ("light", "dark"):
                page = self._open(color_scheme=scheme, viewport={"width": width, "height": height})
                for name, path in _PICTURES.items():
                    if (self.site / path).is_file():
                        page.goto(f"{self.origin}/{path}")
                        page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
                page.goto(f"{self.origin}/index.html")
                self._type(page, SEARCHED[0])
                self._results(page).wait_for(timeout=_PATIENCE_MS)
                page.screenshot(path=folder / f"search-{size}-{scheme}.png")
                page.context.close()

    def _open(self, **options: Any) -> Page:
        page = self.browser.new_context(**options).new_page()
        page.set_default_timeout(_PATIENCE_MS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.seen.problems.append(f"{page.url}: {error}"))
        page.on("request", lambda request: self._request(page, request))
        page.on("response", self._response)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.seen.problems.append(f"{message.location.get('url', '')}: console {message.type}: {message.text}")

    def _request(self, page: Page, request: Request) -> None:
        own = (f"{self.origin}/", self.site.as_uri(), "data:", "blob:", "about:")
        if not request.url.startswith(own):
            self.seen.problems.append(f"{page.url} asks for {request.url}, which is not its own")

    def _response(self, response: Response) -> None:
        # A page that is missing is told by the pages that link to it.
        if response.status >= 400 and not response.request.is_navigation_request():
            self.seen.problems.append(f"{response.url}: {response.status}")

    def _all_pages(self) -> Iterator[str]:
        for page in self.site.rglob("*.html"):
            if page.name != "404.html":
                yield f"{self.origin}/{page.relative_to(self.site).as_posix()}"


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for many pages

    def end_headers(self) -> None:
        """Let the browser keep scripts and styles: they are the same on every page."""
        self.send_header("Cache-Control", "max-age=600")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def _served(site: Path) -> Iterator[str]:
    """Serve the folder on a loopback port of the system's choice; the origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
