"""EventBridge schedules that fire when they are due, in virtual time, and say when they were meant to."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from preheat_tools.localcloud.clock import Clock, CompressedTime
from preheat_tools.localcloud.stack import Expected, Stack

EXPECTS = (
    Expected("services.scheduler:time"),
    Expected("services.scheduler:_schedules"),
    Expected("services.scheduler:_schedule_last_fired"),
    Expected("services.scheduler:_SCHEDULE_TICK_INTERVAL"),
    Expected("services.scheduler:_tick_schedules", "0ece514e91"),
    Expected("services.scheduler:_ticker_loop", "51e1b13340"),
    Expected("services.eventbridge:time"),
    Expected("services.eventbridge:_SCHEDULER_TICK_INTERVAL"),
    Expected("services.eventbridge:_scheduler_loop", "7795e8e084"),
    Expected("services.eventbridge:_invoke_target", "550e304af0"),
    Expected("services.eventbridge:_parse_rate_seconds", "0184f31e96"),
)

TICK_S = 0.1
"""Real seconds between looks at the schedules."""


def install(stack: Stack, clock: Clock) -> None:
    """Both kinds of schedule on virtual time; Scheduler's context attributes filled in."""
    scheduler, bridge = stack.scheduler, stack.eventbridge
    scheduler.time = bridge.time = CompressedTime(clock)
    scheduler._SCHEDULE_TICK_INTERVAL = bridge._SCHEDULER_TICK_INTERVAL = TICK_S
    deliver = bridge._invoke_target

    def invoke_target(target: dict[str, Any], event: dict[str, Any], rule: Any, view: Any = None) -> Any:
        if event.get("Source") == "aws.scheduler" and isinstance(target.get("Input"), str):
            due_s = _due_s(stack, rule, event)
            target = {**target, "Input": filled(target["Input"], str(rule.get("Arn", "")), due_s)}
        return deliver(target, event, rule, view)

    bridge._invoke_target = invoke_target


def filled(text: str, schedule_arn: str, due_s: float) -> str:
    """An Input with its context attributes replaced
    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html)."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(due_s))
    attributes = {
        "<aws.scheduler.schedule-arn>": schedule_arn,
        "<aws.scheduler.scheduled-time>": when,
        "<aws.scheduler.execution-id>": str(uuid.uuid4()),
        "<aws.scheduler.attempt-number>": "1",
    }
    for name, value in attributes.items():
        text = text.replace(name, json.dumps(value)[1:-1])
    return text


def _due_s(stack: Stack, schedule: dict[str, Any], event: dict[str, Any]) -> float:
    """When a rate was meant to fire: a whole number of intervals after it was made, so that ticks do not drift."""
    now_s = float(event["Time"])
    interval_s = stack.eventbridge._parse_rate_seconds(schedule.get("ScheduleExpression", ""))
    if not interval_s:
        return now_s
    made_s = float(schedule["CreationDate"])
    due_s: float = made_s + (now_s - made_s) // interval_s * interval_s
    key = (event["Account"], event["Region"], f"{schedule['GroupName']}/{schedule['Name']}")
    stack.scheduler._schedule_last_fired[key] = due_s
    return due_s
