"""The policies by the names that `--policy` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.baselines.fixed import HOLD_S, Fixed, Rounds
from preheat_tools.simulator.baselines.histogram import Histogram, Idle
from preheat_tools.simulator.baselines.tracking import Alarms, TargetTracking
from preheat_tools.simulator.run import Contender
from preheat_tools.simulator.traces import Duration, Trace
from preheat_tools.simulator.world import World
from warmer.policy.history import History
from warmer.policy.preheat import Preheat, departure_wait_s
from warmer.policy.values import Target

NAMES = ("none", "ping", "pings-5", "static", "target-tracking", "histogram", "clairvoyant", "preheat")


def contender(
    name: str, trace: Trace, assumptions: Assumptions, durations: Mapping[str, Duration] | None = None
) -> Contender[Any]:
    """The policy of that name. `static` and `clairvoyant` are told the trace; the others are not."""
    if name == "static":
        return Contender(name, Fixed(provisioned=_p99(trace, assumptions, durations)), Rounds.stack)
    if name not in _MADE:
        raise ValueError(f"policy must be one of {', '.join(NAMES)}, was: {name!r}")
    return _MADE[name]


_MADE: Mapping[str, Contender[Any]] = {
    made.name: made
    for made in (
        Contender("none", Fixed(), Rounds.stack),
        Contender("ping", Fixed(pings=1), Rounds.stack),
        Contender("pings-5", Fixed(pings=5, hold_s=HOLD_S), Rounds.stack),
        Contender("target-tracking", TargetTracking(), Alarms.stack, pays_metrics=False),
        Contender("histogram", Histogram(), Idle.stack),
        Contender("clairvoyant", Fixed(), Rounds.stack, oracle=True),
        Contender("preheat", Preheat(), History.stack, listens=True, departs=departure_wait_s),
    )
}


def _p99(
    trace: Trace, assumptions: Assumptions, durations: Mapping[str, Duration] | None
) -> Mapping[Target, int]:
    """The 99th percentile of each function's minute peaks of concurrency, as known afterwards and without INITs."""
    world = World(trace, replace(assumptions, init_ms=0.0), durations, oracle=True)
    world.play(trace.span_s)
    minutes = int(trace.span_s // 60)
    return {
        target: int(np.ceil(np.percentile(function.minutes[:minutes, eng.PEAK], 99)))
        for target, function in zip(world.targets, world.functions, strict=True)
    }
