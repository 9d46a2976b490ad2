"""From strategies side by side to advice: which, from which price of a cold start on, at which memory size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from preheat_tools.adviser.comparison import Case, compare, played
from preheat_tools.adviser.copying import commands, parameters
from preheat_tools.adviser.prices import TRIED_USD, Offer, Range, break_even_usd, lines, ranges
from preheat_tools.adviser.strategies import MONTH_S, Progress, Strategy
from preheat_tools.adviser.words import price_usd
from preheat_tools.simulator.traces import Duration
from warmer.policy.values import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """INIT and answers at one memory size, as measured."""

    memory_mb: int
    init_ms: float
    service_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """What a month comes to at one memory size, by the strategy that is best there."""

    size: Size
    case: Case
    best: Strategy
    total_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The report's content; money and cold starts are a month's."""

    subject: str
    days: float
    """Of traffic that it stands on."""
    functions: int
    requests: float
    cold_start_cost_usd: float
    init_ms: float
    memory_mb: int
    strategies: Sequence[Strategy]
    best: str
    break_even_usd: float | None
    """The price of a cold start from which Preheat costs no more than nothing does; None where no price tried is
    enough, 0 where it costs less before any price."""
    ranges: Sequence[Range]
    offers: Sequence[Offer]
    sizes: Sequence[Sized]
    """All that were looked at, the function's own among them; one where no others were given."""
    settings: Mapping[str, str]
    commands: Sequence[str]
    assumptions: Mapping[str, Any]
    notes: Sequence[str] = ()

    def strategy(self, name: str) -> Strategy:
        return next(one for one in self.strategies if one.name == name)

    def total_usd(self, one: Strategy) -> float:
        return one.total_usd(self.cold_start_cost_usd, self.init_ms)

    @property
    def best_size(self) -> Sized:
        return min(self.sizes, key=lambda one: one.total_usd)

    def to_json(self) -> dict[str, Any]:
        """As `--json` writes it."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "sizes"}
        sizes = [
            {**asdict(one.size), "best": one.best.name, "total_usd": one.total_usd} for one in self.sizes
        ]
        for name in ("strategies", "ranges", "offers"):
            fields[name] = [asdict(one) for one in fields[name]]
        return {**fields, "sizes": sizes}


def advise(
    case: Case,
    *,
    sizes: Sequence[Size] = (),
    notes: Sequence[str] = (),
    target: Target | None = None,
    progress: Progress = lambda name, share: None,
) -> Advice:
    """Play the strategies on the traffic and draw the conclusions; `target` where the function is in an account."""
    trace, world = case.trace, case.world
    strategies = compare(case, progress)
    best = _best(strategies, case)
    offers = _offers(next(one for one in strategies if one.name == "preheat"), case, progress)
    own = Size(memory_mb=world.memory_mb, init_ms=world.init_ms, service_ms=world.service_ms)
    sized = [Sized(size=own, case=case, best=best, total_usd=_total(best, case))]
    sized += [_sized(size, case, progress) for size in sizes if size.memory_mb != own.memory_mb]
    sized.sort(key=lambda one: one.size.memory_mb)
    chosen = min(sized, key=lambda one: one.total_usd)
    return Advice(
        subject=f"{trace.series[0].name} of {trace.name}" if len(trace.series) == 1 else trace.name,
        days=trace.span_s / 86_400,
        functions=len(trace.series),
        requests=sum(series.requests for series in trace.series) * MONTH_S / trace.span_s,
        cold_start_cost_usd=world.cold_start_cost_usd,
        init_ms=world.init_ms,
        memory_mb=world.memory_mb,
        strategies=strategies,
        best=best.name,
        break_even_usd=break_even_usd(strategies[0], offers),
        ranges=ranges(lines(strategies, offers, world.init_ms)),
        offers=offers,
        sizes=sized,
        settings=parameters(chosen.best, chosen.case),
        commands=commands(chosen.best, chosen.case, world.memory_mb, target) if target else (),
        assumptions={**world.to_json(), **asdict(case.elsewhere)},
        notes=notes,
    )


def _total(one: Strategy, case: Case) -> float:
    return one.total_usd(case.world.cold_start_cost_usd, case.world.init_ms)


def _best(strategies: Sequence[Strategy], case: Case) -> Strategy:
    """The least costly of those that the function can have; `case` says what the price is of."""
    return min((one for one in strategies if not one.barred), key=lambda one: _total(one, case))


def _offers(own: Strategy, case: Case, progress: Progress) -> list[Offer]:
    price = case.world.cold_start_cost_usd
    offers = [Offer(cold_start_cost_usd=price, cost_usd=own.cost_usd, cold_starts=own.cold_starts)]
    for other in TRIED_USD:
        if other != price:
            at = replace(case, world=replace(case.world, cold_start_cost_usd=other))
            label = f"Preheat at {price_usd(other)} a cold start"
            found = played("preheat", at, lambda _, share, label=label: progress(label, share))  # type: ignore[misc]
            progress(label, 1.0)
            offers.append(
                Offer(cold_start_cost_usd=other, cost_usd=found.cost_usd, cold_starts=found.cold_starts)
            )
    return sorted(offers, key=lambda offer: offer.cold_start_cost_usd)


def _sized(size: Size, case: Case, progress: Progress) -> Sized:
    """The best strategy at another memory size; service times of a file scale as the measured mean does."""
    world = replace(case.world, memory_mb=size.memory_mb, init_ms=size.init_ms, service_ms=size.service_ms)
    scale = size.service_ms / case.world.service_ms
    scaled = {key: Duration(one.mean_s * scale) for key, one in case.durations.items()}
    other = replace(case, world=world, durations=scaled)
    found = compare(other, lambda name, share: progress(f"{size.memory_mb} MB: {name}", share))
    # the user's price is of the wait that was said with it: a longer INIT makes a cold start dearer
    best = _best(found, case)
    return Sized(size=size, case=other, best=best, total_usd=_total(best, case))
