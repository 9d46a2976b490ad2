"""Waiting for what other processes do: a condition and a deadline, never a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

DEADLINE_S = 60.0
LOOK_S = 0.02


def until(condition: Callable[[], Any], limit_s: float = DEADLINE_S) -> Any:
    """The first truth that a condition gives; fails after a deadline."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"what was waited for did not come within {limit_s:g} s"
        time.sleep(LOOK_S)
    return found
