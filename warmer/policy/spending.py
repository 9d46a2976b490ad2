"""The month's spending, booked as it happens."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from warmer.policy.plans import Floats
from warmer.policy.values import FunctionFacts, Prices, RoundReport


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


def spent_usd(function: FunctionFacts, report: RoundReport) -> float:
    """What a round cost: requests, time held, INIT of what it made."""
    prices = Prices.of(function.architecture)
    made_s = sum(sighting.init_s for sighting in report.sightings if sighting.cold)
    run_s = report.sent * report.held_s + made_s
    return report.sent * prices.request + run_s * function.memory_mb / 1024 * prices.on_demand_gb_s
