"""From strategies side by side to advice: which, from which price of a cold start on, with which settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from preheat_tools.adviser.strategies import (
    ELSEWHERE,
    MONTH_S,
    Elsewhere,
    Progress,
    Strategy,
    compare,
    played,
)
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.contenders import contender
from preheat_tools.simulator.run import play
from preheat_tools.simulator.traces import Duration, Trace

PRICES_USD = (0.00001, 0.0001, 0.01)
"""Prices of a cold start that the policy is tried at, beside the user's own: what it buys depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One memory size, as the user measured it, and what the month comes to with it."""

    memory_mb: int
    init_ms: float
    service_ms: float
    strategy: str = ""
    cost_usd: float = 0.0
    total_usd: float = 0.0
    p99_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What Preheat makes of a price of a cold start."""

    cold_start_cost_usd: float
    cost_usd: float
    cold_starts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The report's content; money and cold starts are a month's."""

    subject: str
    days: float
    """Of traffic that it stands on."""
    functions: int
    requests: float
    cold_start_cost_usd: float
    strategies: Sequence[Strategy]
    best: str
    break_even_usd: float | None
    """The price of a cold start from which Preheat costs less than nothing does; None where no price tried is enough,
    0 where it costs less before any price."""
    offers: Sequence[Offer]
    sizes: Sequence[Size]
    settings: Mapping[str, str]
    assumptions: Mapping[str, Any]
    notes: Sequence[str] = ()

    def strategy(self, name: str) -> Strategy:
        return next(one for one in self.strategies if one.name == name)

    def to_json(self) -> dict[str, Any]:
        """As `--json` writes it."""
        return asdict(self)


def advise(
    trace: Trace,
    world: Assumptions,
    durations: Mapping[str, Duration] | None = None,
    *,
    elsewhere: Elsewhere = ELSEWHERE,
    sizes: Sequence[Size] = (),
    notes: Sequence[str] = (),
    progress: Progress = lambda name, share: None,
) -> Advice:
    """Play the strategies on the trace and draw the conclusions."""
    strategies = compare(trace, world, durations, elsewhere, progress)
    price = world.cold_start_cost_usd
    best = min(strategies, key=lambda one: one.total_usd(price, world.init_ms))
    own = next(one for one in strategies if one.name == "preheat")
    offers = [Offer(cold_start_cost_usd=price, cost_usd=own.cost_usd, cold_starts=own.cold_starts)]
    for other in PRICES_USD:
        if other != price:
            progress(f"Preheat at ${other:g} a cold start", 0.0)
            at = _preheat(trace, replace(world, cold_start_cost_usd=other), durations)
            offers.append(Offer(cold_start_cost_usd=other, cost_usd=at.cost_usd, cold_starts=at.cold_starts))
    offers.sort(key=lambda offer: offer.cold_start_cost_usd)
    return Advice(
        subject=f"{trace.series[0].name} of {trace.name}" if len(trace.series) == 1 else trace.name,
        days=trace.span_s / 86_400,
        functions=len(trace.series),
        requests=sum(series.requests for series in trace.series) * MONTH_S / trace.span_s,
        cold_start_cost_usd=price,
        strategies=strategies,
        best=best.name,
        break_even_usd=break_even_usd(strategies[0], offers),
        offers=offers,
        sizes=[_sized(size, trace, world, durations, elsewhere, progress) for size in sizes],
        settings=settings(best, world, sum(_provisioned(best, world))),
        assumptions={**world.to_json(), **asdict(elsewhere)},
        notes=notes,
    )


def break_even_usd(none: Strategy, offers: Sequence[Offer]) -> float | None:
    """The lowest price of a cold start at which one of the plans comes to no more than doing nothing.

    A plan that costs so much more and spares so many is worth it from their ratio on; any plan can be had at any price.
    """
    prices = [
        max(offer.cost_usd - none.cost_usd, 0.0) / (none.cold_starts - offer.cold_starts)
        for offer in offers
        if offer.cold_starts < none.cold_starts
    ]
    return min(prices, default=None)


def settings(best: Strategy, world: Assumptions, environments: int) -> dict[str, str]:
    """Parameters of template.yaml for `make deploy SETTINGS=…`."""
    by_strategy: Mapping[str, dict[str, str]] = {
        "none": {"Strategy": "Off"},
        "snapstart": {"Strategy": "SnapStart"},
        "static": {"Strategy": "Provisioned", "ProvisionedEnvironments": str(environments)},
    }
    ours = {
        "Strategy": "Ping",
        "ColdStartCost": f"{world.cold_start_cost_usd:.12f}".rstrip("0").rstrip(".") or "0",
    }
    return {**by_strategy.get(best.name, ours), "Memory": str(world.memory_mb)}


def _provisioned(best: Strategy, world: Assumptions) -> list[int]:
    """Environments that a month's provisioned bill pays for."""
    each = world.memory_mb / 1024 * world.prices.provisioned_gb_s * MONTH_S
    return [round(best.kinds.get("provisioned", 0.0) / each)] if each else []


def _preheat(trace: Trace, world: Assumptions, durations: Mapping[str, Duration] | None) -> Strategy:
    result = play(trace, contender("preheat", trace, world, durations), world, durations)
    return played(result, trace, world, durations)


def _sized(  # noqa: PLR0917
    size: Size,
    trace: Trace,
    world: Assumptions,
    durations: Mapping[str, Duration] | None,
    elsewhere: Elsewhere,
    progress: Progress,
) -> Size:
    """The best strategy at another memory size; service times of a file scale as the measured mean does."""
    sized = replace(world, memory_mb=size.memory_mb, init_ms=size.init_ms, service_ms=size.service_ms)
    scale = size.service_ms / world.service_ms
    scaled = {key: Duration(one.mean_s * scale) for key, one in (durations or {}).items()}
    found = compare(
        trace,
        sized,
        scaled or None,
        elsewhere,
        lambda name, share: progress(f"{size.memory_mb} MB: {name}", share),
    )
    # the user's price is of the wait that was said with it: a longer INIT makes a cold start dearer
    best = min(found, key=lambda one: one.total_usd(world.cold_start_cost_usd, world.init_ms))
    return replace(
        size,
        strategy=best.title,
        cost_usd=best.cost_usd,
        total_usd=best.total_usd(world.cold_start_cost_usd, world.init_ms),
        p99_ms=best.p99_ms,
    )


def days(advice: Advice) -> str:
    """How much traffic it stands on, in words."""
    return "1 day" if advice.days == 1 else f"{advice.days:.3g} days"


def verdict(advice: Advice) -> str:
    """One sentence for who decides."""
    none, own, best = advice.strategy("none"), advice.strategy("preheat"), advice.strategy(advice.best)
    spared, more = none.cold_starts - own.cold_starts, own.cost_usd - none.cost_usd
    share = spared / none.cold_starts if none.cold_starts else 0.0
    price = f"${advice.cold_start_cost_usd:g}"
    if not none.cold_starts:
        return "This traffic meets no cold starts: nothing is to be kept warm."
    money = f"${abs(more):,.2f} {'more' if more >= 0 else 'less'} a month"
    first = f"Preheat spares {spared:,.0f} of {none.cold_starts:,.0f} cold starts a month ({share:.0%}) for {money}"
    if advice.break_even_usd is None:
        second = "which no price that was tried makes worth it"
    elif advice.break_even_usd == 0:
        second = "which pays before waiting has any price"
    else:
        second = f"which is worth it from ${advice.break_even_usd:.2g} a cold start on"
    third = f"at {price} a cold start the least costly of all is {'Preheat' if best.name == 'preheat' else best.title}"
    return f"{first}, {second}; {third}."
