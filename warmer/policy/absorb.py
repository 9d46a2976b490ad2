"""The fold: history with new facts in it. Facts not after the watermark change nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from warmer.policy import models
from warmer.policy.economics import PROVISIONED_STEP_S, provisioned_usd_s
from warmer.policy.forecast import hour_of, rates_per_s
from warmer.policy.history import AGE_EDGES_S, FIRST_SLOTS, INTERVALS, LEVELS, WIDTHS, History
from warmer.policy.plans import Batch, Bools, Floats, column
from warmer.policy.values import Capacity, Demand, Facts, Failed, FunctionFacts, Prices, RoundReport

HALF_LIFE_S = 2 * 3600.0
DAYS_HALF_LIFE_S = LOSS_HALF_LIFE_S = 24 * 3600.0
WEEKS_HALF_LIFE_S = 14 * 24 * 3600.0
PEAK_HALF_LIFE_S = 24 * 3600.0
LIFETIME_HALF_LIFE = 200.0
"""In environments awaited: what is known of lifetimes is as good as the last few hundred of them."""
WINDOW_S = 300.0
COLLISION_S = 0.5
"""A cold start this close to a round of our own was turned away by it, and says nothing of need."""
QUIET_MINUTES = 15
DEFAULT_DURATION_S = 0.5
FORGET_RATE_S = 3600.0
NEWEST_WEIGHT = 0.1


def absorb(batch: Batch[History], facts: Facts) -> History:
    """The batch's history with what a cycle read (demand, capacity, announcements) or did (rounds, requests) in it."""
    columns = batch.history.columns.copy()
    _begin(columns, facts.at_s)
    each_usd_s = column(batch.configured, lambda c: provisioned_usd_s(c.facts))
    _book_provisioned(columns, each_usd_s, facts.at_s)
    number = {target: row for row, target in enumerate(batch.targets)}
    for answers in (facts.capacity, facts.provisioned):
        for target, capacity in answers.items():
            if isinstance(capacity, Capacity):
                row = number[target]
                new = max(0, capacity.counted - int(columns["provisioned"][row]))
                columns["spent_usd"][row] += new * PROVISIONED_STEP_S * each_usd_s[row]
                columns["provisioned"][row] = capacity.counted
                columns["settling"][row] = capacity.status == "IN_PROGRESS"
    for target, demand in facts.demand.items():
        if isinstance(demand, Demand):
            _absorb_demand(columns, number[target], demand)
    told = [
        (number[t], times) for t, times in facts.announced.items() if times and not isinstance(times, Failed)
    ]
    _fold_known(
        columns,
        [row for row, _ in told],
        facts.at_s,
        [need_of_cold_starts(columns[row], t) for row, t in told],
    )
    came = [(number[t], report) for t, report in facts.reports.items() if isinstance(report, RoundReport)]
    if came:
        rows = np.array([row for row, _ in came], np.int64)
        for row, report in came:
            columns["spent_usd"][row] += spent_usd(batch.configured[row].facts, report)
            models.count(columns[row], report.sightings, max(facts.at_s - columns["round_s"][row], 0.0))
            _note_round(columns[row], report, facts.at_s)
        needs = _absorb_rounds(columns, rows, [_seen(report, facts.at_s) for _, report in came])
        _fold_known(columns, rows, facts.at_s, needs)
    columns["watermark_s"] = np.maximum(columns["watermark_s"], facts.at_s)
    return History(columns)


def fold(columns: NDArray[np.void], rows: NDArray[np.int64], ends_s: Floats, needs: Floats) -> None:
    """Count, for each of `rows`, a stretch from what was counted last to its end, in which need peaked at `needs`.

    By occurrence and exposure: a level spends the stretch at its idle age, and where it was needed the stretch ends
    that age with one event. Both are forgotten with one half-life, so a rate of need by idle age is their ratio.
    """
    span = np.maximum(ends_s - columns["folded_s"][rows], 1.0)
    judge(columns, rows, span, needs)
    _count_long(columns, rows, ends_s, span, needs)
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


def _count_long(
    columns: NDArray[np.void], rows: NDArray[np.int64], ends_s: Floats, span_s: Floats, needs: Floats
) -> None:
    """The same stretches by occurrence and exposure, whatever the idle age: over days, and by the hour of the day."""
    needed = FIRST_SLOTS[None, :] <= needs[:, None]
    days, weeks = 0.5 ** (span_s / DAYS_HALF_LIFE_S), 0.5 ** (span_s / WEEKS_HALF_LIFE_S)
    columns["day_events"][rows] = columns["day_events"][rows] * days[:, None] + needed
    columns["day_exposure_s"][rows] = columns["day_exposure_s"][rows] * days + span_s
    at = np.arange(len(rows)), hour_of(ends_s - span_s / 2)
    events = columns["hour_events"][rows] * weeks[:, None, None]
    exposure = columns["hour_exposure_s"][rows] * weeks[:, None]
    events[at] += needed
    exposure[at] += span_s
    columns["hour_events"][rows], columns["hour_exposure_s"][rows] = events, exposure


def judge(columns: NDArray[np.void], rows: NDArray[np.int64], span_s: Floats, needs: Floats) -> None:
    """Count against each forecaster how wrong it was of a stretch that is over, before it is told of it.

    The loss is Σ (P(slot is needed) - whether it was)² over the slots, which is the pinball loss of the peak's
    quantiles, all of them taken together (the continuous ranked probability score;
    Gneiting and Raftery, JASA 2007, section 4.2).
    """
    history = History(columns[rows])
    needed = FIRST_SLOTS[None, :] <= needs[:, None]
    expected = 1 - np.exp(-rates_per_s(history, history["folded_s"]) * span_s[None, :, None])
    loss = ((expected - needed[None]) ** 2 * WIDTHS).sum(axis=2).T
    kept = 0.5 ** (span_s / LOSS_HALF_LIFE_S)
    columns["loss"][rows] = columns["loss"][rows] * kept[:, None] + loss


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


def _fold_known(
    columns: NDArray[np.void],
    rows: Sequence[int] | NDArray[np.int64],
    end_s: float,
    needs: Sequence[float] | Floats,
) -> None:
    """Fold stretches that end now, but those whose need is nan."""
    known = ~np.isnan(np.asarray(needs, np.float64))
    if known.any():
        some = np.asarray(rows, np.int64)[known]
        fold(columns, some, np.full(len(some), end_s), np.asarray(needs, np.float64)[known])


def _begin(columns: NDArray[np.void], at_s: float) -> None:
    blank = columns["first_s"] == 0
    for name in ("first_s", "folded_s"):
        columns[name] = np.where(blank, at_s, columns[name])
    when = datetime.fromtimestamp(at_s, UTC)
    month = when.year * 12 + when.month
    columns["spent_usd"] = np.where(columns["month"] == month, columns["spent_usd"], 0.0)
    columns["month"] = month


def _book_provisioned(columns: NDArray[np.void], each_usd_s: Floats, at_s: float) -> None:
    """What was provisioned since the watermark, as far as this month goes; the step that each began with is booked."""
    when = datetime.fromtimestamp(at_s, UTC)
    month_s = datetime(when.year, when.month, 1, tzinfo=UTC).timestamp()
    known = columns["watermark_s"] > 0
    span_s = np.where(known, np.maximum(at_s - np.maximum(columns["watermark_s"], month_s), 0.0), 0.0)
    columns["spent_usd"] += columns["provisioned"] * span_s * each_usd_s


def spent_usd(function: FunctionFacts, report: RoundReport) -> float:
    """What a round cost: requests, time held, INIT of what it made."""
    prices = Prices.of(function.architecture)
    made_s = sum(sighting.init_s for sighting in report.sightings if sighting.cold)
    run_s = report.sent * report.held_s + made_s
    return report.sent * prices.request + run_s * function.memory_mb / 1024 * prices.on_demand_gb_s


Seen = tuple[int, int, int, int, float, int, float, float]


def _seen(report: RoundReport, at_s: float) -> Seen:
    """On-demand environments of a round: how many, in use, requests, new, INITs in all; pings, spread, instant."""
    own = used = served = made = 0
    init_s = 0.0
    for sighting in report.sightings:
        if sighting.provisioned:
            continue
        own += 1
        if sighting.requests > 0:
            used += 1
            served += sighting.requests
        if sighting.cold:
            made += 1
            init_s += sighting.init_s
    return own, used, served, made, init_s, report.sent, report.spread_s, _departed_s(report, at_s)


def _departed_s(report: RoundReport, at_s: float) -> float:
    """When a round of the cycle of `at_s` went out; at that instant where nobody knows better."""
    return report.departed_s or at_s


def _absorb_rounds(columns: NDArray[np.void], rows: NDArray[np.int64], seen: Sequence[Seen]) -> Floats:
    """What rounds found, (rounds,); answers the need since each one's round before, nan where it cannot be told."""
    own, used, served, made, init_s, sent, spread_s, at_s = np.array(seen, np.float64).T
    since_s = np.maximum(at_s - columns["round_s"][rows], 1.0)
    had = columns["reached"][rows].astype(np.float64)
    expected = np.minimum(had, own)
    gone = np.maximum(expected - (own - made), 0)
    _learn_lifetime(columns, rows, since_s, np.maximum(expected - used, 0), gone)
    known = (own > 0) & (since_s < FORGET_RATE_S)
    kept = np.where(known, 0.5 ** (since_s / FORGET_RATE_S), 1.0)
    columns["rate_s"][rows] = columns["rate_s"][rows] * kept + served / since_s * (1 - kept)
    # the mean of an exponential delay is e/2 of its mean deviation
    _learn(columns["jitter_s"], rows, spread_s * math.e / 2, (sent > 2) & (spread_s > 0))
    _learn(columns["init_s"], rows, init_s / np.maximum(made, 1), init_s > 0)
    # where announcements have told of a part of the time already, use since the last round says nothing of the rest,
    # and most of it is the queue that INIT made
    told = columns["folded_s"][rows] > columns["round_s"][rows]
    columns["round_s"][rows], columns["reached"][rows] = at_s, own
    return np.where((had > 0) & ~told, np.minimum(used, served), np.nan)


def _learn_lifetime(
    columns: NDArray[np.void], rows: NDArray[np.int64], since_s: Floats, awaited: Floats, gone: Floats
) -> None:
    """Of the environments that the round before reached, `awaited` stayed idle and `gone` are no more."""
    usable = (awaited + gone > 0) & (since_s < INTERVALS * 60)
    some, minutes = rows[usable], np.minimum(INTERVALS - 1, np.round(since_s[usable] / 60)).astype(np.int64)
    awaited, gone = awaited[usable], gone[usable]
    kept = 0.5 ** (awaited / LIFETIME_HALF_LIFE)
    columns["trials"][some, minutes] = columns["trials"][some, minutes] * kept + np.maximum(awaited, gone)
    columns["deaths"][some, minutes] = columns["deaths"][some, minutes] * kept + gone


def _learn(column: NDArray[np.float32], rows: NDArray[np.int64], seen: Floats, known: Bools) -> None:
    """A running mean, begun by the first value."""
    old = column[rows]
    mean = np.where(old > 0, (1 - NEWEST_WEIGHT) * old + NEWEST_WEIGHT * seen, seen)
    column[rows] = np.where(known, mean, old)


def _note_round(record: np.void, report: RoundReport, at_s: float) -> None:
    for name, value in (
        ("rounds_s", _departed_s(report, at_s)),
        ("rounds_found", len(report.sightings)),
        ("rounds_sent", report.sent),
    ):
        record[name][1:] = record[name][:-1].copy()
        record[name][0] = value


def _own(record: np.void, demand: Demand) -> tuple[Floats, Floats]:
    """Our own rounds in each of the demand's periods: the most environments at once, and pings."""
    periods = len(demand.invocations)
    peaks, calls = np.zeros(periods), np.zeros(periods)
    at = np.floor((record["rounds_s"] - demand.start_s) / demand.period_s).astype(np.int64)
    within = (at >= 0) & (at < periods)
    np.maximum.at(peaks, at[within], record["rounds_found"][within])
    np.add.at(calls, at[within], record["rounds_sent"][within])
    return peaks, calls


def _absorb_demand(columns: NDArray[np.void], row: int, demand: Demand) -> None:
    """CloudWatch's minutes. They are counted as need only where no round has told of the time already."""
    record = columns[row]
    peaks, calls = np.array(demand.peak_concurrency, float), np.array(demand.invocations, float)
    starts = demand.start_s + demand.period_s * np.arange(len(peaks))
    own_peaks, own_calls = _own(record, demand)
    peaks, calls = np.maximum(peaks - own_peaks, 0), np.maximum(calls - own_calls, 0)
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
