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
from warmer.policy.values import (
    Configured,
    Facts,
    Objective,
    Reason,
    Round,
    RoundReport,
    Sighting,
    Target,
    Terms,
)

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


def told_of(pool: Pool, rounds: int, asked: int, *, first: int = 1) -> tuple[Batch[History], float]:
    """A target's history of `rounds` rounds, the pool made by one environment more in each of the first ones."""
    batch = Batch([Configured(target=A)], History.blank(1), NOW_S)
    batch = replace(batch, history=absorb(batch, Facts(at_s=NOW_S)))
    for number in range(1, rounds + 1):
        facts = pool.ping(min(asked, first + number - 1), NOW_S + EVERY_S * number)
        batch = replace(batch, history=absorb(batch, facts))
    return batch, NOW_S + EVERY_S * (rounds + 1)


def going(batch: Batch[History], now_s: float) -> tuple[int, int]:
    lost, soon = aged(batch.history, np.array([EVERY_S]), now_s)
    return int(lost[0]), int(soon[0])


def test_who_is_about_to_end_is_known_once_some_have_ended() -> None:
    """Twelve are made one after another and live two hours; the second dozen is known to."""
    batch, now_s = told_of(pool := Pool(TWO_HOURS_S), 24, 12)
    assert max(now_s - born for born in pool.born_s) == TWO_HOURS_S, (
        "the first one ends before the next round"
    )
    assert going(batch, now_s) == (0, 0), "nobody has seen one end"
    batch, now_s = told_of(pool := Pool(TWO_HOURS_S), 47, 12)
    age_s = now_s - min(pool.born_s)
    assert age_s < TWO_HOURS_S <= age_s + EVERY_S
    assert going(batch, now_s) == (0, 1)
    assert going(batch, now_s + 2 * EVERY_S) == (2, 1), "those that are gone by now are not waited for"


def test_an_end_that_more_have_passed_is_none() -> None:
    batch, now_s = told_of(Pool(TWO_HOURS_S), 47, 12)
    assert going(batch, now_s) == (0, 1)
    older = batch.history.columns["age_trials"][:, -20:]
    older += 1.0
    assert going(batch, now_s) == (0, 0)


@pytest.mark.parametrize("rounds", [7, 12, 20])
def test_a_deployment_that_ends_a_whole_pool_says_nothing_of_age(rounds: int) -> None:
    batch, now_s = told_of(Pool(TWO_HOURS_S), rounds, 12, first=12)
    batch = replace(batch, history=absorb(batch, Pool(0.0).ping(12, now_s)))
    assert batch.history["age_deaths"].sum() == 0


def test_what_happens_to_many_of_one_age_at_once_makes_no_end() -> None:
    """Eleven of twelve idled too long, and the one that was used lives."""
    batch, now_s = told_of(pool := Pool(TWO_HOURS_S), 9, 12, first=12)
    del pool.born_s[1:]
    batch = replace(batch, history=absorb(batch, pool.ping(12, now_s)))
    assert 0 < batch.history["age_deaths"].sum() <= 3
    assert not any(going(batch, now_s + EVERY_S * number) != (0, 0) for number in range(30))


def test_a_new_one_is_made_beside_one_that_is_about_to_end() -> None:
    batch, now_s = told_of(pool := Pool(TWO_HOURS_S), 47, 12)
    plan = Preheat().plan(replace(batch, now_s=now_s), Terms(announces=True))
    without = History(batch.history.columns.copy())
    without.columns["age_deaths"] = 0.0
    kept = Preheat().plan(replace(batch, history=without, now_s=now_s), Terms(announces=True))
    assert plan.pings[0] == kept.pings[0] + 1 > 1
    assert plan.reason == [Reason.RENEWED] != kept.reason
    pool.ping(int(plan.pings[0]), now_s)
    alive = [one for one in pool.born_s if now_s + EVERY_S - one < TWO_HOURS_S]
    assert len(alive) >= kept.pings[0], "as many are there at the next round as are worth having"


@pytest.mark.parametrize("ceiling", [1, 3, 12])
def test_no_renewal_goes_beyond_the_ceiling(ceiling: int) -> None:
    batch, now_s = told_of(Pool(TWO_HOURS_S), 47, 12)
    limited = Batch([Configured(target=A, objective=Objective(ceiling=ceiling))], batch.history, now_s)
    plan = Preheat().plan(limited, Terms(announces=True))
    assert plan.pings[0] <= ceiling
    assert plan.reason != [Reason.RENEWED]


@pytest.mark.parametrize(
    ("asked", "answered", "provisioned"),
    [(4, 4, 0), (12, 3, 0), (12, 0, 0), (14, 14, 10)],
    ids=["fewer-asked", "most-throttled", "all-throttled", "most-fell-on-provisioned-ones"],
)
def test_an_environment_that_a_round_did_not_reach_is_not_missed(
    asked: int, answered: int, provisioned: int
) -> None:
    batch, now_s = told_of(pool := Pool(TWO_HOURS_S), 20, 12)
    facts = pool.ping(answered - provisioned, now_s)
    report = facts.reports[A]
    assert isinstance(report, RoundReport)
    others = tuple(
        replace(report.sightings[0], environment=f"p{i}", provisioned=True) for i in range(provisioned)
    )
    told = replace(report, sightings=report.sightings + others, sent=asked, throttled=asked - answered)
    batch = replace(batch, history=absorb(batch, replace(facts, reports={A: told})))
    assert batch.history["age_deaths"].sum() == 0


def test_after_a_long_pause_nobody_is_missed() -> None:
    batch, now_s = told_of(pool := Pool(TWO_HOURS_S), 20, 12)
    batch = replace(batch, history=absorb(batch, pool.ping(12, now_s + 3600.0)))
    assert batch.history["age_deaths"].sum() == 0


def test_inits_of_new_environments_are_no_age() -> None:
    """A reply's age counts from the process's beginning, which is before the INIT that a ping waited for."""
    batch, now_s = told_of(pool := Pool(TWO_HOURS_S), 20, 12)
    trials = []
    for init_s in (0.0, 9.0):
        facts = pool.ping(12, now_s)
        report = facts.reports[A]
        assert isinstance(report, RoundReport)
        seen = tuple(
            replace(
                one, cold=one.age_s < EVERY_S, init_s=init_s, age_s=one.age_s + init_s * (one.age_s < EVERY_S)
            )
            for one in report.sightings
        )
        told = absorb(batch, replace(facts, reports={A: replace(report, sightings=seen)}))
        trials.append(told["ages_s"][0].tolist())
    assert trials[0] == trials[1]


@pytest.mark.parametrize("asked", [1, 12])
@pytest.mark.parametrize("pace", [0.1, 0.5, 3.0])
def test_where_environments_clocks_run_at_another_pace_nothing_is_learned(pace: float, asked: int) -> None:
    """A clock that stands still while an environment is frozen, or a local cloud whose time is compressed."""
    pool = Pool(TWO_HOURS_S)
    batch = Batch([Configured(target=A)], History.blank(1), NOW_S)
    batch = replace(batch, history=absorb(batch, Facts(at_s=NOW_S)))
    for number in range(1, 80):
        facts = pool.ping(min(asked, number), NOW_S + EVERY_S * number)
        (report,) = facts.reports.values()
        seen = tuple(replace(one, age_s=one.age_s * pace) for one in report.sightings)
        batch = replace(
            batch, history=absorb(batch, replace(facts, reports={A: replace(report, sightings=seen)}))
        )
        assert going(batch, NOW_S + EVERY_S * (number + 1)) == (0, 0)


def test_only_the_oldest_are_remembered() -> None:
    ages = Ages(round=np.array([1, 0, 1, 1]), age_s=np.array([5.0, 0.0, 70.0, 600.0]))
    assert ages.oldest(3, 2).tolist() == [[0.001, 0.0], [600.0, 70.0], [0.0, 0.0]]
    batch, _ = told_of(Pool(TWO_HOURS_S), 3, 40, first=40)
    assert (batch.history["ages_s"][0] == 2 * EVERY_S).sum() == OLDEST
    assert AGES_S[-1] > 23 * 3600
