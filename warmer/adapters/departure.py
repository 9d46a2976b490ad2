"""When a cycle's rounds go out: not while timers fire."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from warmer.policy.preheat import departure_wait_s
from warmer.policy.values import Failed, Round, RoundReport, Target
from warmer.ports import Pinger

SAME_CLOCK_S = 60.0
"""The schedule names whole minutes and delivers within one (EventBridge Scheduler's precision)."""


@dataclass(frozen=True, slots=True)
class PunctualPinger:
    """Waits out second 0 by the machine's clock: the instant that the schedule names always is one.

    An event of another time than the clock's (one that is played again, or a cloud whose time is compressed) says
    nothing of when customers' timers fire, and is waited for not at all.
    """

    pinger: Pinger
    cycle_s: float
    """The cycle's instant, Unix s."""
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        """As the port says; when a round went out is told where the machine's clock is the cycles' too."""
        now_s = self.clock()
        same_clock = 0 <= now_s - self.cycle_s < SAME_CLOCK_S
        if same_clock:
            self.sleep(departure_wait_s(now_s))
        reports = self.pinger.send(rounds)
        return reports if same_clock else {target: _undated(report) for target, report in reports.items()}


def _undated(report: RoundReport | Failed) -> RoundReport | Failed:
    return replace(report, departed_s=0.0) if isinstance(report, RoundReport) else report
