"""The fold: history with new facts in it. Facts not after the watermark change nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from warmer.policy.history import AGE_EDGES_S, FIRST_SLOTS, INTERVALS, LEVELS, History
from warmer.policy.plans import Batch, Floats
from warmer.policy.values import Capacity, Demand, Facts, Failed, FunctionFacts, Prices, RoundReport

HALF_LIFE_S = 2 * 3600.0
PEAK_HALF_LIFE_S = 24 * 3600.0
LIFETIME_HALF_LIFE = 200.0
"""In environments awaited: what is known of lifetimes is as good as the last few hundred of them."""
WINDOW_S = 300.0
COLLISION_S = 0.5
"""A cold start this close to a round of our own was turned away by it, and says nothing of need."""
QUIET_MINUTES = 15
DEFAULT_DURATION_S = 0.5


def absorb(batch: Batch[History], facts: Facts) -> History:
    """The batch's history with what a cycle read (demand, capacity, announcements) or did (rounds, requests) in it."""
    columns = batch.history.columns.copy()
    _begin(columns, facts.at_s)
    folds: list[tuple[int, float, float]] = []
    for row, target in enumerate(batch.targets):
        record = columns[row]
        if isinstance(capacity := facts.capacity.get(target), Capacity):
            _absorb_capacity(record, capacity)
        if isinstance(granted := facts.provisioned.get(target), Capacity):
            _absorb_capacity(record, granted)
        if isinstance(demand := facts.demand.get(target), Demand):
            _absorb_demand(columns, row, demand)
        announced = facts.announced.get(target)
        if announced and not isinstance(announced, Failed):
            _fold_into(folds, row, facts.at_s, need_of_cold_starts(record, announced))
        report = facts.reports.get(target)
        if isinstance(report, RoundReport):
            record["spent_usd"] += spent_usd(batch.configured[row].facts, report)
            _fold_into(folds, row, facts.at_s, _absorb_round(record, report, facts.at_s))
    if folds:
        rows, ends, needs = (np.array(column) for column in zip(*folds, strict=True))
        fold(columns, rows.astype(np.int64), ends, needs)
    columns["watermark_s"] = np.maximum(columns["watermark_s"], facts.at_s)
    return History(columns)


def fold(columns: NDArray[np.void], rows: NDArray[np.int64], ends_s: Floats, needs: Floats) -> None:
    """Count, for each of `rows`, a stretch from what was counted last to its end, in which need peaked at `needs`.

    By occurrence and exposure: a level spends the stretch at its idle age, and where it was needed the stretch ends
    that age with one event. Both are forgotten with one half-life, so a rate of need by idle age is their ratio.
    """
    span = np.maximum(ends_s - columns["folded_s"][rows], 1.0)
    kept = 0.5 ** (span / HALF_LIFE_S)
    idle = columns["idle_s"][rows]
    age = np.searchsorted(AGE_EDGES_S, idle + span[:, None] / 2)
    needed = FIRST_SLOTS[None, :] <= needs[:, None]
    events = columns["events"][rows] * kept[:, None, None]
    exposure = columns["exposure_s"][rows] * kept[:, None, None]
    at = np.arange(len(rows))[:, None], np.arange(len(LEVELS))[None, :], age
    exposure[at] += span[:, None]
    events[at] += needed
    columns["events"][rows], columns["exposure_s"][rows] = events, exposure
    columns["idle_s"][rows] = np.where(needed, 0.0, np.minimum(idle + span[:, None], 1e6))
    columns["peak"][rows] = np.maximum(columns["peak"][rows] * 0.5 ** (span / PEAK_HALF_LIFE_S), needs)
    columns["folded_s"][rows] = ends_s


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


def _fold_into(folds: list[tuple[int, float, float]], row: int, end_s: float, need: float) -> None:
    if not math.isnan(need):
        folds.append((row, end_s, need))


def _begin(columns: NDArray[np.void], at_s: float) -> None:
    blank = columns["first_s"] == 0
    for name in ("first_s", "folded_s"):
        columns[name] = np.where(blank, at_s, columns[name])
    when = datetime.fromtimestamp(at_s, UTC)
    month = when.year * 12 + when.month
    columns["spent_usd"] = np.where(columns["month"] == month, columns["spent_usd"], 0.0)
    columns["month"] = month


def _absorb_capacity(record: np.void, capacity: Capacity) -> None:
    record["provisioned"] = capacity.requested
    record["settling"] = capacity.status == "IN_PROGRESS"


def spent_usd(function: FunctionFacts, report: RoundReport) -> float:
    """What a round cost: requests, time held, INIT of what it made."""
    prices = Prices.of(function.architecture)
    made_s = sum(sighting.init_s for sighting in report.sightings if sighting.cold)
    run_s = report.sent * report.held_s + made_s
    return report.sent * prices.request + run_s * function.memory_mb / 1024 * prices.on_demand_gb_s


def _absorb_round(record: np.void, report: RoundReport, at_s: float) -> float:
    """What a round found; answers the need since the round before, nan where it cannot be told."""
    own = [s for s in report.sightings if not s.provisioned]
    used = sum(s.requests > 0 for s in own)
    served = sum(s.requests for s in own)
    made = sum(s.cold for s in own)
    since_s = at_s - record["round_s"]
    had = int(record["reached"])
    if had and since_s < INTERVALS * 60:
        minutes = min(INTERVALS - 1, round(since_s / 60))
        awaited = max(0, min(had, len(own)) - used)
        gone = max(0, min(had, len(own)) - (len(own) - made))
        kept = 0.5 ** (awaited / LIFETIME_HALF_LIFE)
        record["trials"][minutes] = record["trials"][minutes] * kept + max(awaited, gone)
        record["deaths"][minutes] = record["deaths"][minutes] * kept + gone
    if own and since_s < 3600:
        kept = 0.5 ** (since_s / 3600.0)
        record["rate_s"] = record["rate_s"] * kept + served / since_s * (1 - kept)
    if report.sent > 2 and report.spread_s > 0:
        # the mean of an exponential delay is e/2 of its mean deviation
        seen = report.spread_s * math.e / 2
        record["jitter_s"] = 0.9 * record["jitter_s"] + 0.1 * seen if record["jitter_s"] > 0 else seen
    inits = [s.init_s for s in own if s.cold and s.init_s > 0]
    if inits:
        seen = sum(inits) / len(inits)
        record["init_s"] = 0.8 * record["init_s"] + 0.2 * seen if record["init_s"] > 0 else seen
    record["round_s"], record["reached"] = at_s, len(own)
    if not had:
        return math.nan
    return float(min(used, served))


def _absorb_demand(columns: NDArray[np.void], row: int, demand: Demand) -> None:
    """CloudWatch's minutes. They are counted as need only where no round has told of the time already."""
    record = columns[row]
    peaks, calls = np.array(demand.peak_concurrency, float), np.array(demand.invocations, float)
    starts = demand.start_s + demand.period_s * np.arange(len(peaks))
    own = np.abs(starts + demand.period_s / 2 - record["round_s"]) <= demand.period_s
    peaks = np.where(own, np.maximum(peaks - record["reached"], 0), peaks)
    calls = np.where(own, np.maximum(calls - record["reached"], 0), calls)
    if len(peaks):
        if demand.duration_s > 0:
            record["duration_s"] = demand.duration_s
        last = calls[-QUIET_MINUTES:]
        record["busy"] = (
            (last.min() if len(last) == QUIET_MINUTES else 0) / demand.period_s * demand.duration_s
        )
        record["rate_s"] = max(float(record["rate_s"]), calls[-60:].mean() / demand.period_s)
        record["demand_s"] = max(float(record["demand_s"]), float(starts[-1] + demand.period_s))
    if record["demand_s"] == 0:
        record["demand_s"] = demand.start_s
    if len(starts) and record["folded_s"] == record["first_s"] and record["round_s"] == 0:
        record["folded_s"] = min(float(record["folded_s"]), float(starts[0]))  # a history that is built anew
    fresh = starts >= record["folded_s"]
    starts, peaks = starts[fresh], peaks[fresh]
    step = max(1, round(WINDOW_S / demand.period_s))
    for i in range(0, len(starts) - step + 1, step):
        end = starts[i] + WINDOW_S
        fold(columns, np.array([row]), np.array([end]), np.array([peaks[i : i + step].max()]))
