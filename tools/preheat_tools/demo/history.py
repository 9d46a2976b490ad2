"""What CloudWatch would have recorded of the hours before the slice, had every request been answered warm."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from typing import Any

from preheat_tools.demo.traffic import SEED

MINUTE_S = 60.0


def history_series(
    function: str, alias: str, counts: Sequence[int], service_s: float, until_s: float
) -> list[dict[str, Any]]:
    """Series for the local cloud's CloudWatch; the last of `counts` is the whole minute before `until_s`."""
    start_s = (until_s // MINUTE_S - len(counts)) * MINUTE_S
    peaks = peak_concurrency(counts, service_s)
    duration_ms = service_s * 1000
    series = []
    for dimensions in (
        {"FunctionName": function},
        {"FunctionName": function, "Resource": f"{function}:{alias}"},
    ):
        common = {
            "namespace": "AWS/Lambda",
            "dimensions": dimensions,
            "start_s": start_s,
            "period_s": MINUTE_S,
        }
        series += [
            common
            | {"name": "Invocations", "unit": "Count", "values": [float(n) if n else None for n in counts]},
            common
            | {
                "name": "ConcurrentExecutions",
                "unit": "Count",
                "values": [float(p) if p else None for p in peaks],
            },
            common
            | {
                "name": "Duration",
                "unit": "Milliseconds",
                "values": [duration_ms if n else None for n in counts],
                "counts": [float(n) for n in counts],
            },
        ]
    return series


def peak_concurrency(counts: Sequence[int], service_s: float) -> list[int]:
    """Most requests at once in each minute, requests uniform within theirs, each taking `service_s`."""
    draw = random.Random(SEED + 1)  # noqa: S311 - traffic, not a secret
    peaks: list[int] = []
    running: list[float] = []
    for minute, count in enumerate(counts):
        peak = 0
        for at_s in sorted(MINUTE_S * minute + draw.uniform(0, MINUTE_S) for _ in range(count)):
            while running and running[0] <= at_s:
                heapq.heappop(running)
            heapq.heappush(running, at_s + service_s)
            peak = max(peak, len(running))
        peaks.append(peak)
    return peaks
