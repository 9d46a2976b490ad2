"""The two strategies that the simulator does not play as they are: SnapStart and managed instances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from preheat_tools.adviser.strategies import EXCLUDES, MONTH_S, TITLES, Strategy
from preheat_tools.adviser.waits import service_ms, waits
from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.contenders import contender
from preheat_tools.simulator.run import play
from preheat_tools.simulator.traces import Duration, Trace
from preheat_tools.simulator.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What they rest on."""

    restore_ms: float = 500.0
    """From a snapshot to the first answer, hooks included. An assumption: AWS says only "sub-second"
    (https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html)."""
    cache_gb_s: float = 0.0000015046
    restore_gb: float = 0.0001397998
    """https://aws.amazon.com/lambda/pricing/, SnapStart for Python, us-east-1: by GB of the function's memory."""
    instance_usd_hour: float = 0.1008
    """m7i.large on demand in us-east-1, https://aws.amazon.com/ec2/pricing/on-demand/: say your own."""
    instance_gb: float = 8.0
    instance_vcpus: int = 2
    processes_a_vcpu: int = 16
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-python-runtime.html."""
    fee: float = 0.15
    """Lambda's charge for managing, a share of the instance's on-demand price."""
    least_instances: int = 3
    """Lambda begins with three, one a zone (https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html)."""


ELSEWHERE = Elsewhere()


def snapstart(
    trace: Trace, world: Assumptions, durations: Mapping[str, Duration], elsewhere: Elsewhere
) -> Strategy:
    """Nothing is kept warm and each cold start is a restore, billed for its memory and its time; a snapshot of one
    version a function is kept all month. A shorter wait makes fewer others wait, so it is played anew."""
    quick = replace(world, init_ms=elsewhere.restore_ms)
    result = play(trace, contender("none", trace, quick, durations), quick, durations)
    months, gb = trace.span_s / MONTH_S, world.memory_mb / 1024
    restores = result.cold_starts / months
    kinds = {kind: usd / months for kind, usd in result.cost_usd.items() if kind != "total"}
    kinds["init"] += restores * gb * elsewhere.restore_gb
    kinds["snapshots"] = len(trace.series) * gb * MONTH_S * elsewhere.cache_gb_s
    share = result.cold_starts / max(result.invocations, 1)
    return Strategy(
        name="snapstart", title=TITLES["snapstart"], cost_usd=sum(kinds.values()), cold_starts=restores,
        wait_ms=elsewhere.restore_ms, **waits(service_ms(trace, world, durations), share, elsewhere.restore_ms),
        excludes=EXCLUDES["snapstart"], kinds=kinds,
    )  # fmt: skip


def managed(
    trace: Trace, world: Assumptions, durations: Mapping[str, Duration], elsewhere: Elsewhere
) -> Strategy:
    """Instances for each function's highest concurrency, paid by the hour, with no charge for duration."""
    by_memory = math.floor(elsewhere.instance_gb * 1024 / world.memory_mb)
    processes = max(1, min(by_memory, elsewhere.instance_vcpus * elsewhere.processes_a_vcpu))
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


def peaks(trace: Trace, world: Assumptions, durations: Mapping[str, Duration]) -> list[int]:
    """The most requests of each function at work at one time, INIT apart."""
    ready = World(trace, replace(world, init_ms=0.0), durations, oracle=True)
    for function in ready.functions:
        function.advance(trace.span_s)
    return [int(function.minutes[:, eng.PEAK].max()) for function in ready.functions]
