"""Lines of a CloudWatch log group, and what Lambda's own REPORT lines say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

COLD = '?"Init Duration" ?initDurationMs ?"Restore Duration" ?restoreDurationMs'
"""FilterLogEvents' pattern for REPORT lines of environments that began, as text or as JSON."""
MOST = 500
"""Lines of one kind that are read: enough for a mean."""
PAGES = 200
"""FilterLogEvents may answer many pages with nothing on them."""


class LogError(ValueError):
    """A log group that could not be read; the text names it and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One invocation, as Lambda reports it; times in ms."""

    memory_mb: int
    duration_ms: float
    init_ms: float | None = None
    restore_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A round of the warmer's, as its log line tells it: no customer's traffic."""

    at_s: float
    pings: int
    hold_s: float


def messages(logs: Any, group: str, since_s: float, pattern: str, most: int | None = None) -> Iterator[str]:
    """Lines of the group since then, at most so many; raises LogError."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern=pattern, startTime=int(since_s * 1000)
    )
    some = islice(pages, PAGES if most else None)
    try:
        yield from islice((event["message"] for page in some for event in page["events"]), most)
    except (ClientError, BotoCoreError) as error:
        raise LogError(f"the log group {group} could not be read: {error}") from error


def of_size(memory_mb: int) -> str:
    """The pattern for REPORT lines of functions with so much memory, in the text format."""
    return f'"Memory Size: {memory_mb} MB"'


def report(message: str) -> Report | None:
    """A REPORT line, as text or as JSON; None for any other line."""
    if message.startswith("REPORT "):
        return _of_text(message)
    start = message.find("{")
    if start < 0 or "platform.report" not in message:
        return None
    try:
        metrics = json.loads(message[start:])["record"]["metrics"]
        return Report(
            memory_mb=int(metrics["memorySizeMB"]),
            duration_ms=float(metrics["durationMs"]),
            init_ms=metrics.get("initDurationMs"),
            restore_ms=metrics.get("restoreDurationMs"),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _of_text(message: str) -> Report | None:
    fields: Mapping[str, str] = dict(re.findall(r"\t([A-Za-z ]+): ([0-9.]+) (?:ms|MB)", message))
    if not {"Memory Size", "Duration"} <= fields.keys():
        return None
    return Report(
        memory_mb=int(fields["Memory Size"]),
        duration_ms=float(fields["Duration"]),
        init_ms=float(fields["Init Duration"]) if "Init Duration" in fields else None,
        restore_ms=float(fields["Restore Duration"]) if "Restore Duration" in fields else None,
    )
