"""The report's pictures, as SVG: a month of each strategy, and what is least costly by the price of a cold start."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from preheat_tools.adviser.face import figure
from preheat_tools.adviser.strategies import SHORT
from preheat_tools.adviser.words import price_usd, usd

if TYPE_CHECKING:
    from preheat_tools.adviser.advice import Advice
    from preheat_tools.adviser.strategies import Strategy

WIDTH, NAMES, FIGURES, ROW, TOP = 900, 190, 270, 34, 30
LONGEST = 4.0
"""How many times the least cost fits into the picture; what is dearer is cut off, and says so."""
LETTER = 9.0
"""Width of a letter in the picture, at the most."""
STRIP, STRIP_TOP, DECADE = 40, 28, 90
"""Height of the strip of prices, where it begins, and the least room of a price below it."""


def bars(advice: Advice) -> str:
    """What AWS bills and what waiting costs, one line a strategy, the least first; those ruled out last."""
    ordered = sorted(advice.strategies, key=lambda one: (bool(one.barred), advice.total_usd(one)))
    able = [advice.total_usd(one) for one in ordered if not one.barred]
    longest = max(min(max(able), LONGEST * max(min(able), 0.01)), 0.01)
    room = float(WIDTH - NAMES - FIGURES)
    waiting = f"waiting, at {price_usd(advice.cold_start_cost_usd)} a cold start"
    marks = [
        f"<rect class=own x={NAMES} y=6 width=6 height=12 /><rect class=other x={NAMES + 6} y=6 width=6 height=12 />"
        f"<text class=soft x={NAMES + 18} y=17>what AWS bills</text>"
        f"<rect class=wait x={NAMES + 150} y=6 width=12 height=12 />"
        f"<text class=soft x={NAMES + 168} y=17>{escape(waiting)}</text>"
    ]
    for number, one in enumerate(ordered):
        marks += _bar(one, advice, TOP + number * ROW, room / longest, room)
    caption = "A month of each way, the least costly first. Bars that end in a gap go on: their figures say how far."
    return figure(WIDTH, TOP + len(ordered) * ROW + 6, marks, caption)


def _bar(one: Strategy, advice: Advice, y: int, scale: float, room: float) -> list[str]:
    total, best = advice.total_usd(one), one.name == advice.best
    strong = " class=strong" if best else ""
    name = f"<text x=0 y={y + 20}{strong}>{escape(SHORT[one.name])}</text>"
    if one.barred:
        return [
            name,
            f"<text class=soft x={NAMES} y={y + 20}>not for this function: {escape(one.barred)}</text>",
        ]
    bill, whole = min(one.cost_usd * scale, room), min(total * scale, room)
    marks = [
        name,
        f"<rect class={'own' if best else 'other'} x={NAMES} y={y + 6} width={max(bill, 1):.1f} height=20 />",
        f"<rect class=wait x={NAMES + bill:.1f} y={y + 6} width={max(whole - bill, 0):.1f} height=20 />",
    ]
    if total * scale > room:
        x = NAMES + room - 16
        marks.append(f"<line class=gap x1={x + 6:.0f} x2={x:.0f} y1={y + 3} y2={y + 29} />")
    figures = f"{usd(total)}, {one.cold_starts:,.0f} wait{' · least' if best else ''}"
    marks.append(f"<text x={NAMES + whole + 8:.1f} y={y + 20}{strong}>{escape(figures)}</text>")
    return marks


def by_price(advice: Advice) -> str:
    """A strip over the prices of a cold start: which strategy is the least costly where, and where yours is."""
    starts = [one.from_usd for one in advice.ranges[1:]]
    yours = advice.cold_start_cost_usd
    known = [price for price in (*starts, yours) if price > 0] or [0.001]
    low, high = math.floor(math.log10(min(known))) - 1, math.ceil(math.log10(max(known))) + 1

    def across(price: float) -> float:
        return (math.log10(price) - low) / (high - low) * WIDTH if price > 0 else 0.0

    edges = [0.0, *(across(price) for price in starts), float(WIDTH)]
    place = across(yours)
    marks: list[str] = []
    for one, left, right in zip(advice.ranges, edges, edges[1:], strict=False):
        marks += _segment(SHORT[one.name], left, right, chosen=left <= place < right)
    marks.append(
        f"<line class=mark x1={place:.1f} x2={place:.1f} y1={STRIP_TOP - 6} y2={STRIP_TOP + STRIP + 8} />"
    )
    marks.append(_beside(f"yours: {price_usd(yours)}", place, STRIP_TOP - 14))
    step = math.ceil((high - low + 1) * DECADE / WIDTH)
    marks += [
        _beside(price_usd(10.0**power), across(10.0**power), STRIP_TOP + STRIP + 28, "soft")
        for power in range(low, high + 1, step)
    ]
    caption = "What is least costly, by the price that you put on one customer's cold start."
    return figure(WIDTH, STRIP_TOP + STRIP + 38, marks, caption)


def _segment(name: str, left: float, right: float, *, chosen: bool) -> list[str]:
    width = right - left
    marks = [f"<rect class=strip x={left:.1f} y={STRIP_TOP} width={width:.1f} height={STRIP} />"]
    if chosen:
        marks.append(f"<rect class=own x={left:.1f} y={STRIP_TOP + STRIP - 7} width={width:.1f} height=7 />")
    if len(name) * LETTER <= width:
        middle, strong = (left + right) / 2, " class=strong" if chosen else ""
        marks.append(
            f"<text{strong} x={middle:.1f} y={STRIP_TOP + STRIP / 2 + 3:.0f} text-anchor=middle>{escape(name)}</text>"
        )
    return marks


def _beside(text: str, x: float, y: int, name: str = "plain") -> str:
    """A text in the middle of x that stays within the picture."""
    half = len(text) * LETTER / 2
    inside = min(max(x, half), WIDTH - half)
    return f"<text class={name} x={inside:.1f} y={y} text-anchor=middle>{escape(text)}</text>"
