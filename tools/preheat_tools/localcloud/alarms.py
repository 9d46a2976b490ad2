"""Alarms by dimension and metric math, with DatapointsToAlarm and TreatMissingData, and Lambda functions as actions."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from preheat_tools.localcloud.clock import Clock
from preheat_tools.localcloud.stack import Expected, Stack
from preheat_tools.metric_math import Points, evaluate

EXPECTS = (
    Expected("services.cloudwatch:_evaluate_alarm", "a0b0acd3d4"),
    Expected("services.cloudwatch:_evaluate_all_alarms", "f83f88e57f"),
    Expected("services.cloudwatch:_calc_stats", "889e1bfc89"),
    Expected("services.cloudwatch:_stat_value", "cfaad95982"),
    Expected("services.cloudwatch:_record_history", "c5890b06e5"),
    Expected("services.cloudwatch:_dispatch_alarm_actions", "fcf47c0d1e"),
    Expected("services.cloudwatch:_evaluate_parent_alarms", "24a65a9e43"),
    Expected("services.cloudwatch:_dims_from_list", "ebc530b8a5"),
    Expected("services.lambda_svc:invoke_async_with_retry", "289fe4d3cb"),
    Expected("services.cloudformation.provisioners:_cw_metric_alarm_record", "4565fcede1"),
)

_COMPARE = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def install(stack: Stack, clock: Clock) -> None:
    """Replace ministack's evaluation, which mixes all dimensions of a metric; let templates have metric math."""
    cloudwatch = stack.cloudwatch
    plain_record = stack.provisioners._cw_metric_alarm_record

    def record(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        if not (metrics := properties.get("Metrics")):
            return dict(plain_record(name, properties))
        named = {**properties, "Metrics": None, "Namespace": "by metrics", "MetricName": "by metrics"}
        of_one = dict.fromkeys(("Namespace", "MetricName", "Statistic", "Period", "Dimensions"))
        return {**plain_record(name, named), **of_one, "Metrics": metrics}

    def look_at(alarm: dict[str, Any]) -> None:
        if not (alarm.get("MetricName") or alarm.get("Metrics")):
            return  # a composite alarm is ministack's own
        state, reason = _state(stack, alarm, clock.now_s())
        old = alarm["StateValue"]
        if state in ("", old):
            return
        alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(clock.now_s()))
        cloudwatch._record_history(alarm["AlarmName"], old, state, reason)
        cloudwatch._dispatch_alarm_actions(alarm, old, state, reason)
        cloudwatch._evaluate_parent_alarms(alarm)
        _invoke_functions(stack, alarm, state, reason)

    cloudwatch._evaluate_alarm = look_at
    stack.provisioners._cw_metric_alarm_record = record


def state_of(breaching: Sequence[bool | None], needed: int, missing: str) -> str:
    """The state that periods call for, None being one without data; empty: it stays as it is.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarms-and-missing-data
    """
    known = [one for one in breaching if one is not None]
    if missing == "ignore" and not known:
        return ""
    fill = {"breaching": True, "notBreaching": False}.get(missing)
    seen = known if fill is None else [fill if one is None else one for one in breaching]
    if not seen:
        return "INSUFFICIENT_DATA"
    return "ALARM" if seen.count(True) >= needed else "OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """What an alarm watches: an expression over metrics, by id; of one metric, its id alone."""

    period_s: int
    expression: str
    metrics: Mapping[str, Mapping[str, Any]]
    """Each as `MetricStat` of a MetricDataQuery has it."""

    @staticmethod
    def of(alarm: Mapping[str, Any]) -> _Watched:
        if queries := alarm.get("Metrics"):
            stats = {one["Id"]: one["MetricStat"] for one in queries if "MetricStat" in one}
            # the one that is returned, which is so unless it is said not to be
            (watched,) = [one for one in queries if str(one.get("ReturnData", True)).lower() != "false"]
            period_s = next(int(one["Period"]) for one in stats.values())
            return _Watched(
                period_s=period_s, expression=watched.get("Expression", watched["Id"]), metrics=stats
            )
        metric = {key: alarm.get(key) for key in ("Namespace", "MetricName", "Dimensions")}
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        return _Watched(
            period_s=int(alarm.get("Period", 60)),
            expression="metric",
            metrics={"metric": {"Metric": metric, "Stat": statistic}},
        )


def _state(stack: Stack, alarm: dict[str, Any], now_s: float) -> tuple[str, str]:
    watched, count = _Watched.of(alarm), int(alarm.get("EvaluationPeriods", 1))
    period_s, compare = watched.period_s, _COMPARE[alarm["ComparisonOperator"]]
    points = {name: _points(stack, stat["Metric"]) for name, stat in watched.metrics.items()}
    # CloudWatch looks back past periods whose data is still on its way: the newest with data leads.
    newest_s = max((point["Timestamp"] for ones in points.values() for point in ones), default=now_s)
    lead_s = newest_s if now_s - newest_s < (count + 3) * period_s else now_s
    end_s = (math.floor(lead_s / period_s) + 1) * period_s
    starts = [float(end_s - (back + 1) * period_s) for back in range(count)]
    series = {
        name: dict(_by_period(stack, points[name], stat["Stat"], starts, period_s))
        for name, stat in watched.metrics.items()
    }
    values: Points = evaluate(watched.expression, series, period_s=period_s, until_s=end_s)
    breaching = [bool(compare(values[at], alarm["Threshold"])) if at in values else None for at in starts]
    needed = alarm.get("DatapointsToAlarm") or count
    state = state_of(breaching, needed, alarm.get("TreatMissingData", "missing"))
    shown = f"{breaching.count(True)} of the last {count} datapoints"
    what = f"{watched.expression} {alarm['ComparisonOperator']} {alarm['Threshold']}"
    return state, f"Threshold Crossed: {shown} ({what})"


def _points(stack: Stack, metric: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    cloudwatch = stack.cloudwatch
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(metric.get("Dimensions") or []))
    return cloudwatch._metrics.get((metric["Namespace"], metric["MetricName"], dimensions)) or []


def _by_period(
    stack: Stack,
    points: Sequence[Mapping[str, Any]],
    statistic: str,
    starts: Sequence[float],
    period_s: int,
) -> Iterator[tuple[float, float]]:
    """A statistic of each period that has data, by its start."""
    cloudwatch = stack.cloudwatch
    for start_s in starts:
        bucket = [point for point in points if start_s <= point["Timestamp"] < start_s + period_s]
        if bucket:
            value = cloudwatch._stat_value(cloudwatch._calc_stats(bucket), statistic, bucket)
            if value is not None:
                yield start_s, float(value)


def _invoke_functions(stack: Stack, alarm: dict[str, Any], state: str, reason: str) -> None:
    service = stack.lambda_svc
    for arn in alarm.get(_ACTIONS[state]) or []:
        if ":lambda:" not in arn:
            continue
        record, config, _ = service._get_func_record_for_ref(arn)
        event = {
            "source": "aws.cloudwatch",
            "alarmArn": alarm["AlarmArn"],
            "accountId": stack.responses.get_account_id(),
            "time": time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime(alarm["StateUpdatedTimestamp"])),
            "region": stack.responses.get_region(),
            "alarmData": {"alarmName": alarm["AlarmName"], "state": {"value": state, "reason": reason}},
        }
        if record:
            service.invoke_async_with_retry(service._execution_record_for_config(record, config), event)
