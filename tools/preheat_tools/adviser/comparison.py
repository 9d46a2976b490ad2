"""Every strategy on the same traffic, each as a month of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from preheat_tools.adviser.elsewhere import ELSEWHERE, Elsewhere, managed, snapstart
from preheat_tools.adviser.own_costs import own_usd
from preheat_tools.adviser.setup import UNKNOWN, Setup, barred
from preheat_tools.adviser.strategies import EXCLUDES, MONTH_S, TITLES, Progress, Strategy
from preheat_tools.adviser.waits import service_ms, waits
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.contenders import contender
from preheat_tools.simulator.run import play
from preheat_tools.simulator.traces import Duration, Trace

PLAYED = ("none", "ping", "static", "target-tracking", "preheat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What advice is asked about: traffic, the world it meets, and what the function is."""

    trace: Trace
    world: Assumptions
    durations: Mapping[str, Duration] = field(default_factory=dict)
    elsewhere: Elsewhere = ELSEWHERE
    setup: Setup = UNKNOWN
    metrics: str = "full"
    """The template's parameter of that name: what Preheat tells CloudWatch, at $0.30 a metric."""


def compare(case: Case, progress: Progress = lambda name, share: None) -> list[Strategy]:
    """Each strategy, scaled to a month of 30 days; the world says what INIT, service and prices are."""
    found = []
    for name in PLAYED:
        found.append(played(name, case, progress))
        progress(TITLES[name], 1.0)
    found.append(snapstart(case.trace, case.world, case.durations, case.elsewhere))
    found.append(managed(case.trace, case.world, case.durations, case.elsewhere))
    return [replace(one, barred=barred(one.name, case.setup, case.world.memory_mb)) for one in found]


def played(name: str, case: Case, progress: Progress = lambda name, share: None) -> Strategy:
    """A simulated policy as a month."""
    trace, world = case.trace, case.world
    result = play(
        trace,
        contender(name, trace, world, case.durations),
        world,
        case.durations,
        progress=lambda share: progress(TITLES[name], share),
    )
    months = trace.span_s / MONTH_S
    kinds = {kind: usd / months for kind, usd in result.cost_usd.items() if kind != "total"}
    if name == "preheat":
        begun = (result.cold_starts + result.made_by_pings) / months
        kinds["own"] = own_usd(len(trace.series), begun, world, case.metrics)
    return Strategy(
        name=name,
        title=TITLES[name],
        cost_usd=sum(kinds.values()),
        cold_starts=result.cold_starts / months,
        wait_ms=world.init_ms,
        **waits(
            service_ms(trace, world, case.durations),
            result.cold_starts / max(result.invocations, 1),
            world.init_ms,
        ),
        excludes=EXCLUDES[name],
        kinds=kinds,
    )
