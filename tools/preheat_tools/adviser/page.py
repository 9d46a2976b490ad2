"""The report for who decides: one HTML file that needs no network, light and dark."""

from __future__ import annotations

from html import escape

from preheat_tools.adviser.advice import Advice
from preheat_tools.adviser.copying import OURS
from preheat_tools.adviser.face import document, table
from preheat_tools.adviser.pictures import bars, by_price
from preheat_tools.adviser.strategies import Strategy
from preheat_tools.adviser.words import by_price as prices
from preheat_tools.adviser.words import days, own_cost, price_usd, usd, verdict


def page(advice: Advice) -> str:
    """The page as text."""
    return document(
        f"Keeping {advice.subject} warm",
        [
            f"<p class=verdict>{escape(verdict(advice))}</p>",
            f"<p class=soft>{escape(_stands_on(advice))}</p>",
            bars(advice),
            "<h2>From which price of a cold start on?</h2>",
            by_price(advice),
            _prices(advice),
            _table(advice),
            _sizes(advice),
            _settings(advice),
            _assumptions(advice),
        ],
    )


def _stands_on(advice: Advice) -> str:
    functions = f"{advice.functions} functions" if advice.functions != 1 else "one function"
    text = (
        f"From {days(advice)} of traffic of {functions}, scaled to a month of 30 days: "
        f"{advice.requests:,.0f} requests."
    )
    return " ".join([text, *advice.notes, own_cost(advice)])


def _prices(advice: Advice) -> str:
    rows = [f"<tr><td>{escape(price)}<td class=text>{escape(title)}</tr>" for price, title in prices(advice)]
    offers = [
        f"<tr><td>{price_usd(one.cold_start_cost_usd)}<td>{one.cost_usd:,.2f}<td>{one.cold_starts:,.0f}</tr>"
        for one in advice.offers
    ]
    return (
        table(("price of a cold start", "the least costly"), rows, texts=(1,))
        + "<p>The price says what sparing one customer one cold start is worth to you. What Preheat makes of it:</p>"
        + table(("price", "bill $", "cold starts"), offers)
    )


def _table(advice: Advice) -> str:
    heads = (
        "strategy", "bill $", "cold starts", "each waits ms", "p50 ms", "p99 ms", "p99.9 ms",
        f"with waiting at {price_usd(advice.cold_start_cost_usd)}", "excludes",
    )  # fmt: skip
    rows = [_row(one, advice) for one in advice.strategies]
    return "<h2>A month of each</h2>" + table(heads, rows, texts=(8,))


def _row(one: Strategy, advice: Advice) -> str:
    figures = (one.cold_starts, one.wait_ms, one.p50_ms, one.p99_ms, one.p999_ms)
    cells = "".join(f"<td>{figure:,.0f}" for figure in figures)
    barred = f"<b>Not for this function: {escape(one.barred)}.</b> " if one.barred else ""
    best = " class=best" if one.name == advice.best else ""
    return (
        f"<tr{best}><td>{escape(one.title)}<td>{one.cost_usd:,.2f}{cells}<td>{advice.total_usd(one):,.2f}"
        f"<td class=text><small>{barred}{escape(one.excludes)}</small></tr>"
    )


def _sizes(advice: Advice) -> str:
    if len(advice.sizes) == 1:
        return (
            f"<h2>Memory</h2><p>One size was looked at, {advice.memory_mb:,} MB. Measure INIT and answers at others "
            "and give them with <code>--sizes</code>.</p>"
        )
    rows = [
        f"<tr{' class=best' if one is advice.best_size else ''}><td>{one.size.memory_mb:,} MB"
        f"<td>{one.size.init_ms:,.0f}<td>{one.size.service_ms:,.0f}<td class=text>{escape(one.best.title)}"
        f"<td>{one.best.cost_usd:,.2f}<td>{one.best.p99_ms:,.0f}<td>{one.total_usd:,.2f}</tr>"
        for one in advice.sizes
    ]
    heads = ("size", "INIT ms", "answer ms", "best there", "bill $", "p99 ms", "with waiting $")
    return "<h2>Memory</h2>" + table(heads, rows, texts=(3,))


def _settings(advice: Advice) -> str:
    text = " ".join(f"{name}={value}" for name, value in advice.settings.items())
    foreign = (
        ""
        if advice.best_size.best.name in OURS
        else "<p>The least costly here is not deployed by this project; Preheat's settings would be:</p>"
    )
    commands = "\n".join(advice.commands)
    elsewhere = f"<p>For a function of another stack:</p><pre>{escape(commands)}</pre>" if commands else ""
    return f"<h2>Settings to copy</h2>{foreign}<pre>make deploy SETTINGS='{escape(text)}'</pre>{elsewhere}"


def _assumptions(advice: Advice) -> str:
    kinds = sorted({kind for one in advice.strategies for kind in one.kinds})
    bills = [
        f"<tr><td>{escape(one.title)}"
        + "".join(f"<td>{usd(one.kinds[kind]) if kind in one.kinds else ''}" for kind in kinds)
        + "</tr>"
        for one in advice.strategies
    ]
    rows = [
        f"<tr><td>{escape(name)}<td>{escape(f'{value:.10g}' if isinstance(value, float) else str(value))}</tr>"
        for name, value in advice.assumptions.items()
        if not isinstance(value, dict)
    ]
    return (
        "<h2>What is assumed</h2><p>Lambda is simulated, and nothing here was tried on an account; "
        "docs/lambda-model.md and docs/adviser.md say where each value comes from. Prices are us-east-1's.</p>"
        f"<details><summary>What each bill is made of</summary>{table(('strategy', *kinds), bills)}</details>"
        f"<details><summary>All values</summary>{table(('value', ''), rows)}</details>"
    )
