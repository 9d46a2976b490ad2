"""What `preheat advise` and `preheat savings` print."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from preheat_tools.adviser.savings import Saved, Savings
from preheat_tools.adviser.words import by_price, days, own_cost, price_usd, saved_words, verdict

if TYPE_CHECKING:
    from preheat_tools.adviser.advice import Advice


def print_advice(advice: Advice) -> None:
    out = _console()
    out.print(_strategies(advice))
    for one in advice.strategies:
        out.print(f"  {one.title} excludes {one.excludes}.")
        if one.barred:
            out.print(f"    Not for this function: {one.barred}.", style="bold")
    out.print(
        _sizes(advice) if len(advice.sizes) > 1 else "Memory: one size was looked at (--sizes for more)."
    )
    out.print(
        table("The least costly, by the price of a cold start", ("price", "strategy"), by_price(advice))
    )
    out.print(verdict(advice), style="bold")
    for note in (*advice.notes, own_cost(advice)):
        out.print(note)
    settings = " ".join(f"{k}={v}" for k, v in advice.settings.items())
    out.print(f"Settings for this project's stack: make deploy SETTINGS='{settings}'", soft_wrap=True)
    if advice.commands:
        out.print("For a function of another stack:")
        for command in advice.commands:
            out.print(f"  {command}", soft_wrap=True, markup=False)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 130, highlight=False)


def _strategies(advice: Advice) -> Table:
    columns = (
        "strategy", "bill $", "cold starts", "each waits ms", "p50 ms", "p99 ms", "p99.9 ms",
        f"with waiting at {price_usd(advice.cold_start_cost_usd)}",
    )  # fmt: skip
    rows = []
    for one in advice.strategies:
        mark = " (best)" if one.name == advice.best else " (not for it)" if one.barred else ""
        figures = (one.wait_ms, one.p50_ms, one.p99_ms, one.p999_ms)
        rows.append((
            one.title + mark, f"{one.cost_usd:,.2f}", f"{one.cold_starts:,.0f}", *(f"{ms:,.0f}" for ms in figures),
            f"{advice.total_usd(one):,.2f}",
        ))  # fmt: skip
    return table(f"{advice.subject}, a month by {days(advice)} of traffic", columns, rows)


def _sizes(advice: Advice) -> Table:
    rows = [
        (
            f"{one.size.memory_mb:,} MB", f"{one.size.init_ms:,.0f}", f"{one.size.service_ms:,.0f}", one.best.title,
            f"{one.best.cost_usd:,.2f}", f"{one.best.p99_ms:,.0f}", f"{one.total_usd:,.2f}",
        )
        for one in advice.sizes
    ]  # fmt: skip
    columns = ("memory", "INIT ms", "answer ms", "best there", "bill $", "p99 ms", "with waiting $")
    return table("Memory", columns, rows)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table whose columns of figures are set to the right; raises ValueError where a row does not fit its heads."""
    made = Table(title=title, title_justify="left")
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"a row of {len(row)} cells under {len(columns)} columns: {row}")
    for number, name in enumerate(columns):
        figures = number > 0 and all(row[number][:1].isdigit() or row[number][:1] in "-–" for row in rows)
        made.add_column(name, justify="right" if figures else "left")
    for row in rows:
        made.add_row(*row)
    return made


SHOWN: Mapping[str, str] = {
    "looks": "{:,}",
    "rounds": "{:,}",
    "pings": "{:,}",
    "made": "{:,}",
    "spent_usd": "{:,.4f}",
    "cold_starts_spared": "{:,.1f}",
    "cold_starts_left": "{:,.1f}",
    "cost_usd": "{:,.4f}",
    "cost_without_usd": "{:,.4f}",
    "saved_usd": "{:,.4f}",
    "problems": "{:,}",
}
COUNTED = (
    "looks", "rounds", "pings", "made", "spent $", "spared", "left", "seen", "cost $", "without $", "saved $",
    "problems",
)  # fmt: skip


def cells(one: Saved) -> list[str]:
    """One target's figures, in the order of COUNTED."""
    found = [form.format(getattr(one, name)) for name, form in SHOWN.items()]
    found.insert(COUNTED.index("seen"), "–" if one.cold_starts_seen is None else f"{one.cold_starts_seen:,}")
    return found


def print_savings(found: Savings) -> None:
    out = _console()
    rows = [(one.target + (" (dry run)" if one.dry_run else ""), *cells(one)) for one in found.targets]
    out.print(table(f"{found.plans:,} plans over {found.days:.3g} days", ("target", *COUNTED), rows))
    for sentence in saved_words(found):
        out.print(sentence)
