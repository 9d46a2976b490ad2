"""How long customers wait: service times, and the quantiles of what some of them wait longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.traces import Duration, Trace


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


class Waits(TypedDict):
    """What customers wait, in ms: the quantiles of a Strategy."""

    p50_ms: float
    p99_ms: float
    p999_ms: float


def waits(services: Sequence[tuple[float, float]], cold_share: float, wait_ms: float) -> Waits:
    """The quantiles where that share of the requests waits `wait_ms` longer."""
    p50, p99, p999 = (quantile(services, cold_share, wait_ms, level) for level in (0.5, 0.99, 0.999))
    return Waits(p50_ms=p50, p99_ms=p99, p999_ms=p999)


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
