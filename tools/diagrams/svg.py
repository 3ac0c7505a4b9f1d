"""A sheet to draw on: boxes, lines, arrows and text that is broken into lines, in one palette for light and dark.

A picture that a page shows as an image sees neither the page's fonts nor its colours. So it brings a background of its
own, follows the system's colour scheme, and measures text by a table of widths that errs on the wide side.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

SIZE = 13.0
LINE = 17.0

# Each colour for a light page and for a dark one.
_COLOURS = {
    "card": ("#ffffff", "#14181d"),
    "ink": ("#1f2328", "#e6edf3"),
    "soft": ("#59636e", "#9aa4af"),
    "rule": ("#c4ccd4", "#434b54"),
    "note": ("#f3f5f8", "#20262d"),
    "good": ("#0d7377", "#4cc3c4"),
    "goodfill": ("#e4f4f3", "#0f302f"),
    "bad": ("#c0232c", "#ff8078"),
    "badfill": ("#fdecea", "#3b1e1d"),
    "warn": ("#8a5a00", "#e3b341"),
    "warnfill": ("#fff4d6", "#33290f"),
}
_NARROW = frozenset("iljtfrI.,:;'|!()[] -")
_WIDE = frozenset("mwMW@%→")


def width_of(text: str, size: float = SIZE) -> float:
    """About how wide `text` is in a usual sans-serif font, in pixels."""
    em = sum(0.36 if c in _NARROW else 0.9 if c in _WIDE else 0.7 if c.isupper() else 0.58 for c in text)
    return em * size


def wrapped(text: str, width: float, size: float = SIZE) -> list[str]:
    """`text` in as few lines as `width` allows, of about one length; a single word may be wider."""
    lines = _filled(text, width, size)
    while len(lines) > 1:
        width -= size / 2
        narrower = _filled(text, width, size)
        if len(narrower) > len(lines) or max(width_of(line, size) for line in narrower) > width:
            break
        lines = narrower
    return lines


def _filled(text: str, width: float, size: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


class Sheet:
    """Collects shapes; `finished` puts them on a card of the given size."""

    def __init__(self) -> None:
        self._shapes: list[str] = []

    def lay_on(self, other: Sheet) -> None:
        """Put all that is on `other` over what is here."""
        self._shapes += other._shapes

    def box(
        self, x: float, y: float, width: float, height: float, *, stroke: str, fill: str, radius: float = 6
    ) -> None:
        """A rectangle with its upper left corner at (x, y)."""
        self._shapes.append(
            f'<rect class="s-{stroke} f-{fill}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
            f' rx="{_n(radius)}"/>'
        )

    def line(self, *points: tuple[float, float], stroke: str = "rule", dashes: str = "", width: float = 1.4) -> None:
        """A line through the points."""
        places = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        self._shapes.append(f'<polyline class="s-{stroke}" points="{places}" fill="none"{_pen(dashes, width)}/>')

    def curve(
        self,
        start: tuple[float, float],
        through: tuple[float, float],
        end: tuple[float, float],
        *,
        stroke: str,
        dashes: str = "",
    ) -> None:
        """A quadratic curve from `start` to `end`, drawn towards the control point `through`."""
        (x0, y0), (x1, y1), (x2, y2) = start, through, end
        path = f"M{_n(x0)},{_n(y0)} Q{_n(x1)},{_n(y1)} {_n(x2)},{_n(y2)}"
        self._shapes.append(f'<path class="s-{stroke}" d="{path}" fill="none"{_pen(dashes, 1.4)}/>')

    def head(self, tip: tuple[float, float], direction: tuple[float, float], stroke: str) -> None:
        """An arrow head at `tip`, pointing along `direction`."""
        dx, dy = direction
        length = (dx * dx + dy * dy) ** 0.5 or 1.0
        dx, dy = dx / length, dy / length
        back, half = 9.0, 4.0
        corners = (
            tip,
            (tip[0] - dx * back - dy * half, tip[1] - dy * back + dx * half),
            (tip[0] - dx * back + dy * half, tip[1] - dy * back - dx * half),
        )
        places = " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)
        self._shapes.append(f'<polygon class="f-{stroke}" points="{places}"/>')

    def text(
        self,
        x: float,
        y: float,
        lines: str | Sequence[str],
        *,
        colour: str = "ink",
        size: float = SIZE,
        anchor: str = "middle",
        bold: bool = False,
        behind: str = "",
    ) -> None:
        """Lines of text, the first one's base line at `y`; with `behind`, on a patch of that colour."""
        rows = [lines] if isinstance(lines, str) else list(lines)
        weight = ' font-weight="600"' if bold else ""
        step = size * LINE / SIZE
        for number, row in enumerate(rows):
            base = y + number * step
            if behind and row:
                width = width_of(row, size) + 6
                left = {"middle": x - width / 2, "start": x - 3, "end": x - width + 3}[anchor]
                self._shapes.append(
                    f'<rect class="f-{behind}" x="{_n(left)}" y="{_n(base - size * 0.95)}" width="{_n(width)}"'
                    f' height="{_n(size * 1.3)}" rx="3"/>'
                )
            self._shapes.append(
                f'<text class="f-{colour}" x="{_n(x)}" y="{_n(base)}" font-size="{_n(size)}"'
                f' text-anchor="{anchor}"{weight}>{escape(row)}</text>'
            )

    def finished(self, title: str, description: str, width: float, height: float) -> str:
        """The picture as the text of an SVG file."""
        light = "".join(f".s-{n}{{stroke:{a}}}.f-{n}{{fill:{a}}}" for n, (a, _) in _COLOURS.items())
        dark = "".join(f".s-{n}{{stroke:{b}}}.f-{n}{{fill:{b}}}" for n, (_, b) in _COLOURS.items())
        size = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(title)}'
                ' font-family="system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif">',
                f"<title>{escape(title)}</title>",
                f"<desc>{escape(description)}</desc>",
                f"<style>{light}@media(prefers-color-scheme:dark){{{dark}}}</style>",
                f'<rect class="s-rule f-card" x="1" y="1" rx="8" width="{_n(width - 2)}" height="{_n(height - 2)}"/>',
                *self._shapes,
                "</svg>",
                "",
            ]
        )


def _pen(dashes: str, width: float) -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f' stroke-width="{_n(width)}"{dashed}'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
