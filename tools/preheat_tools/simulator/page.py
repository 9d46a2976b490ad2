"""One self-contained HTML page of results: table, frontier of cost against cold starts, one function's day."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.function import START_S, Function
from preheat_tools.simulator.run import Result

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 860, 320, 70, 40, 16
STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--ground:#fff;--a:#0969da;--b:#bc4c00;
--c:#1a7f37;--d:#cf222e}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--ground:#0d1117;--a:#4493f8;
--b:#f0883e;--c:#3fb950;--d:#f85149}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:920px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}p,figcaption{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.25rem .5rem;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}
svg{width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}figure{margin:1rem 0}
.scroll{overflow-x:auto}.axis{stroke:var(--line)}.a{stroke:var(--a)}.b{stroke:var(--b)}.c{stroke:var(--c)}
.d{fill:var(--d)}.dot{fill:var(--a)}.own{fill:var(--b)}path{fill:none;stroke-width:1.5}
"""


def page(results: Sequence[Result], assumptions: Assumptions) -> str:
    """The page as text; it needs no network and follows the reader's light or dark setting."""
    head = "<meta charset=utf-8><meta name=viewport content='width=device-width'><title>Policies side by side</title>"
    parts = [f"<!doctype html><html lang=en>{head}<style>{STYLE}</style><h1>Policies side by side</h1>"]
    parts.append(f"<p>{html.escape(_said(assumptions))}</p>")
    for trace in dict.fromkeys(result.trace for result in results):
        mine = [result for result in results if result.trace == trace]
        parts.append(f"<h2>{html.escape(trace)}</h2>{_table(mine)}{_frontier(mine)}{_day(mine)}")
    return "".join(parts) + "</html>\n"


def _said(a: Assumptions) -> str:
    return (
        f"{a.memory_mb} MB, INIT {a.init_ms / 1000:g} s, idle lifetime {a.lifetime}, placement {a.placement}, "
        f"jitter {a.jitter_ms:g} ms, routing {a.routing}, a cold start priced at ${a.cold_start_cost_usd:g}, "
        f"seed {a.seed}. Costs are without that price."
    )


def _table(results: Sequence[Result]) -> str:
    kinds = ("total", "execution", "init", "pings", "provisioned", "control")
    head = "".join(f"<th>{name}" for name in ("policy", "cold starts", "after 1 h", *kinds))
    rows = "".join(
        f"<tr><td>{r.policy}<td>{r.cold_starts:,}<td>{r.cold_starts_after_first_hour:,}"
        + "".join(f"<td>{r.cost_usd[kind]:.2f}" for kind in kinds)
        for r in results
    )
    return f"<div class=scroll><table><tr>{head}{rows}</table></div>"


def _frontier(results: Sequence[Result]) -> str:
    """Cost against cold starts, both on logarithmic scales; down and to the left is better."""
    cold = np.log10([max(1, r.cold_starts) for r in results])
    cost = np.log10([r.cost_usd["total"] for r in results])
    x = _scaled(cold, LEFT, WIDTH - 120)
    y = _scaled(cost, HEIGHT - BOTTOM, TOP + 10)
    dots = "".join(
        f"<circle class={'own' if r.policy == 'preheat' else 'dot'} cx={px:.0f} cy={py:.0f} r=5 />"
        f"<text x={px + 8:.0f} y={py - 6:.0f}>{r.policy} {r.cold_starts:,} · ${r.cost_usd['total']:.2f}</text>"
        for r, px, py in zip(results, x, y, strict=True)
    )
    return _figure(dots, "cold starts (log) →", "Cost (log, up) against cold starts (log, right).")


def _day(results: Sequence[Result]) -> str:
    """Demand, pool asked for and cold starts of the function that had most cold starts without warming."""
    own = next((r for r in results if r.policy == "preheat" and r.functions_seen), None)
    if own is None:
        return ""
    reference = next((r for r in results if r.policy == "none" and r.functions_seen), own)
    number = int(np.argmax([function.scalars[eng.COLD] for function in reference.functions_seen]))
    function = own.functions_seen[number]
    minutes = len(function.minutes) - 2
    need = function.minutes[:minutes, eng.PEAK]
    target = f"{number:05d}-{function.name}"
    mine = [o for o in own.outcomes if o.target.function == target]
    pool, forecast = np.zeros(minutes), np.zeros(minutes)
    for outcome in mine:
        at = int((outcome.at_s - START_S) // 60)
        if outcome.pings:
            pool[at:] = outcome.pings
        if outcome.expected is not None:
            forecast[at:] = outcome.expected.cold_starts_without
    top = max(float(need.max()), float(pool.max()), 1.0)
    lines = (
        _line(need, top, "a") + _line(pool, top, "b") + _line(forecast, top, "c") + _colds(function, minutes)
    )
    text = (
        f"{html.escape(function.name)} under preheat: peak concurrency with its own pings (blue), environments "
        "asked for (orange), cold starts expected without a round (green), customers' cold starts (red)."
    )
    return _figure(lines, f"{minutes} minutes →", text)


def _line(values: NDArray[np.float64], top: float, name: str) -> str:
    x = np.linspace(LEFT, WIDTH - 10, len(values))
    y = HEIGHT - BOTTOM - values / top * (HEIGHT - BOTTOM - TOP)
    points = " ".join(f"{px:.1f},{py:.1f}" for px, py in zip(x, y, strict=True))
    return f"<path class={name} d='M{points}'/>"


def _colds(function: Function, minutes: int) -> str:
    n = int(function.scalars[eng.COLD])
    x = LEFT + function.colds[:n] / 60 / minutes * (WIDTH - 10 - LEFT)
    return "".join(f"<circle class=d cx={px:.1f} cy={HEIGHT - BOTTOM + 6} r=2 />" for px in x)


def _scaled(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    span = float(values.max() - values.min()) or 1.0
    scaled: NDArray[np.float64] = low + (values - values.min()) / span * (high - low)
    return scaled


def _figure(inside: str, below: str, caption: str) -> str:
    axes = (
        f"<line class=axis x1={LEFT} y1={HEIGHT - BOTTOM} x2={WIDTH - 10} y2={HEIGHT - BOTTOM} />"
        f"<line class=axis x1={LEFT} y1={TOP} x2={LEFT} y2={HEIGHT - BOTTOM} />"
        f"<text x={WIDTH // 2} y={HEIGHT - 8}>{below}</text>"
    )
    label = html.escape(_plain(caption), quote=True)
    return (
        f"<figure><svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{label}'>{axes}{inside}</svg>"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _plain(text: str | Iterable[str]) -> str:
    return text if isinstance(text, str) else " ".join(text)
