"""The month's spending, booked as it happens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmer.policy.plans import Batch, Floats, Ints
from warmer.policy.replies import Tally
from warmer.policy.values import Prices


def begin_month(columns: NDArray[np.void], at_s: float) -> None:
    """Nothing is spent yet of a month that has just begun."""
    when = datetime.fromtimestamp(at_s, UTC)
    month = when.year * 12 + when.month
    columns["spent_usd"] = np.where(columns["month"] == month, columns["spent_usd"], 0.0)
    columns["month"] = month


def book_provisioned(columns: NDArray[np.void], each_usd_s: Floats, at_s: float) -> None:
    """What was provisioned since the watermark, as far as this month goes; the step that each began with is booked."""
    when = datetime.fromtimestamp(at_s, UTC)
    month_s = datetime(when.year, when.month, 1, tzinfo=UTC).timestamp()
    known = columns["watermark_s"] > 0
    span_s = np.where(known, np.maximum(at_s - np.maximum(columns["watermark_s"], month_s), 0.0), 0.0)
    columns["spent_usd"] += columns["provisioned"] * span_s * each_usd_s


def spent_usd(batch: Batch[Any], rows: Ints, tally: Tally) -> Floats:
    """What rounds to targets `rows` cost, (rounds,): requests, time held, INIT of what they made."""
    request_usd = batch.column(lambda c: Prices.of(c.facts.architecture).request)[rows]
    run_usd_s = batch.column(lambda c: Prices.of(c.facts.architecture).on_demand_gb_s)[rows]
    memory_mb = batch.column(lambda c: c.facts.memory_mb)[rows]
    run_s = tally.sent * tally.held_s + tally.billed_init_s
    spent: Floats = tally.sent * request_usd + run_s * memory_mb / 1024 * run_usd_s
    return spent
