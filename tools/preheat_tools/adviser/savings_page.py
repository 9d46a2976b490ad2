"""The report of `preheat savings` for who decides."""

from __future__ import annotations

from html import escape

from preheat_tools.adviser.face import document, figure, table
from preheat_tools.adviser.savings import Saved, Savings
from preheat_tools.adviser.tables import COUNTED, cells
from preheat_tools.adviser.words import saved_words, usd

WIDTH, NAMES, FIGURES, ROW, MOST = 900, 290, 230, 42, 12
LETTERS = 36
"""Of a target's name, that have room."""
LEGEND = (
    "looks: plans made. made: environments that a round began, whose INIT no customer waited for. spared and left: "
    "cold starts that the plans expected. seen: those that customers waited for. cost: what was spent, and the cold "
    "starts left at their price; without: what they would have come to. docs/adviser.md says more."
)


def page(found: Savings) -> str:
    """The page as text."""
    first, *others = saved_words(found)
    rows = [
        f"<tr><td>{escape(_name(one))}" + "".join(f"<td>{cell}" for cell in cells(one)) + "</tr>"
        for one in found.targets
    ]
    return document(
        "What the warmer saved",
        [
            f"<p class=verdict>{escape(first)}</p>",
            *(f"<p>{escape(text)}</p>" for text in others),
            _bars(found),
            "<h2>By target</h2>" + table(("target", *COUNTED), rows),
            f"<p class=soft>{escape(LEGEND)}</p>",
        ],
    )


def _name(one: Saved) -> str:
    return one.target + (" (dry run)" if one.dry_run else "")


def _bars(found: Savings) -> str:
    """With the warmer and without, the targets that it saved most for."""
    shown = found.targets[:MOST]
    longest = max((max(one.cost_usd, one.cost_without_usd) for one in shown), default=0.0) or 1.0
    scale = (WIDTH - NAMES - FIGURES) / longest
    marks: list[str] = []
    for number, one in enumerate(shown):
        y = number * ROW
        name = _name(one)
        name = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
        marks.append(f"<text x=0 y={y + 21}>{escape(name)}</text>")
        for kind, amount, top in (("own", one.cost_usd, y + 2), ("other", one.cost_without_usd, y + 18)):
            marks.append(
                f"<rect class={kind} x={NAMES} y={top} width={max(amount * scale, 1):.1f} height=14 />"
            )
        x = NAMES + max(one.cost_usd, one.cost_without_usd, 0.0) * scale + 8
        text = f"{usd(one.cost_usd)} in place of {usd(one.cost_without_usd)}"
        marks.append(f"<text x={x:.1f} y={y + 21}>{escape(text)}</text>")
    caption = "With the warmer (upper bar) and without it (lower), cold starts at their price included."
    if len(found.targets) > len(shown):
        caption += f" The first {MOST} of {len(found.targets)} targets."
    return figure(WIDTH, len(shown) * ROW + 4, marks, caption)
