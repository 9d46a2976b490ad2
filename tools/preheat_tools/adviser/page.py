"""The report for who decides: one HTML file that needs no network, light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from preheat_tools.adviser.advice import Advice, days, verdict
from preheat_tools.adviser.strategies import Strategy

WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP, LABEL = 860, 360, 70, 30, 48, 24, 240
STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d1d9e0;--ground:#fff;--card:#f6f8fa;--own:#0757b8;
--other:#6e7781;--good:#116329}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#a5adb6;--line:#3d444d;--ground:#0d1117;--card:#161b22;
--own:#6cb0ff;--other:#a5adb6;--good:#56d364}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:920px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2rem 0 .4rem}
.soft,figcaption,small{color:var(--soft)}
.verdict{background:var(--card);border-left:4px solid var(--own);padding:.8rem 1rem;font-size:1.1rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.93rem}
th,td{text-align:right;padding:.35rem .5rem;border-bottom:1px solid var(--line);vertical-align:top}
th:first-child,td:first-child,td.text,th.text{text-align:left}
tr.best td{font-weight:600;color:var(--good)}
pre{background:var(--card);padding:.7rem;overflow-x:auto}
figure{margin:1rem 0}svg{width:100%;height:auto}svg text{fill:var(--ink);font-size:12.5px}
svg .soft{fill:var(--soft)}.axis{stroke:var(--line)}.own{fill:var(--own)}.other{fill:var(--other)}
.path{fill:none;stroke:var(--own);stroke-width:1.5;stroke-dasharray:4 4}
"""
OURS = {"none", "static", "snapstart", "preheat"}
"""Strategies that template.yaml deploys."""
LINE = 15
FEWEST, CHEAPEST = 1.0, 0.01
"""What stands at the edge of the logarithmic picture."""
AXES = (
    f"<line class=axis x1={LEFT} y1={HEIGHT - BOTTOM} x2={WIDTH - RIGHT} y2={HEIGHT - BOTTOM} />"
    f"<line class=axis x1={LEFT} y1={TOP} x2={LEFT} y2={HEIGHT - BOTTOM} />"
    f"<text class=soft x={LEFT} y={HEIGHT - 16}>few cold starts</text>"
    f"<text class=soft x={WIDTH - RIGHT} y={HEIGHT - 16} text-anchor=end>many</text>"
    f"<text class=soft x={LEFT - 8} y={TOP + 8} text-anchor=end>dear</text>"
    f"<text class=soft x={LEFT - 8} y={HEIGHT - BOTTOM} text-anchor=end>cheap</text>"
)


def page(advice: Advice) -> str:
    """The page as text."""
    title = f"Keeping {advice.subject} warm"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{escape(title)}</title><style>{STYLE}</style><h1>{escape(title)}</h1>",
        f"<p class=soft>{escape(_stands_on(advice))}</p><p class=verdict>{escape(verdict(advice))}</p>",
        _picture(advice),
        _table(advice),
        _sizes(advice),
        _prices(advice),
        _settings(advice),
        _assumptions(advice),
    ]
    return "\n".join(part for part in parts if part) + "\n</html>\n"


def _stands_on(advice: Advice) -> str:
    functions = f"{advice.functions} functions" if advice.functions != 1 else "one function"
    text = (
        f"From {days(advice)} of traffic of {functions}, scaled to a month of 30 days: "
        f"{advice.requests:,.0f} requests."
    )
    return " ".join([text, *advice.notes])


def _picture(advice: Advice) -> str:
    """The month's bill up, cold starts to the right, both logarithmic; Preheat's line is what it offers by price."""
    places = [(one.cold_starts, one.cost_usd) for one in advice.strategies]
    places += [(one.cold_starts, one.cost_usd) for one in advice.offers]
    across = _scale([max(cold, FEWEST) for cold, _ in places], LEFT, WIDTH - RIGHT - LABEL)
    up = _scale([max(usd, CHEAPEST) for _, usd in places], HEIGHT - BOTTOM, TOP)

    def place(cold_starts: float, cost_usd: float) -> tuple[float, float]:
        return across(max(cold_starts, FEWEST)), up(max(cost_usd, CHEAPEST))

    line = "M" + " ".join(
        f"{x:.1f},{y:.1f}" for x, y in sorted(place(one.cold_starts, one.cost_usd) for one in advice.offers)
    )
    marks = [f"<path class=path d='{line}'/>"]
    taken: list[tuple[float, float]] = []
    for one in sorted(advice.strategies, key=lambda one: one.cost_usd):
        x, y = place(one.cold_starts, one.cost_usd)
        own = one.name == "preheat"
        label = f"{'Preheat' if own else one.title}: ${one.cost_usd:,.2f}, {one.cold_starts:,.0f} cold"
        marks.append(f"<circle class={'own' if own else 'other'} cx='{x:.1f}' cy='{y:.1f}' r=6 />")
        marks.append(f"<text x='{x + 11:.1f}' y='{_free(x, y + 4, taken):.1f}'>{escape(label)}</text>")
    caption = (
        "A month of each strategy: what AWS bills (up, logarithmic) against requests that wait (right, logarithmic). "
        "The dashed line is what Preheat offers at other prices of a cold start."
    )
    return (
        f"<figure><svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{escape(caption)}'>"
        f"{AXES}{''.join(marks)}</svg><figcaption>{escape(caption)}</figcaption></figure>"
    )


def _scale(values: Sequence[float], low: float, high: float) -> Callable[[float], float]:
    least, most = math.log10(min(values)), math.log10(max(values))
    span = (most - least) or 1.0
    return lambda value: low + (math.log10(value) - least) / span * (high - low)


def _free(x: float, wanted: float, taken: list[tuple[float, float]]) -> float:
    """The line for a label that begins at x: the wanted one, or the next above where another stands there."""
    while any(abs(wanted - y) < LINE and abs(x - other) < LABEL for other, y in taken):
        wanted -= LINE
    taken.append((x, wanted))
    return wanted


def _table(advice: Advice) -> str:
    price, init = advice.cold_start_cost_usd, float(advice.assumptions["init_ms"])
    head = "".join(
        f"<th{' class=text' if name == 'excludes' else ''}>{name}"
        for name in (
            "strategy",
            "bill $",
            "cold starts",
            "each waits ms",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            f"with waiting at ${price:g}",
            "excludes",
        )
    )
    rows = "".join(
        _row(one, one.name == advice.best, one.total_usd(price, init)) for one in advice.strategies
    )
    return f"<h2>A month of each</h2><div class=scroll><table><tr>{head}</tr>{rows}</table></div>"


def _row(one: Strategy, best: bool, total: float) -> str:
    figures = (one.cold_starts, one.wait_ms, one.p50_ms, one.p99_ms, one.p999_ms)
    cells = "".join(f"<td>{figure:,.0f}" for figure in figures)
    return (
        f"<tr{' class=best' if best else ''}><td>{escape(one.title)}<td>{one.cost_usd:,.2f}{cells}<td>{total:,.2f}"
        f"<td class=text><small>{escape(one.excludes)}</small></tr>"
    )


def _sizes(advice: Advice) -> str:
    if not advice.sizes:
        return (
            "<h2>Memory</h2><p>One size was looked at. Measure INIT and answers at others and give them with "
            "<code>--sizes</code>.</p>"
        )
    rows = "".join(
        f"<tr><td>{one.memory_mb} MB<td>{one.init_ms:,.0f}<td>{one.service_ms:,.0f}"
        f"<td class=text>{escape(one.strategy)}"
        f"<td>{one.cost_usd:,.2f}<td>{one.total_usd:,.2f}<td>{one.p99_ms:,.0f}</tr>"
        for one in advice.sizes
    )
    head = "<th>size<th>INIT ms<th>answer ms<th class=text>best there<th>bill $<th>with waiting<th>p99 ms"
    return f"<h2>Memory</h2><div class=scroll><table><tr>{head}</tr>{rows}</table></div>"


def _prices(advice: Advice) -> str:
    rows = "".join(
        f"<tr><td>${one.cold_start_cost_usd:g}<td>{one.cost_usd:,.2f}<td>{one.cold_starts:,.0f}</tr>"
        for one in advice.offers
    )
    return (
        "<h2>What Preheat does at other prices of a cold start</h2>"
        "<p>The price says what sparing one customer one cold start is worth to you.</p>"
        f"<div class=scroll><table><tr><th>price<th>bill $<th>cold starts</tr>{rows}</table></div>"
    )


def _settings(advice: Advice) -> str:
    text = " ".join(f"{name}={value}" for name, value in advice.settings.items())
    foreign = (
        ""
        if advice.best in OURS
        else "<p>The least costly here is not deployed by this project; Preheat's would be:</p>"
    )
    return f"<h2>Settings</h2>{foreign}<pre>make deploy SETTINGS='{escape(text)}'</pre>"


def _assumptions(advice: Advice) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}<td>{escape(str(value))}</tr>"
        for name, value in advice.assumptions.items()
        if not isinstance(value, dict)
    )
    return (
        "<h2>What is assumed</h2><p>Lambda is simulated: docs/lambda-model.md and docs/adviser.md say where each value "
        "comes from.</p>"
        f"<details><summary>All values</summary><div class=scroll><table>{rows}</table></div></details>"
    )
