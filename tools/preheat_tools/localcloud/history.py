"""A function's past, put into the local CloudWatch as if it had been served there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from preheat_tools.localcloud.measures import MINUTE_S, NAMESPACE, Dimensions
from preheat_tools.localcloud.process import LocalCloud


def load_history(
    cloud: LocalCloud,
    function: str,
    alias: str,
    *,
    start_s: float,
    peak_concurrency: Sequence[float],
    invocations: Sequence[float],
    duration_ms: Sequence[float],
    period_s: float = MINUTE_S,
) -> int:
    """Write equally long columns, a value a period from `start_s` (virtual); the number of datapoints.

    A period without invocations leaves no datapoint, as on AWS. `duration_ms` is the mean of its invocations.
    """
    if not len(peak_concurrency) == len(invocations) == len(duration_ms):
        raise ValueError(
            "peak_concurrency, invocations and duration_ms must be equally long, were: "
            f"{len(peak_concurrency)}, {len(invocations)}, {len(duration_ms)}"
        )
    served = [1.0 if count else 0.0 for count in invocations]
    columns = (
        ("ConcurrentExecutions", "Count", peak_concurrency, served),
        ("Invocations", "Count", invocations, served),
        ("Errors", "Count", [0.0] * len(invocations), served),
        ("Duration", "Milliseconds", duration_ms, invocations),
    )
    dimensions: tuple[Dimensions, ...] = (
        {"FunctionName": function},
        {"FunctionName": function, "Resource": f"{function}:{alias}"},
    )
    series: list[dict[str, Any]] = [
        {
            "namespace": NAMESPACE,
            "name": name,
            "unit": unit,
            "dimensions": one,
            "start_s": start_s,
            "period_s": period_s,
            "values": list(values),
            "counts": list(counts),
        }
        for name, unit, values, counts in columns
        for one in dimensions
    ]
    return cloud.load(series)
