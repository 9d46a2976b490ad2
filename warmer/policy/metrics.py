"""CloudWatch's minutes, with our own rounds taken out of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warmer.policy.counting import WINDOW_S, fold
from warmer.policy.plans import Floats
from warmer.policy.values import Demand

QUIET_MINUTES = 15


def _own(record: np.void, demand: Demand) -> tuple[Floats, Floats]:
    """Our own rounds in each of the demand's periods: the most environments at once, and pings."""
    periods = len(demand.invocations)
    peaks, calls = np.zeros(periods), np.zeros(periods)
    at = np.floor((record["rounds_s"] - demand.start_s) / demand.period_s).astype(np.int64)
    within = (at >= 0) & (at < periods)
    np.maximum.at(peaks, at[within], record["rounds_found"][within])
    np.add.at(calls, at[within], record["rounds_sent"][within])
    return peaks, calls


def absorb_demand(columns: NDArray[np.void], row: int, demand: Demand) -> None:
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
