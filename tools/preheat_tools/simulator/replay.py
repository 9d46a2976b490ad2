"""A recorded stretch of one function, played in the simulator: the same requests and pings at the same instants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.function import Function
from preheat_tools.simulator.traces import Series

ROUND_GAP_S = 30.0
"""Pings further apart than this are of two rounds."""


@dataclass(frozen=True, slots=True)
class Pinged:
    """A ping that was sent: when it reached its environment, and when that was let go. Seconds from the start."""

    at_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the same stretch comes to here."""

    cold_starts: int
    """Requests that waited for INIT."""
    made_by_pings: int


def replay(
    requests_s: Sequence[float], pings: Sequence[Pinged], span_s: float, world: Assumptions
) -> Replayed:
    """Play them from nothing warm; a round's pings are held until the instant at which the last was let go."""
    minutes = np.zeros(int(span_s // 60) + 1, np.int64)
    np.add.at(minutes, (np.array(requests_s, np.float64) // 60).astype(np.int64), 1)
    series = Series(name="recorded", pattern="", counts=minutes, instants_s=np.sort(np.array(requests_s)))
    function = Function(series, 0, span_s, world, world.service_ms / 1000, oracle=False)
    made = 0.0
    for one in rounds(pings):
        first, last = one[0].at_s, max(ping.until_s for ping in one)
        late = np.array([ping.at_s - first for ping in one])
        found = function.ping(len(one), first, last - first, 0.0, late)
        made += float(found[:, eng.F_COLD].sum())
    function.advance(span_s)
    return Replayed(int(function.scalars[eng.COLD]), round(made))


def rounds(pings: Sequence[Pinged]) -> Iterator[list[Pinged]]:
    """The pings by round, each in the order in which they came."""
    some: list[Pinged] = []
    for ping in sorted(pings, key=lambda one: one.at_s):
        if some and ping.at_s - some[-1].at_s > ROUND_GAP_S:
            yield some
            some = []
        some.append(ping)
    if some:
        yield some
