"""What plans expect is held against what came; what doing nothing would have left is found out afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from warmer.policy.absorb import absorb
from warmer.policy.expectation import scale
from warmer.policy.history import History
from warmer.policy.lifetime import gone_after
from warmer.policy.plans import Batch
from warmer.policy.preheat import Preheat
from warmer.policy.values import Configured, Facts, RoundReport, Sighting, Target, Terms

START_S = 1_700_000_000.0
A = Target("a", "live")


def lifetimes(trials: dict[int, float], deaths: dict[int, float]) -> list[float]:
    """Share gone by minute, where rounds awaited so many environments after so many minutes."""
    history = History.blank(1)
    for name, counts in (("trials", trials), ("deaths", deaths)):
        for minute, count in counts.items():
            history.columns[name][0, minute] = count
    share: list[float] = gone_after(history)[0].tolist()
    return share


def test_before_anything_is_known_a_lifetime_is_anywhere_between_the_shortest_and_the_longest_measured() -> (
    None
):
    gone = lifetimes({}, {})
    assert gone[5] == 0.0 and gone[60] == 1.0
    assert gone[10] == pytest.approx(np.log(10 / 5) / np.log(60 / 5))
    assert gone[30] == pytest.approx(np.log(30 / 5) / np.log(60 / 5))


@pytest.mark.parametrize(
    ("trials", "deaths", "minute", "least", "most"),
    [
        pytest.param({5: 500, 6: 50, 7: 50}, {7: 50}, 6, 0.0, 0.02, id="six-minutes-survived"),
        pytest.param({5: 500, 6: 50, 7: 50}, {7: 50}, 7, 0.98, 1.0, id="seven-are-too-many"),
        pytest.param({5: 500, 6: 50, 7: 50}, {7: 50}, 30, 0.99, 1.0, id="and-so-are-more"),
        pytest.param({5: 500, 10: 500, 14: 500}, {}, 14, 0.0, 0.01, id="fourteen-survived"),
        pytest.param({5: 500, 10: 500, 14: 500}, {}, 30, 0.4, 0.6, id="beyond-what-was-tried-nobody-knows"),
        pytest.param({5: 500, 6: 500}, {6: 50}, 6, 0.09, 0.11, id="a-tenth-of-them-a-minute"),
        pytest.param(
            {5: 500, 6: 500}, {6: 50}, 16, 0.6, 0.75, id="and-a-tenth-of-the-rest-each-minute-after"
        ),
    ],
)
def test_how_long_environments_live(
    trials: dict[int, float], deaths: dict[int, float], minute: int, least: float, most: float
) -> None:
    assert least <= lifetimes(trials, deaths)[minute] <= most


def called_every(
    minutes: int, *, hours: int = 6, lives_minutes: int = 6, announced: bool = False
) -> tuple[Batch[History], float]:
    """A target pinged every 5 minutes and called once in so many; it is known how long its environments live."""
    history = History.blank(1)
    history.columns["trials"][0, [5, lives_minutes, lives_minutes + 1]] = 500.0
    history.columns["deaths"][0, lives_minutes + 1] = 500.0
    batch = Batch([Configured(target=A)], history, START_S)
    batch = replace(batch, history=absorb(batch, Facts(at_s=START_S)))
    used_s = START_S
    for number in range(1, 12 * hours + 1):
        at_s = START_S + 300.0 * number
        came = (number * 5) % minutes < 5
        used_s = at_s - 100.0 if came else used_s
        if came and announced:
            batch = replace(batch, history=absorb(batch, Facts(at_s=at_s - 60, announced={A: (used_s,)})))
        one = Sighting(environment="1", cold=False, provisioned=False, age_s=9e3, idle_s=100.0 if came else 300.0,
                       requests=int(came), init_s=3.0)  # fmt: skip
        batch = replace(
            batch, history=absorb(batch, Facts(at_s=at_s, reports={A: RoundReport(sightings=(one,), sent=1)}))
        )
    return batch, START_S + 3600.0 * hours


@pytest.mark.parametrize(
    ("minutes", "lives_minutes", "cold_an_hour"),
    [
        pytest.param(5, 6, 0.0, id="every-5-minutes-traffic-keeps-it-warm"),
        pytest.param(20, 6, 3.0, id="every-20-minutes-each-would-have-been-cold"),
        pytest.param(20, 25, 0.0, id="but-not-where-environments-live-for-25"),
        pytest.param(60, 25, 1.0, id="every-hour"),
    ],
)
def test_what_doing_nothing_would_have_left(minutes: int, lives_minutes: int, cold_an_hour: float) -> None:
    batch, _ = called_every(minutes, lives_minutes=lives_minutes)
    faded = sum(0.5 ** (i / 24) for i in range(6))
    assert batch.history["without"][0] == pytest.approx(
        cold_an_hour * faded, abs=0.12 * cold_an_hour * faded + 1.2
    )


def test_plans_expect_what_came_where_the_cautious_forecast_expects_several_times_as_many() -> None:
    scaled, forecast = [], []
    for hours in range(24, 32):
        batch, now_s = called_every(240, hours=hours)
        plans = Preheat().plan(replace(batch, now_s=now_s), Terms(announces=True))
        scaled.append(plans.cold_starts_without[0] * 12)
        forecast.append(scaled[-1] / scale(batch.history, "without")[0])
    assert np.mean(forecast) > 2 / 4
    assert 0.5 / 4 < np.mean(scaled) < 1.5 / 4


def test_customers_who_waited_would_have_waited_without() -> None:
    batch, _ = called_every(20, announced=True)
    assert batch.history["left"][0] > 10
    assert batch.history["without"][0] >= batch.history["left"][0]
