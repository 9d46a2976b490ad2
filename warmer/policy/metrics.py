"""CloudWatch's minutes, with our own rounds taken out of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warmer.policy.counting import WINDOW_S, fold
from warmer.policy.economics import busy_servers
from warmer.policy.routing import Minutes, believe, learn_by_peaks
from warmer.policy.values import Demand

LAST_MINUTES, FEWEST_MINUTES = 15, 10
"""What is provisioned follows the last minutes that were read; fewer say too little, and nothing is changed."""


def absorb_demand(columns: NDArray[np.void], demands: Sequence[tuple[int, Demand]]) -> None:
    """CloudWatch's minutes, (row, minutes) of each target that was read: first what they tell of routing, then need."""
    minutes = [(row, demand, Minutes.of(columns[row], demand)) for row, demand in demands]
    for row, _, one in minutes:
        learn_by_peaks(columns[row], one)
    most = [one.peaks.max(initial=0.0, where=~one.own) for _, _, one in minutes]
    believe(columns, np.array([row for row, _ in demands], np.int64), np.array(most))
    for row, demand, one in minutes:
        _count(columns, row, demand, one)


def _count(columns: NDArray[np.void], row: int, demand: Demand, minutes: Minutes) -> None:
    """Rate, load and duration; minutes are counted as need only where no round has told of the time already."""
    record, peaks, calls = columns[row], minutes.peaks, minutes.calls
    starts = minutes.first_s + minutes.period_s * np.arange(len(peaks))
    if len(peaks):
        if demand.duration_s > 0:
            record["duration_s"] = demand.duration_s
        last = calls[-LAST_MINUTES:]
        if len(last) >= FEWEST_MINUTES:
            record["busy"] = busy_servers(last / demand.period_s * demand.duration_s)
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
