"""How old environments get is learned from rounds; those about to end are replaced before a customer misses them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from warmer.policy.absorb import absorb
from warmer.policy.history import AGES_S, OLDEST, History
from warmer.policy.plans import Batch
from warmer.policy.preheat import Preheat
from warmer.policy.renewal import aged
from warmer.policy.replies import Ages
from warmer.policy.values import Configured, Facts, Objective, Round, RoundReport, Sighting, Target, Terms

NOW_S = 1_700_000_000.0
A = Target("a", "live")
EVERY_S = 300.0
TWO_HOURS_S = 7200.0


@dataclass
class Pool:
    """Environments that live as long as `ends_s` says, each of its age only; rounds reach as many as they ask for."""

    ends_s: float
    born_s: list[float] = field(default_factory=list)

    def ping(self, asked: int, at_s: float) -> Facts:
        self.born_s = sorted((one for one in self.born_s if at_s - one < self.ends_s), reverse=True)
        met = self.born_s[:asked]
        made = [at_s] * (asked - len(met))
        self.born_s = made + self.born_s
        sightings = tuple(
            Sighting(
                environment=f"{born}-{i}", cold=born == at_s, provisioned=False, age_s=at_s - born, idle_s=EVERY_S,
                requests=int(born != at_s), init_s=2.0,
            )
            for i, born in enumerate(made + met)
        )  # fmt: skip
        return Facts(
            at_s=at_s,
            rounds={A: Round(target=A, environments=asked, hold_s=0.03)},
            reports={A: RoundReport(sightings=sightings, sent=asked, spread_s=0.007, held_s=0.02)},
        )


def told_of(pool: Pool, rounds: int, asked: int) -> tuple[Batch[History], float]:
    batch = Batch([Configured(target=A)], History.blank(1), NOW_S)
    batch = replace(batch, history=absorb(batch, Facts(at_s=NOW_S)))
    for number in range(1, rounds + 1):
        batch = replace(batch, history=absorb(batch, pool.ping(asked, NOW_S + EVERY_S * number)))
    return batch, NOW_S + EVERY_S * (rounds + 1)


def going(batch: Batch[History], now_s: float) -> tuple[int, int]:
    lost, soon = aged(batch.history, np.array([EVERY_S]), now_s)
    return int(lost[0]), int(soon[0])


def test_who_is_about_to_end_is_known_once_some_have_ended() -> None:
    """Twelve at a time are made, live two hours and end together; the second dozen is known to."""
    pool = Pool(TWO_HOURS_S)
    batch, now_s = told_of(pool, 24, 12)
    assert min(now_s - born for born in pool.born_s) == TWO_HOURS_S, (
        "the first dozen ends before the next round"
    )
    assert going(batch, now_s) == (0, 0), "nobody has seen one end"
    batch, now_s = told_of(pool := Pool(TWO_HOURS_S), 47, 12)
    age_s = now_s - min(pool.born_s)
    assert age_s < TWO_HOURS_S <= age_s + EVERY_S
    assert going(batch, now_s) == (0, 12)
    assert going(batch, now_s + 2 * EVERY_S) == (12, 0), "those that are gone by now are not waited for"


def test_an_end_that_more_have_passed_is_none() -> None:
    """Environments that idled too long between two rounds are gone together, of the same age, whatever that is."""
    batch, now_s = told_of(Pool(TWO_HOURS_S), 8, 12)
    batch = replace(batch, history=absorb(batch, Pool(0.0).ping(12, now_s)))
    assert batch.history["age_deaths"].sum() == 12, "all at once, and by clocks that agreed before"
    later = Pool(TWO_HOURS_S, [now_s] * 12)
    for number in range(1, 12):
        batch = replace(batch, history=absorb(batch, later.ping(12, now_s + EVERY_S * number)))
        if number > 8:  # past the age at which the first dozen went
            assert going(batch, now_s + EVERY_S * (number + 1)) == (0, 0)


def test_a_new_one_is_made_beside_one_that_is_about_to_end() -> None:
    batch, now_s = told_of(pool := Pool(TWO_HOURS_S), 47, 3)
    batch.history.columns["age_deaths"] *= 10.0  # a fleet's worth of them
    batch.history.columns["age_trials"] *= 10.0
    plan = Preheat().plan(replace(batch, now_s=now_s), Terms(announces=True))
    without = History(batch.history.columns.copy())
    without.columns["age_deaths"] = 0.0
    kept = Preheat().plan(replace(batch, history=without, now_s=now_s), Terms(announces=True))
    assert plan.pings[0] == kept.pings[0] + 3 > 3
    pool.ping(int(plan.pings[0]), now_s)
    alive = [one for one in pool.born_s if now_s + EVERY_S - one < TWO_HOURS_S]
    assert len(alive) >= kept.pings[0], "as many are there at the next round as are worth having"


@pytest.mark.parametrize("ceiling", [1, 3, 4])
def test_no_renewal_goes_beyond_the_ceiling(ceiling: int) -> None:
    batch, now_s = told_of(Pool(TWO_HOURS_S), 47, 12)
    limited = Batch([Configured(target=A, objective=Objective(ceiling=ceiling))], batch.history, now_s)
    assert Preheat().plan(limited, Terms(announces=True)).pings[0] <= ceiling


def test_an_environment_that_a_round_did_not_look_for_is_not_missed() -> None:
    batch, now_s = told_of(pool := Pool(TWO_HOURS_S), 10, 12)
    batch = replace(batch, history=absorb(batch, pool.ping(4, now_s)))
    assert batch.history["age_deaths"].sum() == 0


@pytest.mark.parametrize("pace", [1 / 60, 0.5, 3.0])
def test_where_environments_clocks_run_at_another_pace_nothing_is_learned(pace: float) -> None:
    """A clock that stands still while an environment is frozen, or a local cloud whose time is compressed."""
    pool = Pool(TWO_HOURS_S)
    batch = Batch([Configured(target=A)], History.blank(1), NOW_S)
    batch = replace(batch, history=absorb(batch, Facts(at_s=NOW_S)))
    for number in range(1, 80):
        facts = pool.ping(12, NOW_S + EVERY_S * number)
        (report,) = facts.reports.values()
        seen = tuple(replace(one, age_s=one.age_s * pace) for one in report.sightings)
        batch = replace(
            batch, history=absorb(batch, replace(facts, reports={A: replace(report, sightings=seen)}))
        )
        assert going(batch, NOW_S + EVERY_S * (number + 1)) == (0, 0)


def test_only_the_oldest_are_remembered() -> None:
    ages = Ages(round=np.array([1, 0, 1, 1]), age_s=np.array([5.0, 0.0, 70.0, 600.0]))
    assert ages.oldest(3, 2).tolist() == [[0.001, 0.0], [600.0, 70.0], [0.0, 0.0]]
    batch, _ = told_of(Pool(TWO_HOURS_S), 3, 40)
    assert (batch.history["ages_s"][0] == 2 * EVERY_S).sum() == OLDEST
    assert AGES_S[-1] > 23 * 3600
