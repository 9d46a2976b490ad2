"""Which idle environment Lambda gives a request to is undocumented: the one used last, or any of them in turn.

Where it is the one used last, the environments that a round finds in use are as many as were needed at once. Where all
are used in turn they are the pool, whatever was needed. When each was last used and how many requests it served tells
the one from the other at once, and CloudWatch's peaks, read as a check, tell it surely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from warmer.policy.counting import DEFAULT_DURATION_S, PEAK_HALF_LIFE_S
from warmer.policy.history import FIRST_SLOTS
from warmer.policy.plans import Bools, Floats
from warmer.policy.values import Demand, Sighting

BY_PEAKS, BY_REPLIES = 0.8, 0.4
"""Share of the environments found in use that was needed at once, below which all are used in turn. Where the one used
last is next it is 1 by CloudWatch's peaks, less what hides in a round's own minute; by the replies it is above a half,
since of the environments that one burst took, the next and smaller one leaves more than half as they were."""
ENOUGH = 20.0
"""Environments found in use, from which on the share is believed."""
HALF_LIFE = 200.0
"""In such environments: an account may be moved to other machines."""
SHARED_WEIGHT = 0.02
"""What another target's environment is worth beside one's own: routing is the platform's, as lifetimes are."""
LARGE_LOAD = 500.0
"""Erlangs from which on a Poisson variable is taken for a normal one."""


@dataclass(frozen=True, slots=True)
class Minutes:
    """CloudWatch's periods of one read without our own rounds, (periods,) each, from `first_s` on."""

    first_s: float
    period_s: float
    peaks: Floats
    calls: Floats
    own: Bools
    """Periods in which a round went out: of what came beside it the peak says only what went beyond the round."""

    @staticmethod
    def of(record: np.void, demand: Demand) -> Minutes:
        peaks, calls = np.array(demand.peak_concurrency, float), np.array(demand.invocations, float)
        own_peaks, own_calls = np.zeros(len(peaks)), np.zeros(len(peaks))
        at = np.floor((record["rounds_s"] - demand.start_s) / demand.period_s).astype(np.int64)
        within = (at >= 0) & (at < len(peaks))
        np.maximum.at(own_peaks, at[within], record["rounds_found"][within])
        np.add.at(own_calls, at[within], record["rounds_sent"][within])
        return Minutes(
            first_s=demand.start_s,
            period_s=demand.period_s,
            peaks=np.maximum(peaks - own_peaks, 0),
            calls=np.maximum(calls - own_calls, 0),
            own=own_calls > 0,
        )


def unsure(columns: NDArray[np.void]) -> Bools:
    """Targets of which CloudWatch has not told the routing, (targets,)."""
    little: Bools = _shared(columns["used_seen"]) < ENOUGH
    return little


def in_turn(columns: NDArray[np.void]) -> Bools:
    """Targets whose environments are used in turn, as far as is known, (targets,)."""
    by_peaks = _shared(columns["used_peak"]) < BY_PEAKS * _shared(columns["used_seen"])
    found = _shared(columns["used_found"])
    by_replies = (found >= ENOUGH) & (_shared(columns["used_need"]) < BY_REPLIES * found)
    return np.where(unsure(columns), by_replies, by_peaks).astype(np.bool_)


def _shared(column: NDArray[np.float32]) -> Floats:
    own = column.astype(np.float64)
    shared: Floats = own + SHARED_WEIGHT * (own.sum() - own)
    return shared


def believe(columns: NDArray[np.void], rows: NDArray[np.int64], peaks: Floats) -> None:
    """Take what is known of these targets' routing for true. Environments used in turn were counted as need until then:
    what was counted of slots above `peaks`, (rows,), is forgotten."""
    believed = in_turn(columns)[rows]
    for row, peak in zip(
        rows[believed & ~columns["in_turn"][rows]], peaks[believed & ~columns["in_turn"][rows]], strict=True
    ):
        record = columns[row]
        above = peak < FIRST_SLOTS
        record["events"][above] = record["day_events"][above] = record["hour_events"][:, above] = 0.0
        record["loss"] = 0.0
        record["peak"] = min(float(record["peak"]), peak)
    columns["in_turn"][rows] = believed


def learn_by_replies(
    columns: NDArray[np.void], rows: NDArray[np.int64], used: Floats, needs: Floats, span_s: Floats
) -> None:
    """Count the environments that rounds found in use, nan where unknown, and the needs that the replies tell."""
    known = (used >= 2) & np.isfinite(needs)
    some, kept = rows[known], 0.5 ** (used[known] / HALF_LIFE)
    columns["used_found"][some] = columns["used_found"][some] * kept + used[known]
    columns["used_need"][some] = columns["used_need"][some] * kept + needs[known]
    faded = columns["turn_peak"][rows] * 0.5 ** (span_s / PEAK_HALF_LIFE_S)
    columns["turn_peak"][rows] = np.maximum(faded, np.where(np.isfinite(needs), needs, 0.0))


def learn_by_peaks(record: np.void, minutes: Minutes) -> None:
    """Hold the environments that rounds found in use against CloudWatch's peaks of the minutes between the rounds.

    Where more came in a round's own minute, which hides it, than in the others, the stretch tells nothing.
    """
    own, calls, peaks = minutes.own.tolist(), minutes.calls.tolist(), minutes.peaks.tolist()
    minute = np.floor((record["rounds_s"] - minutes.first_s) / minutes.period_s).astype(np.int64)
    later, earlier, found = minute[:-1], minute[1:], record["rounds_used"][:-1]
    within = (found >= 2) & (earlier >= 0) & (later < len(peaks)) & (later - earlier >= 2)
    for number in within.nonzero()[0].tolist():
        used, first, last = found[number], int(earlier[number]), int(later[number])
        between = slice(first + 1, last)
        if any(own[between]) or max(calls[first], calls[last]) > max(calls[between]):
            continue
        kept = 0.5 ** (float(used) / HALF_LIFE)
        record["used_seen"] = record["used_seen"] * kept + used
        record["used_peak"] = record["used_peak"] * kept + min(max(peaks[between]), float(used))


def need_in_turn(sightings: Sequence[Sighting], span_s: float, duration_s: float) -> float:
    """The need of a stretch that ends now, from what a round's replies tell where environments are used in turn.

    The most environments whose last use overlapped, at least; at least too the median peak of as many requests that
    come independently of each other; and never more than were used.
    """
    service_s = duration_s or DEFAULT_DURATION_S
    used = [s for s in sightings if s.requests > 0 and not s.provisioned]
    requests = sum(s.requests for s in used)
    overlapped = _together([s.idle_s for s in used], service_s)
    return float(min(len(used), max(overlapped, _median_peak(requests, span_s, service_s))))


def _together(idle_s: Sequence[float], service_s: float) -> int:
    """The most uses that ended within one service time of each other."""
    ends = sorted(idle_s)
    most = first = 0
    for last, end in enumerate(ends):
        while end - ends[first] > service_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def _median_peak(requests: int, span_s: float, service_s: float) -> int:
    """Concurrency that so many independent requests reach or pass with even chances.

    One finds so many others under way as a Poisson variable of mean `load` says; none of them finds m or more with the
    chance e^(-requests·P(m or more)).
    """
    load = requests * service_s / max(span_s, service_s)
    rare = math.log(2) / max(requests, 1)
    if load > LARGE_LOAD:
        return min(requests, math.ceil(NormalDist(load, math.sqrt(load)).inv_cdf(1 - min(rare, 0.5))) + 1)
    found, chance = 0, math.exp(-load)
    more = 1.0 - chance  # of finding more than `found`
    while more > rare:
        found += 1
        chance *= load / found
        more -= chance
    return min(requests, found + 1)
