"""Rounds keep off the seconds in which timers fire, by the clock and not by the instant that the schedule names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.warmer.test_pings import A
from warmer.adapters.departure import PunctualPinger
from warmer.fakes import EchoPinger
from warmer.policy.values import Failed, Round, RoundReport, Target

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


@pytest.mark.parametrize(
    ("cycle_s", "departed_s"),
    [
        pytest.param(MINUTE_S, MINUTE_S + 20.5, id="the-schedules-own-minute"),
        pytest.param(MINUTE_S - 86_400, 0.0, id="an-event-of-another-day"),
    ],
)
def test_when_a_round_went_out_is_told_where_the_machines_clock_is_the_cycles(
    cycle_s: float, departed_s: float
) -> None:
    pinger = PunctualPinger(Departed(), cycle_s, clock=lambda: MINUTE_S + 20)
    report = pinger.send([Round(target=A, environments=2, hold_s=0.0)])[A]
    assert isinstance(report, RoundReport) and report.departed_s == departed_s


class Departed(EchoPinger):
    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        reports = EchoPinger.send(self, rounds)
        return {
            target: replace(report, departed_s=MINUTE_S + 20.5) if isinstance(report, RoundReport) else report
            for target, report in reports.items()
        }
