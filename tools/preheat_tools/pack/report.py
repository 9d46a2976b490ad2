"""A report of one page on what packing gained: self-contained HTML, its picture an SVG."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from preheat_tools.pack.measure import Timing, machine
from preheat_tools.pack.writer import Packed

PHASES = (
    ("start_ms", "Python starts", "#8a94a6"),
    ("library_ms", "engine loads", "#4c78a8"),
    ("load_ms", "session", "#f2a33a"),
    ("first_answer_ms", "first answer", "#d1495b"),
)
_WIDTH, _LABEL, _BAR = 860, 190, 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to start, as measured."""

    title: str
    timing: Timing


def report(packed: Packed, rows: tuple[Row, ...], explanation: str, runs: int) -> str:
    """The page. `rows` are the ways that were measured, the pack's own last."""
    manifest = packed.manifest
    gain = rows[0].timing.total_ms / rows[-1].timing.total_ms
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{escape(manifest.name)}: from model to pack</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2733 }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #d9dee6 }}
td:first-child, th:first-child {{ text-align: left }}
pre {{ white-space: pre-wrap; background: #f4f6f9; padding: 1rem }}
</style>
<h1>{escape(manifest.name)}</h1>
<p>From process start to the first answer: <b>{rows[0].timing.total_ms:.0f} ms</b> before,
<b>{rows[-1].timing.total_ms:.0f} ms</b> from the pack, {gain:.1f} times sooner.
Medians of {runs} fresh processes each, in turn, page cache warm, on {escape(machine())}; other machines differ in
milliseconds more than in ratios.</p>
{_picture(rows)}
{_table(rows)}
<p>{escape(_precision(packed))}</p>
<h2>What is in it</h2>
<pre>{escape(explanation)}</pre>
</html>
"""


def _picture(rows: tuple[Row, ...]) -> str:
    """Stacked bars, one a row, to one scale."""
    scale = (_WIDTH - _LABEL - 80) / max(row.timing.total_ms for row in rows)
    drawn = []
    for place, row in enumerate(rows):
        x, y = float(_LABEL), 10 + place * (_BAR + 14)
        drawn.append(f'<text x="{_LABEL - 10}" y="{y + 22}" text-anchor="end">{escape(row.title)}</text>')
        for name, title, colour in PHASES:
            width = max(0.0, getattr(row.timing, name)) * scale
            drawn.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}">'
                f"<title>{title}: {getattr(row.timing, name):.1f} ms</title></rect>"
            )
            x += width
        drawn.append(f'<text x="{x + 8:.1f}" y="{y + 22}">{row.timing.total_ms:.0f} ms</text>')
    bottom = 10 + len(rows) * (_BAR + 14)
    for place, (_, title, colour) in enumerate(PHASES):
        x = _LABEL + place * 150
        drawn.append(f'<rect x="{x}" y="{bottom + 4}" width="14" height="14" fill="{colour}"/>')
        drawn.append(f'<text x="{x + 20}" y="{bottom + 16}">{title}</text>')
    return (
        f'<svg viewBox="0 0 {_WIDTH} {bottom + 30}" role="img" font-size="14" '
        f'font-family="system-ui, sans-serif"><title>Phases of the start</title>{"".join(drawn)}</svg>'
    )


def _table(rows: tuple[Row, ...]) -> str:
    columns = (*PHASES, ("total_ms", "first answer after", ""), ("steady_ms", "later answers", ""))
    head = "".join(f"<th>{title}, ms</th>" for _, title, _ in columns)
    body = "".join(
        f"<tr><td>{escape(row.title)}</td>"
        + "".join(f"<td>{getattr(row.timing, name):.2f}</td>" for name, _, _ in columns)
        + f"<td>{row.timing.memory_mb:.1f}</td></tr>"
        for row in rows
    )
    return f"<table><tr><th></th>{head}<th>memory, MB</th></tr>{body}</table>"


def _precision(packed: Packed) -> str:
    text = f"Answers differ from the original's by at most {packed.miss:.2g} of the tolerance."
    if packed.int8_miss is None:
        return text
    if packed.manifest.precision == "int8":
        return f"{text} Weights are int8."
    return f"{text} int8 was asked for and missed: off by {packed.int8_miss:.3g} tolerances, so the pack is fp32."
