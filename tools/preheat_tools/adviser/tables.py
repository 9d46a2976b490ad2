"""What `preheat advise` and `preheat savings` print."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from preheat_tools.adviser.advice import Advice, days, verdict
from preheat_tools.adviser.savings import Savings


def print_advice(advice: Advice) -> None:
    out = Console(width=None if sys.stdout.isatty() else 130, highlight=False)
    init = float(advice.assumptions["init_ms"])
    price = advice.cold_start_cost_usd
    table = Table(title=f"{advice.subject}, a month by {days(advice)} of traffic", title_justify="left")
    for name in (
        "strategy",
        "bill $",
        "cold starts",
        "each waits ms",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        f"waiting at ${price:g}",
    ):
        table.add_column(name, justify="left" if name == "strategy" else "right")
    table.add_column("excludes", max_width=44)
    for one in advice.strategies:
        table.add_row(
            one.title, f"{one.cost_usd:,.2f}", f"{one.cold_starts:,.0f}", f"{one.wait_ms:,.0f}", f"{one.p50_ms:,.0f}",
            f"{one.p99_ms:,.0f}", f"{one.p999_ms:,.0f}", f"{one.total_usd(price, init):,.2f}", one.excludes,
            style="bold" if one.name == advice.best else None,
        )  # fmt: skip
    out.print(table)
    for size in advice.sizes:
        out.print(
            f"{size.memory_mb} MB: {size.strategy}, ${size.cost_usd:,.2f}, with waiting ${size.total_usd:,.2f}, "
            f"p99 {size.p99_ms:,.0f} ms"
        )
    out.print(verdict(advice))
    for note in advice.notes:
        out.print(note)
    out.print(
        "Settings: make deploy SETTINGS='" + " ".join(f"{k}={v}" for k, v in advice.settings.items()) + "'"
    )


COUNTED = (
    "looks",
    "rounds",
    "pings",
    "made",
    "cold starts spared",
    "cost $",
    "without $",
    "saved $",
    "problems",
)


def print_savings(found: Savings) -> None:
    table = Table(title=f"{found.lines} plans over {found.days:.3g} days", title_justify="left",
                  caption="what the policy expected, waiting at your price of a cold start included")  # fmt: skip
    for name in ("target", *COUNTED):
        table.add_column(name, justify="left" if name == "target" else "right")
    for one in found.targets:
        table.add_row(
            one.target,
            *(str(count) for count in (one.looks, one.rounds, one.pings, one.made)),
            f"{one.cold_starts_spared:,.1f}",
            *(f"{usd:,.4f}" for usd in (one.cost_usd, one.cost_without_usd, one.saved_usd)),
            str(one.problems),
        )
    Console(width=None if sys.stdout.isatty() else 130, highlight=False).print(table)
