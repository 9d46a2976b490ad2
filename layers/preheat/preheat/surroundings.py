"""The one door of the runtime to what is around it: variables, clocks, the log, the process itself."""

from __future__ import annotations

import os
import sys
import time

from preheat.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    class Surroundings(Protocol):
        """What the runtime needs beside its models; tests bring their own."""

        settings: Settings

        def clock(self) -> Clock: ...

        def say(self, line: str) -> None:
            """One line to the log."""

        def leave(self, reason: str) -> None:
            """End the process, so that Lambda makes another."""

    class Clock(Protocol):
        """Time, in seconds."""

        def wall_s(self) -> float: ...

        def steady_s(self) -> float:
            """Since the process began."""

        def sleep(self, duration_s: float) -> None: ...


class ProcessClock:
    """The machine's own time."""

    def __init__(self) -> None:
        self._zero_s = time.monotonic() - _process_age_s()

    def wall_s(self) -> float:
        return time.time()

    def steady_s(self) -> float:
        return time.monotonic() - self._zero_s

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)


class Process:
    """This process, as Lambda started it."""

    def __init__(self) -> None:
        self.settings = Settings.of(os.environ)
        self._clock = ProcessClock()

    def clock(self) -> ProcessClock:
        return self._clock

    def say(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def leave(self, reason: str) -> None:
        sys.stderr.write(f"preheat: this environment leaves: {reason}\n")
        sys.stderr.flush()
        os._exit(1)


def variables() -> Mapping[str, str]:
    """The environment's variables: credentials and region among them."""
    return os.environ


def new_id() -> str:
    """Random; `uuid` and `secrets` would cost 5 ms of imports."""
    return os.urandom(8).hex()


def _process_age_s() -> float:
    """Time since the kernel started this process; 0 where /proc does not say (proc(5), field 22 of stat)."""
    try:
        with open("/proc/self/stat", "rb") as file:
            begun_ticks = int(file.read().rsplit(b")", 1)[1].split()[19])
        return max(time.clock_gettime(time.CLOCK_BOOTTIME) - begun_ticks / os.sysconf("SC_CLK_TCK"), 0.0)
    except (OSError, AttributeError, IndexError, ValueError):
        return 0.0
