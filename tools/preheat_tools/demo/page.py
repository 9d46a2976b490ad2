"""The demo's pictures: one HTML file that needs nothing else, light and dark."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from typing import Any

from preheat_tools.demo.figures import Half
from preheat_tools.demo.story import Story
from preheat_tools.demo.summary import PLAYED, RELEASED, rows

WIDTH, HEIGHT, LEFT, BOTTOM = 900, 220, 60, 24
LEAST_MS, MOST_MS = 1.0, 60_000.0

STYLE = """
:root{--ink:#1c1e21;--soft:#6a7077;--paper:#fff;--line:#d9dde1;--warm:#2b7a4b;--cold:#c4391d;--ping:#2f6fb3}
@media(prefers-color-scheme:dark){:root{
--ink:#e8eaed;--soft:#9aa0a6;--paper:#17191c;--line:#3a3f45;--warm:#6fcf97;--cold:#ff7a5c;--ping:#7db4f0}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:940px;
margin:2rem auto;padding:0 1rem}
svg{width:100%;height:auto}text{fill:var(--soft);font-size:12px}h2{margin:1.5rem 0 .3rem}p{margin:.3rem 0}
line{stroke:var(--line)}.warm{fill:var(--warm)}.cold{fill:var(--cold)}.ping{fill:var(--ping)}
table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.25rem .8rem;border-bottom:1px solid var(--line);text-align:right}
td:first-child,th:first-child{text-align:left}
"""


def write_page(path: Path, story: Story, found: dict[str, Any]) -> None:
    """Write the page; nothing in it is fetched."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Preheat: cold against warm</title><style>{STYLE}</style><h1>Cold against warm</h1>",
        "<p>Real requests over HTTP to real processes on a local AWS, deployed from template.yaml. A dot is a request:",
        "how long its caller waited, by when it came; <span style='color:var(--cold)'>red</span> waited for a new",
        "environment. Blue marks below are the warmer's pings.</p>",
    ]
    for title, half in (("Nothing keeps warm", story.cold), ("The warmer ticks", story.warm)):
        if half is not None:
            parts.append(f"<h2>{escape(title)}</h2>{_dots(half, story.compression)}")
    parts += [_table(found), _releases(found)]
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _dots(half: Half, compression: float) -> str:
    span_s = max((one.at_s for one in half.answered), default=60.0)
    cold = sorted(
        one["started_s"] - half.began_s
        for one in half.invocations
        if one["kind"] == "request" and one["cold"]
    )
    marks = _axes(span_s)
    unmatched = list(cold)
    for one in sorted(half.answered, key=lambda one: -one.took_ms):
        # a caller's request and the invocation it became are told apart by time alone: the slowest first
        near = min(unmatched, key=lambda at: abs(at - one.at_s), default=None)
        is_cold = near is not None and abs(near - one.at_s) <= compression
        if is_cold and near is not None:
            unmatched.remove(near)
        marks.append(
            f"<circle class={'cold' if is_cold else 'warm'} r=2.6"
            f" cx={_x(one.at_s, span_s):.1f} cy={_y(one.took_ms):.1f}>"
            f"<title>{escape(one.model)}: {one.took_ms:.1f} ms</title></circle>"
        )
    for ping in half.invocations:
        if ping["kind"] == "ping":
            x = _x(ping["started_s"] - half.began_s, span_s)
            marks.append(f"<rect class=ping x={x:.1f} y={HEIGHT - BOTTOM - 6} width=2 height=6 />")
    return f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img>{''.join(marks)}</svg>"


def _axes(span_s: float) -> list[str]:
    marks = []
    for ms, name in ((1, "1 ms"), (10, "10 ms"), (100, "0.1 s"), (1000, "1 s"), (10_000, "10 s")):
        y = _y(ms)
        marks.append(
            f"<line x1={LEFT} x2={WIDTH} y1={y:.1f} y2={y:.1f} /><text x=4 y={y + 4:.1f}>{name}</text>"
        )
    marks += [
        f"<text x={_x(minute * 60, span_s):.1f} y={HEIGHT - 6}>{minute} min</text>"
        for minute in range(0, int(span_s // 60) + 1, 10)
    ]
    return marks


def _x(at_s: float, span_s: float) -> float:
    return LEFT + (WIDTH - LEFT - 10) * min(max(at_s / span_s, 0.0), 1.0)


def _y(ms: float) -> float:
    share = math.log(max(ms, LEAST_MS) / LEAST_MS) / math.log(MOST_MS / LEAST_MS)
    return (HEIGHT - BOTTOM) * (1 - min(share, 1.0))


def _table(found: dict[str, Any]) -> str:
    names = ("requests", "cold_starts", "p50_ms", "p99_ms", "billed_ms")
    head = "".join(f"<th>{name.replace('_', ' ')}" for name in ("", *names))
    body = "".join(
        f"<tr><td>{escape(title)}" + "".join(f"<td>{row[name]:,}" for name in names)
        for title, row in rows(found).items()
    )
    return f"<table><tr>{head}{body}</table>"


def _releases(found: dict[str, Any]) -> str:
    """What customers met while a wrong version and a good one were deployed."""
    head = "".join(f"<th>{name.replace('_', ' ')}" for name in ("version", *RELEASED, "outcome"))
    body = "".join(
        f"<tr><td>{escape(name)}"
        + "".join(f"<td>{row[one]:,}" for one in RELEASED)
        + f"<td>{escape(row['outcome'])}"
        for name, row in found["releases"].items()
    )
    return f"<h2>Deployments, while customers ask</h2><p>{escape(PLAYED)}</p><table><tr>{head}{body}</table>"
