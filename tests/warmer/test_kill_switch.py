"""A target whose warm-ups fail is left in peace, longer and longer, and tried with one ping."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from warmer.fakes import EchoPinger
from warmer.kill_switch import FIRST_PAUSE_S, LONGEST_PAUSE_S, GuardedPinger, Strikes, after
from warmer.policy.values import Failed, Round, RoundReport, Sighting, Target

A, B = Target("a", "live"), Target("b", "live")
BAD = Failed("boom")


def seen(count: int) -> tuple[Sighting, ...]:
    sighting = Sighting(
        environment="e", cold=False, provisioned=False, age_s=1, idle_s=1, requests=0, init_s=1
    )
    return (sighting,) * count


@pytest.mark.parametrize(
    ("strikes", "report", "becomes"),
    [
        pytest.param(Strikes(), BAD, Strikes(failures=1), id="once"),
        pytest.param(
            Strikes(failures=2), BAD, Strikes(failures=3, paused_until_s=100 + FIRST_PAUSE_S), id="third"
        ),
        pytest.param(
            Strikes(failures=3), BAD, Strikes(failures=4, paused_until_s=100 + 2 * FIRST_PAUSE_S), id="longer"
        ),
        pytest.param(
            Strikes(failures=30),
            BAD,
            Strikes(failures=31, paused_until_s=100 + LONGEST_PAUSE_S),
            id="longest",
        ),
        pytest.param(
            Strikes(failures=9),
            RoundReport(sightings=seen(1), sent=1),
            Strikes(),
            id="a-good-round-clears-all",
        ),
        pytest.param(
            Strikes(failures=1),
            RoundReport(sightings=seen(2), sent=5, failed=3),
            Strikes(failures=2),
            id="most-pings-failed",
        ),
        pytest.param(
            Strikes(failures=1),
            RoundReport(sightings=(), sent=5, throttled=5),
            Strikes(),
            id="being-refused-is-not-the-functions-fault",
        ),
    ],
)
def test_strikes(strikes: Strikes, report: RoundReport | Failed, becomes: Strikes) -> None:
    assert after(strikes, report, now_s=100.0) == becomes


@dataclass
class Book:
    kept: dict[Target, Strikes] = field(default_factory=dict)

    def strikes(self, target: Target) -> Strikes:
        return self.kept.get(target, Strikes())

    def strike(self, target: Target, strikes: Strikes) -> None:
        self.kept[target] = strikes


def test_three_failed_rounds_stop_the_pings_of_that_target_alone() -> None:
    book, inner = Book(), EchoPinger(failures={A: BAD})
    rounds = [Round(target=t, environments=4, hold_s=0.01) for t in (A, B)]
    for cycle in range(3):
        GuardedPinger(inner, book, now_s=cycle * 60.0).send(rounds)
    inner.sent.clear()
    reports = GuardedPinger(inner, book, now_s=240.0).send(rounds)
    assert [one.target for one in inner.sent] == [B]
    assert isinstance(stopped := reports[A], Failed)
    assert "kill switch: 3 rounds failed in a row, none is sent for 780 s" in stopped.reason


def test_after_the_pause_one_ping_tries_and_a_good_answer_closes_the_switch() -> None:
    book = Book({A: Strikes(failures=3, paused_until_s=1000.0)})
    inner = EchoPinger()
    wanted = [Round(target=A, environments=4, hold_s=0.01)]
    GuardedPinger(inner, book, now_s=1000.0).send(wanted)
    GuardedPinger(inner, book, now_s=1300.0).send(wanted)
    assert [one.environments for one in inner.sent] == [1, 4]
