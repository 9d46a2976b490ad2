"""The lines that Lambda itself writes into a function's log, and the way there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from preheat_tools.localcloud.stack import Expected, Stack

EXPECTS = (
    Expected("services.cloudwatch_logs:_log_groups"),
    Expected("services.cloudwatch_logs:_append_log_events", "e47cae7a15"),
    Expected("services.cloudwatch_logs:_create_log_group", "ce6fd1931a"),
    Expected("services.cloudwatch_logs:_fanout_to_subscription_filters", "cb898244bb"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an invocation took, as its REPORT line says it."""

    request: str
    duration_ms: float
    init_ms: float = 0.0
    """INIT that this invocation waited for; 0 where the environment was there."""
    init_billed: bool = True
    """INIT on demand is billed with the invocation since 2025-08-01; provisioned concurrency's is not in it."""
    memory_size_mb: int
    memory_used_mb: int
    status: str = ""

    @property
    def billed_ms(self) -> int:
        return math.ceil(self.duration_ms + (self.init_ms if self.init_billed else 0))

    def line(self) -> str:
        parts = [
            f"REPORT RequestId: {self.request}",
            f"Duration: {self.duration_ms:.2f} ms",
            f"Billed Duration: {self.billed_ms} ms",
            f"Memory Size: {self.memory_size_mb} MB",
            f"Max Memory Used: {self.memory_used_mb} MB",
        ]
        if self.init_ms:
            parts.append(f"Init Duration: {self.init_ms:.2f} ms")
        if self.status:
            parts.append(f"Status: {self.status}")
        return "\t".join(parts) + "\t"


@dataclass(frozen=True, slots=True)
class Logs:
    """Writes into ministack's CloudWatch Logs, and hands what is written to subscription filters."""

    stack: Stack
    now_s: Callable[[], float]
    scope: tuple[str, str]

    def write(self, group: str, stream: str, lines: Sequence[str]) -> None:
        """One event a line, at virtual time."""
        logs = self.stack.logs
        now_ms = int(self.now_s() * 1000)
        events = [{"timestamp": now_ms, "message": line, "ingestionTime": now_ms} for line in lines]
        with self.stack.responses.request_scope(*self.scope):
            if group not in logs._log_groups:
                logs._create_log_group({"logGroupName": group})
            streams = logs._log_groups[group]["streams"]
            if stream not in streams:
                streams[stream] = {
                    "events": [],
                    "uploadSequenceToken": "1",
                    "creationTime": now_ms,
                    "firstEventTimestamp": None,
                    "lastEventTimestamp": None,
                    "lastIngestionTime": None,
                }
            logs._append_log_events(streams[stream], events)
            logs._fanout_to_subscription_filters(group, stream, events)
