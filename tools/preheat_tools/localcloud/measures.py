"""What CloudWatch learns of invocations: automatic metrics, late as on AWS, and embedded ones from logs."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from preheat_tools.localcloud.settings import Current
from preheat_tools.localcloud.stack import Expected, Stack

EXPECTS = (
    Expected("services.cloudwatch:_metrics"),
    Expected("services.cloudwatch:_dims_key", "a304eb3ef9"),
    Expected("services.cloudwatch:_metric_bucket", "be62c5f154"),
    Expected("services.cloudwatch:_point_stats", "56fe58fc91"),
    Expected("services.cloudwatch:handle_request", "0e8a6c92a0"),
)

NAMESPACE = "AWS/Lambda"
MINUTE_S = 60.0
Dimensions = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """One value of one metric; `count` times where it stands for several."""

    namespace: str
    name: str
    value: float
    unit: str
    dimensions: Dimensions
    at_s: float
    count: float = 1.0


@dataclass(slots=True)
class Metrics:
    """Writes into ministack's CloudWatch; automatic datapoints wait until CloudWatch would show them."""

    stack: Stack
    settings: Current
    now_s: Callable[[], float]
    scope: tuple[str, str]
    """Account and region."""
    _waiting: list[Datum] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def automatic(self, name: str, value: float, unit: str, dimensions: Iterable[Dimensions]) -> None:
        """A datapoint of AWS/Lambda, once for each set of dimensions, to be seen when its minute is due."""
        at_s = self.now_s()
        made = [
            Datum(namespace=NAMESPACE, name=name, value=value, unit=unit, dimensions=one, at_s=at_s)
            for one in dimensions
        ]
        with self._lock:
            self._waiting += made

    def store(self, data: Iterable[Datum]) -> None:
        """Write at once: history, and what a function embedded in its log."""
        cloudwatch = self.stack.cloudwatch
        with self._lock, self.stack.responses.request_scope(*self.scope):
            for one in data:
                key = (one.namespace, one.name, cloudwatch._dims_key(dict(one.dimensions)))
                cloudwatch._metric_bucket(key).append(
                    {
                        "Timestamp": one.at_s,
                        "Value": float(one.value),
                        "Count": float(one.count),
                        "Unit": one.unit,
                        "Dimensions": dict(one.dimensions),
                    }
                )

    def show_due(self) -> None:
        """Write what is due by now: whole minutes that ended `metric_delay_s` ago."""
        shown_until_s = math.floor((self.now_s() - self.settings.value.metric_delay_s) / MINUTE_S) * MINUTE_S
        with self._lock:
            due = [one for one in self._waiting if one.at_s < shown_until_s]
            self._waiting = [one for one in self._waiting if one.at_s >= shown_until_s]
        self.store(due)


def dimensions_of(function: str, qualifier: str | None, version: str) -> list[Dimensions]:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html: function, resource, version."""
    sets: list[Dimensions] = [{"FunctionName": function}]
    if qualifier:
        resource = f"{function}:{qualifier}"
        sets.append({"FunctionName": function, "Resource": resource})
        if qualifier != version:
            sets.append({"FunctionName": function, "Resource": resource, "ExecutedVersion": version})
    return sets


def embedded(lines: Sequence[str], now_s: float) -> Iterator[Datum]:
    """The metrics that log lines carry in CloudWatch's embedded metric format; other lines carry none.

    The line's own timestamp is of the wall clock; these are stamped with virtual time.
    """
    for line in lines:
        if '"_aws"' in line:
            yield from _embedded_in(line, now_s)


def _embedded_in(line: str, now_s: float) -> Iterator[Datum]:
    try:
        document = json.loads(line)
        directives = document["_aws"]["CloudWatchMetrics"]
        found = [
            (directive["Namespace"], metric, names)
            for directive in directives
            for metric in directive["Metrics"]
            for names in directive.get("Dimensions") or [[]]
        ]
        for namespace, metric, names in found:
            given: Any = document[metric["Name"]]
            for value in given if isinstance(given, list) else [given]:
                yield Datum(
                    namespace=namespace,
                    name=metric["Name"],
                    value=float(value),
                    unit=metric.get("Unit", "None"),
                    dimensions={name: str(document[name]) for name in names},
                    at_s=now_s,
                )
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # CloudWatch, too, keeps such a line as a log event and makes no metric of it
