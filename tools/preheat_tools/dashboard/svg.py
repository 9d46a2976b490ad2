"""A dashboard as one SVG: light and dark, with nothing to fetch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from preheat_tools.dashboard.board import Line, Picture

COLUMN, ROW, GAP = 42, 36, 12
"""The dashboard's grid in pixels: it has 24 columns."""
MARGIN, HEAD, LEGEND, FOOT, AXIS = 14, 26, 16, 22, 56
LETTER = 6.6
"""Width of a letter, about."""
TICKS = 4
HUES = ("#0757b8", "#d1570d", "#1a7f37", "#8250df", "#b8860b", "#cf222e")
DARK = ("#6cb0ff", "#ff9d57", "#56d364", "#d2a8ff", "#e3b341", "#ff7b72")
STYLE = (
    "svg{--ink:#1b1f24;--soft:#57606a;--line:#d1d9e0;--ground:#fff;--card:#f6f8fa;"
    + "".join(f"--h{number}:{hue};" for number, hue in enumerate(HUES))
    + "}@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--soft:#a5adb6;--line:#3d444d;--ground:#0d1117;"
    "--card:#161b22;"
    + "".join(f"--h{number}:{hue};" for number, hue in enumerate(DARK))
    + "}}text{fill:var(--soft);font-size:11px}.t{fill:var(--ink);font-size:13px;font-weight:600}.g{stroke:var(--line)}"
    ".e{text-anchor:end}.m{text-anchor:middle}.p{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Where a picture's lines are drawn, and for which time."""

    left: float
    right: float
    top: float
    bottom: float
    since_s: float
    until_s: float

    def x(self, at_s: float) -> float:
        share = (at_s - self.since_s) / (self.until_s - self.since_s)
        return self.left + share * (self.right - self.left)

    def y(self, value: float, most: float) -> float:
        return self.bottom - value / most * (self.bottom - self.top)


def draw(pictures: Sequence[Picture], title: str, since_s: float, until_s: float) -> str:
    """The whole dashboard as the text of an SVG."""
    width = max(one.x + one.width for one in pictures) * COLUMN + GAP
    height = max(one.y + one.height for one in pictures) * ROW + GAP + HEAD
    cards = "".join(_card(one, since_s, until_s) for one in pictures)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img' "
        f"font-family='system-ui,sans-serif'><title>{escape(title)}</title><style>{STYLE}</style>"
        f"<rect width='{width}' height='{height}' fill='var(--ground)'/>"
        f"<text class='t' x='{GAP + 2}' y='19'>{escape(title)}</text>{cards}</svg>\n"
    )


def _card(one: Picture, since_s: float, until_s: float) -> str:
    x, y = one.x * COLUMN + GAP, one.y * ROW + GAP + HEAD
    width, height = one.width * COLUMN - GAP, one.height * ROW - GAP
    ground = (
        f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='6' fill='var(--card)'/>"
        f"<text class='t' x='{x + MARGIN}' y='{y + 20}'>{escape(one.title)}</text>"
    )
    if one.heads:
        return ground + "".join(_table(one, x + MARGIN, y + HEAD + 16, width - 2 * MARGIN, y + height))
    legend = list(_legend(one.lines, x + MARGIN, y + HEAD + 12, width - 2 * MARGIN))
    plot = Plot(
        left=x + AXIS,
        right=x + width - (AXIS if any(line.right for line in one.lines) else MARGIN),
        top=y + HEAD + LEGEND * len(legend) + 10,
        bottom=y + height - FOOT,
        since_s=since_s,
        until_s=until_s,
    )
    drawn = _bars(one, plot) if one.stacked else _lines(one, plot)
    return ground + "".join(legend) + "".join(_times(plot)) + "".join(drawn)


def _legend(lines: Sequence[Line], x: float, y: float, width: float) -> Iterator[str]:
    """A text for each row of entries, as many as fit."""
    row, at = "", 0.0
    for number, line in enumerate(lines):
        label = f"{line.label} (right)" if line.right else line.label
        needed = 22 + LETTER * len(label)
        if row and at + needed > width:
            yield row
            row, at, y = "", 0.0, y + LEGEND
        row += f"<rect fill='{_hue(number, line)}' x='{x + at:.0f}' y='{y - 9:.0f}' width='9' height='9' rx='2'/>"
        row += f"<text x='{x + at + 13:.0f}' y='{y:.0f}'>{escape(label)}</text>"
        at += needed
    if row:
        yield row


def _hue(number: int, line: Line) -> str:
    """A line's own colour, or one by its place."""
    return escape(line.color) or f"var(--h{number})"


def _times(plot: Plot) -> Iterator[str]:
    for tick in range(TICKS + 1):
        at_s = plot.since_s + (plot.until_s - plot.since_s) * tick / TICKS
        place = "" if tick == 0 else " class='e'" if tick == TICKS else " class='m'"
        yield (
            f"<text{place} x='{plot.x(at_s):.0f}' y='{plot.bottom + 15:.0f}'>"
            f"{datetime.fromtimestamp(at_s, UTC):%H:%M}</text>"
        )


def _scale(plot: Plot, most: float, *, right: bool) -> Iterator[str]:
    """Lines across for the axis on the left, numbers for both."""
    for part in range(3):
        value = most * part / 2
        y = plot.y(value, most)
        if right:
            yield f"<text x='{plot.right + 5:.0f}' y='{y + 4:.0f}'>{value:.4g}</text>"
        else:
            yield f"<path class='g' d='M{plot.left:.0f} {y:.1f}H{plot.right:.0f}'/>"
            yield f"<text class='e' x='{plot.left - 5:.0f}' y='{y + 4:.0f}'>{value:.4g}</text>"


def _lines(one: Picture, plot: Plot) -> Iterator[str]:
    """A dot for each value, joined where nothing is missing between two."""
    for right in (False, True):
        side = [(number, line) for number, line in enumerate(one.lines) if line.right == right]
        if not side:
            continue
        most = _round(max((value for _, line in side for value in line.points.values()), default=1.0))
        yield from _scale(plot, most, right=right)
        for number, line in side:
            path, before_s = "", -math.inf
            for at_s, value in sorted(line.points.items()):
                verb = "L" if at_s - before_s <= one.period_s else "M"
                dot = "h0" if verb == "M" else ""  # a line of no length, which its round ends make a dot
                path += f"{verb}{plot.x(max(at_s, plot.since_s)):.1f} {plot.y(value, most):.1f}{dot}"
                before_s = at_s
            if path:
                yield f"<path class='p' stroke='{_hue(number, line)}' d='{path}'/>"


def _bars(one: Picture, plot: Plot) -> Iterator[str]:
    """A bar for each period, its parts one on another."""
    instants = sorted({at_s for line in one.lines for at_s in line.points})
    sums = [sum(max(line.points.get(at_s, 0.0), 0.0) for line in one.lines) for at_s in instants]
    most = _round(max(sums, default=1.0))
    yield from _scale(plot, most, right=False)
    for at_s in instants:
        left, right = (
            min(max(plot.x(edge_s), plot.left), plot.right) for edge_s in (at_s, at_s + one.period_s)
        )
        upto = 0.0
        for number, line in enumerate(one.lines):
            value = max(line.points.get(at_s, 0.0), 0.0)
            if value > 0:
                top, bottom = plot.y(upto + value, most), plot.y(upto, most)
                wide = max(right - left - 1, 1)
                yield (
                    f"<rect fill='{_hue(number, line)}' x='{left:.1f}' y='{top:.1f}' "
                    f"width='{wide:.1f}' height='{bottom - top:.1f}'/>"
                )
                upto += value


def _table(one: Picture, x: float, y: float, width: float, bottom: float) -> Iterator[str]:
    """As many rows as have room, each column as wide as its longest cell; the last is cut off at the card's edge."""
    if not one.rows:
        yield f"<text x='{x}' y='{y}'>none yet</text>"
        return
    cells = [one.heads, *one.rows][: int((bottom - y) // LEGEND)]
    at = 0.0
    for column in range(len(one.heads)):
        longest = max(len(row[column]) for row in cells)
        room = int((width - at) / LETTER)
        for index, row in enumerate(cells):
            kind = " font-weight='600'" if index == 0 else ""
            text = escape(_cut(row[column], room))
            yield f"<text{kind} x='{x + at:.0f}' y='{y + LEGEND * index:.0f}'>{text}</text>"
        at += LETTER * (min(longest, room) + 2)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…"


def _round(most: float) -> float:
    """The next 1, 2, 3, 4, 5, 6, 8 or 10 times a power of ten; 1 where there is nothing."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= most * (1 - 1e-9))
