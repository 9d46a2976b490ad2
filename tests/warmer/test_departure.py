"""Rounds keep off the seconds in which timers fire, by the clock and not by the instant that the schedule names."""

from __future__ import annotations

import pytest

from tests.warmer.test_pings import A
from warmer.adapters.departure import PunctualPinger
from warmer.fakes import EchoPinger
from warmer.policy.values import Round

MINUTE_S = 1_700_000_040.0  # a whole minute, as schedules name them


@pytest.mark.parametrize(
    ("cycle_s", "clock_s", "waits_s"),
    [
        pytest.param(MINUTE_S, MINUTE_S + 0.4, 2.6, id="delivered-at-once"),
        pytest.param(MINUTE_S, MINUTE_S + 20, 0.0, id="delivered-between-timers"),
        pytest.param(MINUTE_S, MINUTE_S + 58, 5.0, id="delivered-just-before-the-next-minute"),
        pytest.param(MINUTE_S, MINUTE_S + 86_400, 0.0, id="an-event-of-another-day"),
        pytest.param(MINUTE_S, MINUTE_S - 1, 0.0, id="an-event-of-the-future"),
    ],
)
def test_a_round_waits_for_the_timers_of_the_machine_s_own_minute(
    cycle_s: float, clock_s: float, waits_s: float
) -> None:
    slept: list[float] = []
    pinger = PunctualPinger(EchoPinger(), cycle_s, clock=lambda: clock_s, sleep=slept.append)
    assert pinger.send([Round(target=A, environments=2, hold_s=0.0)])[A]
    assert sum(slept) == pytest.approx(waits_s)
