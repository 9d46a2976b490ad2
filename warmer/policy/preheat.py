"""The policy: keep by pings what recent peaks justify, by provisioned concurrency what is busy past break-even."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from warmer.policy.history import WINDOW_S, WINDOWS, History
from warmer.policy.plans import Batch, Bools, Looks, Plans, column
from warmer.policy.values import Capacity, Configured, Demand, Facts, Prices, Reason, RoundReport, Terms

INTERVAL_S = 300.0
READ_EVERY_S = 1800.0
HEADROOM = 1.25
BLANK_DEPTH = 2
BREAK_EVEN = 0.6


@dataclass(frozen=True, slots=True)
class Preheat:
    """This package's policy, a `Policy[History]`."""

    def look(self, batch: Batch[History], terms: Terms) -> Looks:
        until = batch.history["demand_until_s"]
        stale = batch.now_s - until >= READ_EVERY_S
        oldest = batch.now_s - WINDOWS * WINDOW_S
        return Looks(
            demand_since_s=np.where(stale, np.maximum(until, oldest), np.nan),
            announced_since_s=batch.history["watermark_s"].astype(np.float64),
            capacity=batch.history["provisioned"] > 0,
        )

    def absorb(self, batch: Batch[History], facts: Facts) -> History:
        columns = batch.history.columns.copy()
        for row, configured in enumerate(batch.configured):
            _absorb_one(columns[row], configured, facts)
        return History(columns)

    def plan(self, batch: Batch[History], terms: Terms) -> Plans:
        history, n = batch.history, len(batch.configured)
        peak = history["peaks"].max(axis=1)
        unknown = history["demand_until_s"] == 0
        wanted = np.where(peak > 0, np.ceil(peak * HEADROOM) + 1, 0)
        wanted = np.where(unknown, BLANK_DEPTH, wanted).astype(np.int64)
        floor = column(batch.configured, lambda c: _floor(c, batch.now_s), np.int64)
        ceiling = column(batch.configured, lambda c: c.objective.ceiling, np.int64)
        busy = np.floor(history["busy"] / BREAK_EVEN).astype(np.int64)
        provisioned = np.where(busy > 0, np.minimum(busy, ceiling), 0)
        unread = column(batch.configured, lambda c: c.target in batch.unread, np.bool_)
        change = (provisioned != history["provisioned"]) & ~unread
        pings = np.minimum(np.maximum(wanted, floor), ceiling)
        saved = np.minimum(peak, pings)
        v = column(batch.configured, _cold_start_usd)
        return Plans(
            pings=pings,
            hold_s=np.full(n, 0.04),
            delay_s=np.zeros(n),
            provisioned=np.where(change, provisioned, -1),
            next_look_s=np.full(n, batch.now_s + INTERVAL_S),
            reason=_reasons(
                (
                    (Reason.UNKNOWN, unread),
                    (Reason.FLOOR, floor > wanted),
                    (Reason.CEILING, wanted > ceiling),
                    (Reason.NO_HISTORY, unknown),
                    (Reason.PROVISIONED_PAYS, provisioned > 0),
                    (Reason.PINGS_PAY, wanted > 0),
                )
            ),
            cost_usd=(peak - saved) * v,
            cold_starts=peak - saved,
            cost_without_usd=peak * v,
            cold_starts_without=peak.astype(np.float64),
            basis=["prior" if blank else "recent peaks" for blank in unknown.tolist()],
        )


def _reasons(decided: Sequence[tuple[Reason, Bools]]) -> list[Reason]:
    """The first of the tests that holds, a reason a target."""
    codes = np.select([holds for _, holds in decided], range(len(decided)), len(decided))
    names = [*(reason for reason, _ in decided), Reason.COLD_IS_CHEAPER]
    return [names[code] for code in codes.tolist()]


def _floor(configured: Configured, now_s: float) -> int:
    minute, day = int(now_s // 60 % 1440), int(now_s // 86400 + 3) % 7
    inside = (
        w.floor
        for w in configured.objective.windows
        if day in w.days and w.from_minute <= minute < w.until_minute
    )
    return max(configured.objective.floor, *inside, 0)


def _cold_start_usd(configured: Configured) -> float:
    facts = configured.facts
    run = Prices.of(facts.architecture).on_demand_gb_s
    return configured.objective.cold_start_cost_usd + facts.init_s * facts.memory_mb / 1024 * run


def _absorb_one(row: np.void, configured: Configured, facts: Facts) -> None:
    target = configured.target
    demand, report = facts.demand.get(target), facts.reports.get(target)
    if isinstance(demand, Demand):
        _absorb_demand(row, demand)
    if isinstance(report, RoundReport):
        row["round_s"], row["pinged"] = facts.at_s, len(report.sightings)
        row["spread_s"] = report.spread_s
    granted = facts.provisioned.get(target)
    if isinstance(granted, Capacity):
        row["provisioned"] = granted.requested
    row["watermark_s"] = max(row["watermark_s"], facts.at_s)


def _absorb_demand(row: np.void, demand: Demand) -> None:
    end_s = demand.start_s + demand.period_s * len(demand.peak_concurrency)
    for i, peak in enumerate(demand.peak_concurrency):
        at_s = demand.start_s + i * demand.period_s
        if at_s < row["demand_until_s"]:
            continue
        passed = math.floor(at_s / WINDOW_S) - math.floor((row["demand_until_s"] or at_s) / WINDOW_S)
        if passed > 0:
            keep = max(0, WINDOWS - passed)
            row["peaks"][:keep] = row["peaks"][WINDOWS - keep :]
            row["peaks"][keep:] = 0
        row["peaks"][-1] = max(row["peaks"][-1], peak)
        row["demand_until_s"] = at_s + demand.period_s
    span_s = demand.period_s * max(1, len(demand.invocations))
    row["rate_s"] = sum(demand.invocations) / span_s
    row["duration_s"] = demand.duration_s
    row["busy"] = row["rate_s"] * demand.duration_s
    row["demand_until_s"] = max(row["demand_until_s"], end_s)
