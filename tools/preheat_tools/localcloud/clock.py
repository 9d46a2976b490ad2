"""Virtual time: the one number by which schedules, idle lifetimes and metric timestamps are compressed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Clock:
    """Runs `compression` times as fast as the wall clock, from the instant it was made."""

    started_s: float
    compression: float = 1.0

    def now_s(self) -> float:
        """Virtual Unix time."""
        return self.started_s + (time.time() - self.started_s) * self.compression


class CompressedTime:
    """Stands in for the `time` module where a service reads the clock; what it sleeps stays real."""

    def __init__(self, clock: Clock) -> None:
        self.time = clock.now_s

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)
