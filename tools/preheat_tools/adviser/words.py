"""The advice in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preheat_tools.adviser.strategies import TITLES

if TYPE_CHECKING:
    from preheat_tools.adviser.advice import Advice
    from preheat_tools.adviser.savings import Saved, Savings


def days(advice: Advice) -> str:
    """How much traffic it stands on."""
    return "1 day" if advice.days == 1 else f"{advice.days:.3g} days"


def usd(amount: float) -> str:
    """An amount as people write it, small ones with two digits that count."""
    if 0 < abs(amount) < 0.01:
        return price_usd(amount)
    return f"${amount:,.2f}"


def price_usd(price: float) -> str:
    """A price of a cold start, by two digits that count."""
    return "$" + f"{float(f'{price:.2g}'):.9f}".rstrip("0").rstrip(".")


def verdict(advice: Advice) -> str:
    """What to do and why, for who decides."""
    none, own, best = advice.strategy("none"), advice.strategy("preheat"), advice.strategy(advice.best)
    if not none.cold_starts:
        return "This traffic meets no cold starts: nothing is to be kept warm."
    least = "Preheat" if best.name == "preheat" else best.title
    first = f"At {price_usd(advice.cold_start_cost_usd)} a cold start the least costly is {least}"
    spared, more = none.cold_starts - own.cold_starts, own.cost_usd - none.cost_usd
    if spared <= 0:
        return f"{first}. Preheat would spare none of {none.cold_starts:,.0f} cold starts a month."
    second = (
        f"Preheat spares {spared:,.0f} of {none.cold_starts:,.0f} cold starts a month "
        f"({spared / none.cold_starts:.0%}) for {usd(abs(more))} {'more' if more >= 0 else 'less'} a month"
    )
    return f"{first}. {second}, {_worth(advice)}.{_memory(advice)}"


def _worth(advice: Advice) -> str:
    if advice.break_even_usd is None:
        return "which no price that was tried makes worth it"
    if advice.break_even_usd == 0:
        return "which pays before waiting has any price"
    return f"which is worth it from {price_usd(advice.break_even_usd)} a cold start on"


def _memory(advice: Advice) -> str:
    best = advice.best_size
    if best.size.memory_mb == advice.memory_mb:
        return ""
    here = next(one for one in advice.sizes if one.size.memory_mb == advice.memory_mb)
    return (
        f" At {best.size.memory_mb:,} MB in place of {advice.memory_mb:,} it comes to "
        f"{usd(here.total_usd - best.total_usd)} a month less, waiting included, with answers of "
        f"{best.size.service_ms:,.0f} ms in place of {here.size.service_ms:,.0f}."
    )


def own_cost(advice: Advice) -> str:
    """What of Preheat's bill is for itself."""
    own = usd(advice.strategy("preheat").kinds["own"])
    less = "less with --metrics lean or off"
    if advice.functions == 1:
        return (
            f"{own} of Preheat's bill are its own schedule, metrics and alarms, whatever the traffic: {less}."
        )
    return f"{own} of Preheat's bill are its schedule, alarms and the metrics of {advice.functions} functions: {less}."


def by_price(advice: Advice) -> list[tuple[str, str]]:
    """At which price of a cold start what is least costly."""
    starts = [price_usd(one.from_usd) for one in advice.ranges]
    rows = []
    for number, one in enumerate(advice.ranges):
        after = starts[number + 1] if number + 1 < len(starts) else ""
        if number == 0:
            price = f"below {after}" if after else "at any price"
        else:
            price = f"{starts[number]} to {after}" if after else f"{starts[number]} and above"
        rows.append((price, TITLES[one.name]))
    return rows


def saved_words(found: Savings) -> list[str]:
    """What the figures of `preheat savings` say, in sentences."""
    real = [one for one in found.targets if not one.dry_run]
    dry = [one for one in found.targets if one.dry_run]
    said = []
    if real:
        amount, spent = (sum(getattr(one, name) for one in real) for name in ("saved_usd", "spent_usd"))
        spared = sum(one.cold_starts_spared for one in real)
        balance = (
            f"saved {usd(amount)}" if amount >= 0 else f"cost {usd(-amount)} more than nothing would have"
        )
        said.append(
            f"By its own expectation the warmer spared {spared:,.0f} cold starts in {_days(real)} and {balance}, "
            f"waiting at your price included, with {usd(spent)} spent. What would have been without it cannot "
            "be seen; on recorded traffic it expected 0.63 to 0.92 of what was spared (docs/adviser.md)."
        )
    if dry:
        said.append(
            f"In its dry run of {_days(dry)} it would have spared "
            f"{sum(one.cold_starts_spared for one in dry):,.0f} cold starts and saved "
            f"{usd(sum(one.saved_usd for one in dry))}."
        )
    heard = [one for one in real if one.cold_starts_seen is not None]
    if heard:
        left, seen = (
            sum(one.cold_starts_left for one in heard),
            sum(one.cold_starts_seen or 0 for one in heard),
        )
        said.append(f"It expected {left:,.0f} cold starts to be left; customers waited for {seen:,}.")
    elif real:
        said.append("How many cold starts were left is not in these lines: add the burst handler's log.")
    return said


def _days(targets: list[Saved]) -> str:
    return f"{max(one.days for one in targets):.3g} days"
