"""The fold: history with new facts in it. Facts not after the watermark change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from warmer.policy import models
from warmer.policy.counting import fold_known, need_of_cold_starts
from warmer.policy.economics import PROVISIONED_STEP_S, provisioned_usd_s
from warmer.policy.history import History
from warmer.policy.metrics import absorb_demand
from warmer.policy.plans import Batch, column
from warmer.policy.rounds import absorb_rounds, departed_s, note_round, seen
from warmer.policy.routing import believe, learn_by_replies, need_in_turn, unsure
from warmer.policy.spending import begin_month, book_provisioned, spent_usd
from warmer.policy.values import Capacity, Demand, Facts, Failed, RoundReport, Target


def absorb(batch: Batch[History], facts: Facts) -> History:
    """The batch's history with what a cycle read (demand, capacity, announcements) or did (rounds, requests) in it."""
    columns = batch.history.columns.copy()
    row = {target: number for number, target in enumerate(batch.targets)}
    _begin(columns, facts.at_s)
    _absorb_capacity(columns, batch, facts, row)
    absorb_demand(
        columns, [(row[t], demand) for t, demand in facts.demand.items() if isinstance(demand, Demand)]
    )
    told = [
        (row[t], times) for t, times in facts.announced.items() if times and not isinstance(times, Failed)
    ]
    needs = [need_of_cold_starts(columns[number], times) for number, times in told]
    fold_known(columns, [number for number, _ in told], facts.at_s, needs)
    for (number, _), need in zip(told, needs, strict=True):
        columns["turn_peak"][number] = max(columns["turn_peak"][number], np.nan_to_num(need))
    came = [(row[t], report) for t, report in facts.reports.items() if isinstance(report, RoundReport)]
    if came:
        _absorb_reports(columns, batch, came, facts.at_s)
    columns["watermark_s"] = np.maximum(columns["watermark_s"], facts.at_s)
    return History(columns)


def _begin(columns: NDArray[np.void], at_s: float) -> None:
    blank = columns["first_s"] == 0
    for name in ("first_s", "folded_s"):
        columns[name] = np.where(blank, at_s, columns[name])
    begin_month(columns, at_s)


def _absorb_capacity(
    columns: NDArray[np.void], batch: Batch[History], facts: Facts, row: Mapping[Target, int]
) -> None:
    """What is provisioned, and what it has cost since the watermark."""
    each_usd_s = column(batch.configured, lambda c: provisioned_usd_s(c.facts))
    book_provisioned(columns, each_usd_s, facts.at_s)
    for answers in (facts.capacity, facts.provisioned):
        for target, capacity in answers.items():
            if isinstance(capacity, Capacity):
                number = row[target]
                new = max(0, capacity.counted - int(columns["provisioned"][number]))
                columns["spent_usd"][number] += new * PROVISIONED_STEP_S * each_usd_s[number]
                columns["provisioned"][number] = capacity.counted
                columns["settling"][number] = capacity.status == "IN_PROGRESS"


def _absorb_reports(
    columns: NDArray[np.void], batch: Batch[History], came: Sequence[tuple[int, RoundReport]], at_s: float
) -> None:
    """What rounds cost and found; the need that they tell of ends now."""
    rows = np.array([number for number, _ in came], np.int64)
    for number, report in came:
        columns["spent_usd"][number] += spent_usd(batch.configured[number].facts, report)
        models.count(columns[number], report.sightings, max(at_s - columns["round_s"][number], 0.0))
        note_round(columns[number], report, at_s)
    wanted = columns["in_turn"] | unsure(columns)
    spans_s = np.array([departed_s(report, at_s) for _, report in came]) - columns["round_s"][rows]
    in_turn = np.array(
        [
            need_in_turn(report.sightings, span_s, float(columns["duration_s"][number]))
            if wanted[number]
            else np.inf
            for (number, report), span_s in zip(came, spans_s.tolist(), strict=True)
        ]
    )
    used = absorb_rounds(columns, rows, [seen(report, at_s) for _, report in came])
    learn_by_replies(columns, rows, used, in_turn, spans_s)
    believe(columns, rows, columns["turn_peak"][rows])
    fold_known(columns, rows, at_s, np.where(columns["in_turn"][rows], np.minimum(used, in_turn), used))
