"""Alarms by dimension, with DatapointsToAlarm and TreatMissingData, and Lambda functions as their actions."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Sequence
from typing import Any

from preheat_tools.localcloud.clock import Clock
from preheat_tools.localcloud.stack import Expected, Stack

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
)

_COMPARE = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def install(stack: Stack, clock: Clock) -> None:
    """Replace ministack's evaluation, which mixes all dimensions of a metric."""
    cloudwatch = stack.cloudwatch

    def evaluate(alarm: dict[str, Any]) -> None:
        if not alarm.get("MetricName"):
            return  # composite and metric-math alarms are ministack's own
        state, reason = _state(stack, alarm, clock.now_s())
        old = alarm["StateValue"]
        if state in ("", old):
            return
        alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(clock.now_s()))
        cloudwatch._record_history(alarm["AlarmName"], old, state, reason)
        cloudwatch._dispatch_alarm_actions(alarm, old, state, reason)
        cloudwatch._evaluate_parent_alarms(alarm)
        _invoke_functions(stack, alarm, state, reason)

    cloudwatch._evaluate_alarm = evaluate


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


def _state(stack: Stack, alarm: dict[str, Any], now_s: float) -> tuple[str, str]:
    cloudwatch = stack.cloudwatch
    period, count = alarm.get("Period", 60), alarm.get("EvaluationPeriods", 1)
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
    points = cloudwatch._metrics.get((alarm["Namespace"], alarm["MetricName"], dimensions)) or []
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    compare = _COMPARE[alarm["ComparisonOperator"]]
    # CloudWatch looks back past periods whose data is still on its way: the newest with data leads.
    newest_s = max((point["Timestamp"] for point in points), default=now_s)
    lead_s = newest_s if now_s - newest_s < (count + 3) * period else now_s
    end_s = (math.floor(lead_s / period) + 1) * period
    breaching: list[bool | None] = []
    for back in range(count):
        upto_s = end_s - back * period
        bucket = [point for point in points if upto_s - period <= point["Timestamp"] < upto_s]
        value = cloudwatch._stat_value(cloudwatch._calc_stats(bucket), statistic, bucket) if bucket else None
        breaching.append(None if value is None else bool(compare(value, alarm["Threshold"])))
    needed = alarm.get("DatapointsToAlarm") or count
    state = state_of(breaching, needed, alarm.get("TreatMissingData", "missing"))
    shown = f"{breaching.count(True)} of the last {count} datapoints"
    return (
        state,
        f"Threshold Crossed: {shown} ({statistic} {alarm['ComparisonOperator']} {alarm['Threshold']})",
    )


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
