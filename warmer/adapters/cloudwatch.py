"""Traffic as CloudWatch tells it: peak concurrency, invocations and duration of an alias, a value a minute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from warmer.policy.values import Demand, Failed, Target

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

PERIOD_S = 60
METRICS_A_CALL = 500
DATAPOINTS_A_CALL = 100_800
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""
KEPT_S = 15 * 86_400
"""One-minute values are kept 15 days: .../monitoring/cloudwatch_concepts.html#metrics-retention"""
METRICS = (("ConcurrentExecutions", "Maximum"), ("Invocations", "Sum"), ("Duration", "Average"))
CALLERS_FAULT = frozenset(
    [
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "Throttling",
        "ThrottlingException",
        "UnrecognizedClientException",
    ]
)
"""Errors of the whole call: asking again for fewer targets would meet them again."""


@dataclass(slots=True)
class _Series:
    """The answers to one target's queries: value by instant, for each metric."""

    values: tuple[dict[float, float], ...] = field(default_factory=lambda: tuple({} for _ in METRICS))
    status: list[str] = field(default_factory=lambda: ["Missing" for _ in METRICS])
    said: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CloudWatchDemand:
    """DemandSource over GetMetricData; costs $0.01 per 1,000 metrics asked for, whatever the number of calls."""

    client: CloudWatchClient
    delay_s: float = 120.0
    """How late the newest complete minute is."""
    extra_calls: int = 40
    """How many more calls one read may make to find out which targets of failed batches are to blame."""

    def read(self, since_s: Mapping[Target, float], now_s: float) -> Mapping[Target, Demand | Failed]:
        """Demand of each target from its instant to the newest complete minute, gaps filled with zeros."""
        end_s = (now_s - self.delay_s) // PERIOD_S * PERIOD_S
        by_start: dict[float, list[Target]] = defaultdict(list)
        for target, since in since_s.items():
            oldest = max(since, now_s - KEPT_S)
            by_start[min(oldest // PERIOD_S * PERIOD_S, end_s)].append(target)
        budget = _Budget(self.extra_calls)
        answers: dict[Target, Demand | Failed] = {}
        for start_s, targets in by_start.items():
            for batch in _batches(targets, int((end_s - start_s) / PERIOD_S)):
                answers |= self._read(batch, start_s, end_s, budget)
        return answers

    def _read(
        self, targets: Sequence[Target], start_s: float, end_s: float, budget: _Budget
    ) -> Mapping[Target, Demand | Failed]:
        """One batch; where the call fails, its halves, so that one bad target spoils nobody else's answer."""
        if start_s >= end_s:
            return {target: _demand(_Series(), start_s, end_s) for target in targets}
        try:
            return {
                target: _demand(series, start_s, end_s) if not (why := _fault(series)) else Failed(why)
                for target, series in self._ask(targets, start_s, end_s).items()
            }
        except (ClientError, BotoCoreError) as error:
            failed = Failed(f"GetMetricData: {error}")
            if len(targets) == 1 or _callers_fault(error) or not budget.spend(2):
                return dict.fromkeys(targets, failed)
            middle = len(targets) // 2
            return {
                **self._read(targets[:middle], start_s, end_s, budget),
                **self._read(targets[middle:], start_s, end_s, budget),
            }

    def _ask(self, targets: Sequence[Target], start_s: float, end_s: float) -> Mapping[Target, _Series]:
        found = {target: _Series() for target in targets}
        request: dict[str, Any] = {
            "MetricDataQueries": [q for row, target in enumerate(targets) for q in _queries(row, target)],
            "StartTime": datetime.fromtimestamp(start_s, UTC),
            "EndTime": datetime.fromtimestamp(end_s, UTC),
            "ScanBy": "TimestampAscending",
        }
        while True:
            page = self.client.get_metric_data(**request)
            for result in page["MetricDataResults"]:
                kind, row = result["Id"][1:].split("_")
                _take(found[targets[int(row)]], int(kind), result)
            if not (token := page.get("NextToken")):
                return found
            request["NextToken"] = token


@dataclass(slots=True)
class _Budget:
    left: int

    def spend(self, calls: int) -> bool:
        self.left -= calls
        return self.left >= 0


def _batches(targets: Sequence[Target], periods: int) -> Iterator[Sequence[Target]]:
    """As many targets a call as its limits on metrics and datapoints let in."""
    by_datapoints = DATAPOINTS_A_CALL // (len(METRICS) * max(1, periods))
    size = max(1, min(METRICS_A_CALL // len(METRICS), by_datapoints))
    for first in range(0, len(targets), size):
        yield targets[first : first + size]


def _queries(row: int, target: Target) -> Iterator[MetricDataQueryTypeDef]:
    for kind, (metric, statistic) in enumerate(METRICS):
        yield {
            "Id": f"m{kind}_{row}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": metric,
                    "Dimensions": [
                        {"Name": "FunctionName", "Value": target.function},
                        {"Name": "Resource", "Value": str(target)},
                    ],
                },
                "Period": PERIOD_S,
                "Stat": statistic,
            },
        }


def _take(series: _Series, kind: int, result: Any) -> None:
    """Add one page's result; the last page's status is the query's."""
    for at, value in zip(result.get("Timestamps", ()), result.get("Values", ()), strict=True):
        series.values[kind][at.timestamp()] = value
    series.status[kind] = result.get("StatusCode", "Complete")
    series.said += [message.get("Value", "") for message in result.get("Messages", ())]


def _fault(series: _Series) -> str:
    """Why the series cannot be trusted; empty where it can."""
    for (metric, _), status in zip(METRICS, series.status, strict=True):
        if status != "Complete":
            return f"GetMetricData answered {status} for {metric} {'; '.join(series.said)}".rstrip()
    return ""


def _demand(series: _Series, start_s: float, end_s: float) -> Demand:
    instants = [start_s + i * PERIOD_S for i in range(int((end_s - start_s) / PERIOD_S))]
    peaks, counts, means_ms = series.values
    total = sum(counts.get(at, 0.0) for at in instants)
    busy_ms = sum(counts.get(at, 0.0) * means_ms.get(at, 0.0) for at in instants)
    return Demand(
        start_s=start_s,
        period_s=float(PERIOD_S),
        peak_concurrency=tuple(round(peaks.get(at, 0.0)) for at in instants),
        invocations=tuple(round(counts.get(at, 0.0)) for at in instants),
        duration_s=busy_ms / total / 1000 if total else 0.0,
    )


def _callers_fault(error: ClientError | BotoCoreError) -> bool:
    return isinstance(error, BotoCoreError) or error.response["Error"].get("Code", "") in CALLERS_FAULT
