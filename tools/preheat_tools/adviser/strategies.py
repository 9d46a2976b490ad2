"""The ways to keep a function ready, each on the same traffic: what a month costs and how long customers wait."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.contenders import contender
from preheat_tools.simulator.run import Result, play
from preheat_tools.simulator.traces import Duration, Trace
from preheat_tools.simulator.world import World

MONTH_S = 30 * 86_400.0
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What the two strategies that the simulator does not play rest on."""

    restore_ms: float = 500.0
    """From a snapshot to the first answer, hooks included. An assumption: AWS says only "sub-second"
    (https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html)."""
    cache_gb_s: float = 0.0000015046
    restore_gb: float = 0.0001397998
    """https://aws.amazon.com/lambda/pricing/, SnapStart for Python, us-east-1: by GB of the function's memory."""
    instance_usd_hour: float = 0.1008
    """m7i.large on demand in us-east-1, https://aws.amazon.com/ec2/pricing/on-demand/: say your own."""
    instance_gb: float = 8.0
    fee: float = 0.15
    """Lambda's charge for managing, a share of the instance's on-demand price."""
    least_instances: int = 3
    """Lambda begins with three, one a zone (https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html)."""


ELSEWHERE = Elsewhere()


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way, over a month of the same traffic."""

    name: str
    title: str
    cost_usd: float
    """What AWS bills, without any price of waiting."""
    cold_starts: float
    """Requests whose customer waits for an environment: INIT, or a restore."""
    wait_ms: float
    """How much longer such a request takes."""
    p50_ms: float
    p99_ms: float
    p999_ms: float
    excludes: str
    kinds: Mapping[str, float] = field(default_factory=dict)

    def total_usd(self, cold_start_cost_usd: float, init_ms: float) -> float:
        """The bill and the price of waiting: yours is of a wait of `init_ms`, and a shorter one costs so much less."""
        share = self.wait_ms / init_ms if init_ms else 0.0
        return self.cost_usd + self.cold_starts * cold_start_cost_usd * share


EXCLUDES = {
    "none": "nothing",
    "ping": "nothing, but keeps one environment only: a second request at the same time waits",
    "static": "SnapStart; paid day and night, and to be resized by hand",
    "target-tracking": "SnapStart; follows use by minutes, grows at most 1.4-fold a step",
    "preheat": "SnapStart where it uses provisioned concurrency",
    "snapstart": "provisioned concurrency, EFS, /tmp above 512 MB, Python below 3.12; copies share what is not renewed",
    "managed": "scaling to zero; a request beyond what the instances hold is throttled until more have started",
}
TITLES = {
    "none": "nothing",
    "ping": "one ping every 5 min",
    "static": "provisioned, fixed",
    "target-tracking": "provisioned, autoscaled",
    "preheat": "Preheat: pings, and provisioned where it pays",
    "snapstart": "SnapStart",
    "managed": "managed instances",
}
PLAYED = ("none", "ping", "static", "target-tracking", "preheat")


def compare(
    trace: Trace,
    world: Assumptions,
    durations: Mapping[str, Duration] | None = None,
    elsewhere: Elsewhere = ELSEWHERE,
    progress: Progress = lambda name, share: None,
) -> list[Strategy]:
    """Every strategy on the trace, scaled to a month of 30 days; `world` says what INIT, service and prices are."""
    found: list[Strategy] = []
    for name in PLAYED:
        result = play(
            trace,
            contender(name, trace, world, durations),
            world,
            durations,
            progress=lambda share, name=name: progress(TITLES[name], share),  # type: ignore[misc]
        )
        found.append(played(result, trace, world, durations))
        progress(TITLES[name], 1.0)
    none = found[0]
    return [
        *found,
        snapstart(none, trace, world, elsewhere),
        managed(none, trace, world, durations, elsewhere),
    ]


def played(
    result: Result, trace: Trace, world: Assumptions, durations: Mapping[str, Duration] | None
) -> Strategy:
    """A simulated policy as a month."""
    months = trace.span_s / MONTH_S
    share = result.cold_starts / max(result.invocations, 1)
    services = service_ms(trace, world, durations)
    return Strategy(
        name=result.policy,
        title=TITLES[result.policy],
        cost_usd=result.cost_usd["total"] / months,
        cold_starts=result.cold_starts / months,
        wait_ms=world.init_ms,
        **waits(services, share, world.init_ms),
        excludes=EXCLUDES[result.policy],
        kinds={kind: usd / months for kind, usd in result.cost_usd.items() if kind != "total"},
    )


def snapstart(none: Strategy, trace: Trace, world: Assumptions, elsewhere: Elsewhere) -> Strategy:
    """As nothing, each cold start a restore: it is billed for its memory, and keeping the snapshot for its time."""
    gb, functions = world.memory_mb / 1024, len(trace.series)
    restores = none.cold_starts * gb * elsewhere.restore_gb
    running = none.cold_starts * gb * world.prices.on_demand_gb_s * elsewhere.restore_ms / 1000
    cache = functions * gb * MONTH_S * elsewhere.cache_gb_s
    share = none.cold_starts / max(sum(s.requests for s in trace.series) * MONTH_S / trace.span_s, 1)
    services = service_ms(trace, world, None)
    kinds = {**none.kinds, "init": restores + running, "snapshots": cache}
    return Strategy(
        name="snapstart", title=TITLES["snapstart"], cost_usd=sum(kinds.values()), cold_starts=none.cold_starts,
        wait_ms=elsewhere.restore_ms, **waits(services, share, elsewhere.restore_ms),
        excludes=EXCLUDES["snapstart"], kinds=kinds,
    )  # fmt: skip


def managed(
    none: Strategy,
    trace: Trace,
    world: Assumptions,
    durations: Mapping[str, Duration] | None,
    elsewhere: Elsewhere,
) -> Strategy:
    """Instances for each function's highest concurrency, paid by the hour, with no charge for duration."""
    processes = max(1, math.floor(elsewhere.instance_gb * 1024 / world.memory_mb))
    instances = sum(
        max(elsewhere.least_instances, math.ceil(peak / processes)) for peak in peaks(trace, world, durations)
    )
    hours = MONTH_S / 3600
    requests = sum(s.requests for s in trace.series) * MONTH_S / trace.span_s * world.prices.request
    kinds = {
        "instances": instances * hours * elsewhere.instance_usd_hour * (1 + elsewhere.fee),
        "requests": requests,
    }
    return Strategy(
        name="managed", title=TITLES["managed"], cost_usd=sum(kinds.values()), cold_starts=0.0, wait_ms=0.0,
        **waits(service_ms(trace, world, durations), 0.0, 0.0),
        excludes=EXCLUDES["managed"], kinds=kinds,
    )  # fmt: skip


def peaks(trace: Trace, world: Assumptions, durations: Mapping[str, Duration] | None) -> list[int]:
    """The most requests of each function at work at one time, INIT apart."""
    ready = World(trace, replace(world, init_ms=0.0), durations, oracle=True)
    for function in ready.functions:
        function.advance(trace.span_s)
    return [int(function.minutes[:, eng.PEAK].max()) for function in ready.functions]


def service_ms(
    trace: Trace, world: Assumptions, durations: Mapping[str, Duration] | None
) -> list[tuple[float, float]]:
    """Service times and how often each: a request's own where the trace says it, else its function's mean."""
    weighed: list[tuple[float, float]] = []
    for series in trace.series:
        if series.service_s is not None and len(series.service_s):
            marks = np.quantile(series.service_s, np.linspace(0.005, 0.995, 100))
            weighed += [(float(mark) * 1000, series.requests / 100) for mark in marks]
        else:
            known = (durations or {}).get(series.key)
            weighed.append((known.mean_s * 1000 if known else world.service_ms, float(series.requests)))
    return weighed


def waits(services: Sequence[tuple[float, float]], cold_share: float, wait_ms: float) -> dict[str, float]:
    """What customers wait, in ms: the quantiles of a Strategy."""
    levels = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}
    return {name: quantile(services, cold_share, wait_ms, level) for name, level in levels.items()}


def quantile(
    services: Sequence[tuple[float, float]], cold_share: float, wait_ms: float, level: float
) -> float:
    """A quantile of what customers wait, in ms, where that share of the requests waits `wait_ms` longer."""
    pairs = [(ms, weight * (1 - cold_share)) for ms, weight in services]
    pairs += [(ms + wait_ms, weight * cold_share) for ms, weight in services]
    total = sum(weight for _, weight in pairs)
    passed = 0.0
    for ms, weight in sorted(pairs):
        passed += weight
        if passed >= level * total:
            return ms
    return 0.0
