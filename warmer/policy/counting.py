"""Need, counted: how often each slot was needed in how much time, for each of the forecasters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warmer.policy.expectation import Uses, tally
from warmer.policy.forecast import at_age, hour_of, mixed_per_s, rates_per_s
from warmer.policy.history import FIRST_SLOTS, FORECASTERS, HOURS, LEVELS, WIDTHS, Some
from warmer.policy.plans import Bools, Floats

HALF_LIFE_S = 2 * 3600.0
DAYS_HALF_LIFE_S = LOSS_HALF_LIFE_S = 24 * 3600.0
WEEKS_HALF_LIFE_S = 14 * 24 * 3600.0
PEAK_HALF_LIFE_S = 24 * 3600.0
LARGER_SLOTS = 8
LARGER_SHARE = 0.5
"""A burst that found too few environments is seldom the largest one: so many slots beyond it count as needed by so
much."""
WINDOW_S = 300.0
BLOCK = 128
"""Rows that are counted at a time: what they take stays in the processor's cache."""
COLLISION_S = 0.5
"""A cold start this close to a round of our own was turned away by it, and says nothing of need."""
DEFAULT_DURATION_S = 0.5


def fold(
    columns: NDArray[np.void],
    rows: NDArray[np.int64],
    ends_s: Floats,
    needs: Floats,
    uses: Uses | None = None,
) -> None:
    """Count, for each of `rows`, a stretch from what was counted last to its end, in which need peaked at `needs`.

    By occurrence and exposure: a level spends the stretch at its idle age, and where it was needed the stretch ends
    that age with one event. Both are forgotten with one half-life, so a rate of need by idle age is their ratio.
    """
    span = np.maximum(ends_s - columns["folded_s"][rows], 1.0)
    history = Some(columns, rows)
    rates = rates_per_s(history, history["folded_s"])
    if uses is not None:
        tally(columns, rows, ends_s, needs, uses, hazard_per_s=mixed_per_s(history, rates))
    judge(columns, rows, span, needs, rates)
    _count_long(columns, rows, ends_s, span, needs)
    kept = 0.5 ** (span / HALF_LIFE_S)
    idle = columns["idle_s"][rows]
    at = at_age(idle + span[:, None] / 2)
    needed = FIRST_SLOTS[None, :] <= needs[:, None]
    _count(columns["events"], rows, kept, at, needed if uses is None else needed + _larger(needs, uses))
    _count(columns["exposure_s"], rows, kept, at, span[:, None])
    columns["idle_s"][rows] = np.where(needed, 0.0, np.minimum(idle + span[:, None], 1e6))
    columns["peak"][rows] = np.maximum(columns["peak"][rows] * 0.5 ** (span / PEAK_HALF_LIFE_S), needs)
    columns["folded_s"][rows] = ends_s


def _larger(needs: Floats, uses: Uses) -> Floats:
    """What slots beyond the need of customers who waited count of an event, (rows, levels)."""
    beyond = FIRST_SLOTS[None, :] > needs[:, None]
    slots = np.clip(needs[:, None] + LARGER_SLOTS - FIRST_SLOTS + 1, 0.0, WIDTHS)
    return np.where(beyond & (uses.cold > 0)[:, None], LARGER_SHARE * slots / WIDTHS, 0.0)


def _count_long(
    columns: NDArray[np.void], rows: NDArray[np.int64], ends_s: Floats, span_s: Floats, needs: Floats
) -> None:
    """The same stretches by occurrence and exposure, whatever the idle age: over days, and by the hour of the day."""
    needed = FIRST_SLOTS[None, :] <= needs[:, None]
    days, weeks = 0.5 ** (span_s / DAYS_HALF_LIFE_S), 0.5 ** (span_s / WEEKS_HALF_LIFE_S)
    columns["day_events"][rows] = columns["day_events"][rows] * days[:, None] + needed
    columns["day_exposure_s"][rows] = columns["day_exposure_s"][rows] * days + span_s
    hour = np.arange(len(rows)) * HOURS + hour_of(ends_s - span_s / 2)
    level = np.arange(len(LEVELS))[None, :]
    _count(columns["hour_events"], rows, weeks, hour[:, None] * len(LEVELS) + level, needed)
    _count(columns["hour_exposure_s"], rows, weeks, hour, span_s)


def _count(
    column: NDArray[np.float32],
    rows: NDArray[np.int64],
    kept: Floats,
    at: NDArray[np.int64],
    more: Floats | Bools,
) -> None:
    """Keep a share, (rows,), of what is counted, and count `more` where `at` points to in the rows laid flat."""
    for first in range(0, len(rows), BLOCK):
        some = slice(first, first + BLOCK)
        table = column[rows[some]]
        flat, here = table.reshape(-1), at[some] - first * table[0].size
        counted = flat[here] * kept[some].reshape(-1, *[1] * (at.ndim - 1)) + more[some]
        np.multiply(table, kept[some].reshape(-1, *[1] * (table.ndim - 1)), out=table, casting="same_kind")
        flat[here] = counted
        column[rows[some]] = table


def judge(
    columns: NDArray[np.void], rows: NDArray[np.int64], span_s: Floats, needs: Floats, rates_per_s: Floats
) -> None:
    """Count against each forecaster how wrong it was of a stretch that is over, before it is told of it.

    The loss is Σ (P(slot is needed) - whether it was)² over the slots, which is the pinball loss of the peak's
    quantiles, all of them taken together (the continuous ranked probability score;
    Gneiting and Raftery, JASA 2007, section 4.2).
    """
    needed = FIRST_SLOTS[None, :] <= needs[:, None]
    loss = np.empty((len(rows), len(FORECASTERS)))
    for forecaster, rates in enumerate(rates_per_s):
        expected = 1 - np.exp(-rates * span_s[:, None])
        loss[:, forecaster] = ((expected - needed) ** 2 * WIDTHS).sum(axis=1)
    kept = 0.5 ** (span_s / LOSS_HALF_LIFE_S)
    columns["loss"][rows] = columns["loss"][rows] * kept[:, None] + loss


def fold_known(
    columns: NDArray[np.void],
    rows: Sequence[int] | NDArray[np.int64],
    end_s: float,
    needs: Sequence[float] | Floats,
    uses: Uses,
) -> None:
    """Fold stretches that end now, but those whose need is nan."""
    known = ~np.isnan(np.asarray(needs, np.float64))
    if known.any():
        some = np.asarray(rows, np.int64)[known]
        ends_s = np.full(len(some), end_s)
        fold(columns, some, ends_s, np.asarray(needs, np.float64)[known], uses.take(known))


def need_of_cold_starts(record: np.void, announced: Sequence[float]) -> float:
    """Environments that would have met these cold starts: all that were there, and the most that overlapped.

    Overlap is by the time of service, not of INIT: the queue that INIT makes is not there when it is avoided.
    Collisions with our own round are left out; nan where nothing else is left.
    """
    times = sorted(t for t in announced if not -0.05 <= t - record["round_s"] <= COLLISION_S)
    if not times:
        return math.nan
    width = float(record["duration_s"]) or DEFAULT_DURATION_S
    most, first = 1, 0
    for last, at in enumerate(times):
        while at - times[first] > width:
            first += 1
        most = max(most, last - first + 1)
    alive = float(record["reached"]) if times[0] - record["round_s"] < 2 * WINDOW_S else 0.0
    return alive + most
