"""The fold: history with new facts in it. Facts not after the watermark change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from warmer.policy import models
from warmer.policy.counting import fold_known, need_of_cold_starts
from warmer.policy.economics import PROVISIONED_STEP_S, provisioned_usd_s
from warmer.policy.expectation import Uses
from warmer.policy.history import History
from warmer.policy.metrics import absorb_demand
from warmer.policy.plans import Batch
from warmer.policy.renewal import learn_ages
from warmer.policy.replies import Tally, tally_of
from warmer.policy.rounds import absorb_rounds, note_rounds
from warmer.policy.routing import believe, learn_by_replies, need_in_turn, unsure
from warmer.policy.spending import begin_month, book_provisioned, spent_usd
from warmer.policy.values import Capacity, Demand, Facts, Failed, RoundReport, Sighting


def absorb(batch: Batch[History], facts: Facts) -> History:
    """The batch's history with what a cycle read (demand, capacity, announcements) or did (rounds, requests) in it."""
    return absorb_into(replace(batch, history=History(batch.history.columns.copy())), facts)


def absorb_into(batch: Batch[History], facts: Facts) -> History:
    """`absorb`, written over the batch's own history, for one who alone has it: a row is 14 KB."""
    columns = batch.history.columns
    _begin(columns, facts.at_s)
    _absorb_capacity(columns, batch, facts)
    read = {t: demand for t, demand in facts.demand.items() if isinstance(demand, Demand)}
    absorb_demand(columns, list(zip(batch.rows(read).tolist(), read.values(), strict=True)))
    told = {t: times for t, times in facts.announced.items() if times and not isinstance(times, Failed)}
    rows = batch.rows(told)
    needs = [need_of_cold_starts(columns[row], times) for row, times in zip(rows, told.values(), strict=True)]
    uses = Uses.of_cold_starts(list(told.values()), facts.at_s, columns["reached"][rows])
    fold_known(columns, rows, facts.at_s, needs, uses)
    columns["turn_peak"][rows] = np.maximum(columns["turn_peak"][rows], np.nan_to_num(needs))
    if facts.reports:
        _absorb_reports(columns, batch, facts)
    columns["watermark_s"] = np.maximum(columns["watermark_s"], facts.at_s)
    return batch.history


def _begin(columns: NDArray[np.void], at_s: float) -> None:
    blank = columns["first_s"] == 0
    for name in ("first_s", "folded_s"):
        columns[name] = np.where(blank, at_s, columns[name])
    begin_month(columns, at_s)


def _absorb_capacity(columns: NDArray[np.void], batch: Batch[History], facts: Facts) -> None:
    """What is provisioned, and what it has cost since the watermark."""
    each_usd_s = batch.column(lambda c: provisioned_usd_s(c.facts))
    book_provisioned(columns, each_usd_s, facts.at_s)
    for answers in (facts.capacity, facts.provisioned):
        known = {t: capacity for t, capacity in answers.items() if isinstance(capacity, Capacity)}
        for row, capacity in zip(batch.rows(known).tolist(), known.values(), strict=True):
            new = max(0, capacity.counted - int(columns["provisioned"][row]))
            columns["spent_usd"][row] += new * PROVISIONED_STEP_S * each_usd_s[row]
            columns["provisioned"][row] = capacity.counted
            columns["settling"][row] = capacity.status == "IN_PROGRESS"


def _absorb_reports(columns: NDArray[np.void], batch: Batch[History], facts: Facts) -> None:
    """What rounds cost and found; the need that they tell of ends now."""
    tally = tally_of(facts.reports)
    rows = batch.rows(tally.targets)
    # a round whose departure nobody knows went out at its cycle's instant
    departed_s = np.where(tally.departed_s != 0, tally.departed_s, facts.at_s)
    columns["spent_usd"][rows] += spent_usd(batch, rows, tally)
    for number in tally.of_models:
        since_s = max(facts.at_s - columns["round_s"][rows[number]], 0.0)
        models.count(columns[rows[number]], _sightings(facts, tally, number), since_s)
    note_rounds(columns, rows, tally, departed_s)
    spans_s = departed_s - columns["round_s"][rows]
    in_turn = np.full(len(rows), np.inf)
    for number in (columns["in_turn"] | unsure(columns))[rows].nonzero()[0].tolist():
        duration_s = float(columns["duration_s"][rows[number]])
        in_turn[number] = need_in_turn(_sightings(facts, tally, number), float(spans_s[number]), duration_s)
    learn_ages(columns, rows, tally, departed_s)
    used = absorb_rounds(columns, rows, tally, departed_s)
    learn_by_replies(columns, rows, used, in_turn, spans_s)
    believe(columns, rows, columns["turn_peak"][rows])
    needs = np.where(columns["in_turn"][rows], np.minimum(used, in_turn), used)
    fold_known(columns, rows, facts.at_s, needs, Uses.of_rounds(tally))
    columns["reached"][rows] = tally.own


def _sightings(facts: Facts, tally: Tally, number: int) -> Sequence[Sighting]:
    report = facts.reports[tally.targets[number]]
    return report.sightings if isinstance(report, RoundReport) else ()
