"""What holds of the policy whatever the facts are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmer.policy.absorb import absorb
from warmer.policy.economics import Economics, best_hold_s, busy_servers
from warmer.policy.history import History
from warmer.policy.plans import Batch
from warmer.policy.preheat import Preheat, lots
from warmer.policy.replies import Tally
from warmer.policy.spending import spent_usd
from warmer.policy.values import (
    Capacity,
    Configured,
    Demand,
    Facts,
    FunctionFacts,
    Objective,
    Prices,
    Round,
    RoundReport,
    Sighting,
    Target,
    Terms,
    Window,
)

NOW_S = 1_700_000_000.0
A = Target("a", "live")
TERMS = Terms(announces=True)


def round_of(count: int, used: int, made: int, number: int) -> Facts:
    sightings = tuple(
        Sighting(
            environment=str(i), cold=i < made, provisioned=False, age_s=500.0, idle_s=100.0,
            requests=0 if i < made or i >= made + used else 1 + i % 3, init_s=2.0,
        )
        for i in range(count)
    )  # fmt: skip
    return Facts(
        at_s=NOW_S + 300.0 * number,
        rounds={A: Round(target=A, environments=count, hold_s=0.03)},
        reports={A: RoundReport(sightings=sightings, sent=count, spread_s=0.007, held_s=0.02)},
    )


found = st.integers(1, 40).flatmap(
    lambda count: st.tuples(st.just(count), st.integers(0, count), st.integers(0, count))
)
days = st.lists(found, max_size=40)


def history_of(rounds: list[tuple[int, int, int]], objective: Objective) -> tuple[Batch[History], float]:
    batch = Batch([Configured(target=A, objective=objective)], History.blank(1), NOW_S)
    batch = replace(batch, history=absorb(batch, Facts(at_s=NOW_S)))
    for number, (count, used, made) in enumerate(rounds, 1):
        batch = replace(batch, history=absorb(batch, round_of(count, used, made, number)))
    return batch, NOW_S + 300.0 * (len(rounds) + 1)


@settings(max_examples=150, deadline=None)
@given(rounds=days, floor=st.integers(0, 30), ceiling=st.integers(0, 60))
def test_never_above_the_ceiling_and_never_below_the_floor_when_a_round_goes_out(
    rounds: list[tuple[int, int, int]], floor: int, ceiling: int
) -> None:
    batch, now_s = history_of(rounds, Objective(floor=floor, ceiling=ceiling))
    pings = int(Preheat().plan(replace(batch, now_s=now_s), TERMS).pings[0])
    assert pings <= ceiling
    if floor <= ceiling:
        assert pings >= floor


look = st.tuples(st.integers(60, 6 * 3600), st.integers(0, 40), st.booleans())
"""Seconds since the last look, the servers that are worth provisioning, and whether the time was used."""


@settings(max_examples=150, deadline=None)
@given(looks=st.lists(look, max_size=40), budget=st.floats(0, 100))
def test_what_is_spent_stays_within_the_months_budget_pings_and_provisioned_concurrency_together(
    looks: list[tuple[int, int, bool]], budget: float
) -> None:
    objective = Objective(monthly_budget_usd=budget, cold_start_cost_usd=1.0, floor=5)
    batch = Batch([Configured(target=A, objective=objective)], History.blank(1), NOW_S)
    bill = Bill()
    for span_s, busy, used in looks:
        batch = replace(batch, now_s=batch.now_s + span_s)
        batch = replace(batch, history=absorb(batch, Facts(at_s=batch.now_s)))
        batch.history.columns["busy"] = busy
        plans = Preheat().plan(batch, TERMS)
        done = worst_round(int(plans.pings[0]), batch.now_s, used=used)
        if (wanted := int(plans.provisioned[0])) >= 0:
            done = replace(
                done, provisioned={A: Capacity(requested=wanted, allocated=wanted, status="READY")}
            )
            bill.provision(wanted, batch.now_s)
        batch = replace(batch, history=absorb(batch, done))
        tally = Tally.of(done.reports)
        bill.pings_usd += float(spent_usd(batch, np.zeros(len(tally.targets), np.int64), tally).sum())
        assert batch.history["spent_usd"][0] <= budget + 1e-9
        assert bill.usd(batch.now_s) <= budget + 1e-9, "nor does AWS's bill pass it"


@dataclass
class Bill:
    """What AWS charges: provisioned concurrency in whole steps, the newest given back first."""

    pings_usd: float = 0.0
    over_usd: float = 0.0
    since_s: list[float] = field(default_factory=list)

    def provision(self, count: int, now_s: float) -> None:
        while len(self.since_s) > count:
            self.over_usd += self._one(self.since_s.pop(), now_s)
        self.since_s += [now_s] * (count - len(self.since_s))

    def usd(self, now_s: float) -> float:
        return self.pings_usd + self.over_usd + sum(self._one(since_s, now_s) for since_s in self.since_s)

    def _one(self, since_s: float, now_s: float) -> float:
        return max(1, math.ceil((now_s - since_s) / 300)) * 300 * Prices().provisioned_gb_s


def worst_round(count: int, at_s: float, *, used: bool) -> Facts:
    """The dearest that a round can be: every environment is new, each is held longest, and it is asked for thrice."""
    if not count:
        return Facts(at_s=at_s)
    sightings = tuple(
        Sighting(
            environment=str(i),
            cold=True,
            provisioned=False,
            age_s=0.0,
            idle_s=0.0,
            requests=int(used),
            init_s=3.0,
        )
        for i in range(count)
    )
    report = RoundReport(sightings=sightings, sent=3 * count, held_s=0.25)
    return Facts(at_s=at_s, rounds={A: Round(target=A, environments=count, hold_s=0.25)}, reports={A: report})


def test_a_new_months_budget_pays_for_what_the_last_month_provisioned_only_until_the_next_look() -> None:
    month_s = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    objective = Objective(monthly_budget_usd=3.0)
    batch = Batch([Configured(target=A, objective=objective)], History.blank(1), month_s - 600)
    batch = replace(batch, history=absorb(batch, Facts(at_s=batch.now_s)))
    batch.history.columns["busy"] = 40
    last = int(Preheat().plan(batch, TERMS).provisioned[0])
    granted = {A: Capacity(requested=last, allocated=last, status="READY")}
    batch = replace(
        batch, history=absorb(batch, Facts(at_s=batch.now_s, provisioned=granted)), now_s=month_s + 1200
    )
    batch = replace(batch, history=absorb(batch, Facts(at_s=batch.now_s)))
    assert batch.history["spent_usd"][0] == pytest.approx(last * 1200 * Prices().provisioned_gb_s)
    assert 0 <= int(Preheat().plan(batch, TERMS).provisioned[0]) < last


@settings(max_examples=60, deadline=None)
@given(peaks=st.lists(st.integers(0, 50), min_size=60, max_size=180), cut=st.integers(0, 180))
def test_demand_is_absorbed_once_however_it_comes(peaks: list[int], cut: int) -> None:
    def demand(first: int, last: int) -> Demand:
        return Demand(
            start_s=NOW_S + 60.0 * first, period_s=60.0, peak_concurrency=tuple(peaks[first:last]),
            invocations=tuple(2 * p for p in peaks[first:last]), duration_s=0.2,
        )  # fmt: skip

    cut = min(cut // 5 * 5, len(peaks))
    start = History.blank(1)
    start.columns["first_s"] = NOW_S - 1
    start.columns["folded_s"] = NOW_S
    batch = Batch([Configured(target=A)], start, NOW_S)
    at_s = NOW_S + 60.0 * len(peaks)
    once = absorb(batch, Facts(at_s=at_s, demand={A: demand(0, len(peaks))}))
    halves = batch
    for part in (demand(0, cut), demand(cut, len(peaks)), demand(0, len(peaks))):
        halves = replace(halves, history=absorb(halves, Facts(at_s=at_s, demand={A: part})))
    for name in ("events", "exposure_s", "peak", "folded_s", "watermark_s"):
        np.testing.assert_allclose(once[name], halves.history[name], rtol=1e-6)


def departed(facts: Facts, late_s: float) -> Facts:
    """The same, the round having gone out so long after its cycle's instant."""
    return replace(facts, reports={A: replace(facts.reports[A], departed_s=facts.at_s + late_s)})


def test_a_customer_whom_a_round_turned_away_is_no_need_however_late_the_round_went_out() -> None:
    """A schedule names whole minutes: its rounds go out seconds later."""
    batch, now_s = history_of([(4, 2, 0)] * 12, Objective())
    batch = replace(batch, history=absorb(batch, departed(replace(round_of(4, 2, 0, 13), at_s=now_s), 3.4)))
    peak = float(batch.history["peak"][0])
    met = absorb(batch, Facts(at_s=now_s + 60, announced={A: (now_s + 3.5,)}))
    assert met["peak"][0] == peak
    missed = absorb(batch, Facts(at_s=now_s + 60, announced={A: (now_s + 30.0,)}))
    assert missed["peak"][0] == 5.0


def test_intervals_between_rounds_are_those_at_which_they_went_out() -> None:
    batch = Batch([Configured(target=A)], History.blank(1), NOW_S)
    for number, late_s in ((0, 3.0), (1, 57.0)):
        batch = replace(batch, history=absorb(batch, departed(round_of(4, 0, 0, number), late_s)))
    assert batch.history["trials"][0].nonzero()[0].tolist() == [6]


own_round = st.tuples(st.integers(1, 20), st.integers(0, 10), st.floats(0, 56.9))
"""Environments that it found, pings beyond them (some met one that was known), and the second in its minute."""


@given(
    rounds=st.lists(own_round, min_size=1, max_size=12),
    customers=st.lists(st.integers(0, 9), min_size=70, max_size=70),
)
@settings(max_examples=60, deadline=None)
def test_our_own_pings_are_no_customers_traffic(
    rounds: list[tuple[int, int, float]], customers: list[int]
) -> None:
    """CloudWatch counts them; the rate and the load that it tells are the customers' all the same."""
    start_s = NOW_S // 60 * 60
    batch = Batch([Configured(target=A)], History.blank(1), start_s)
    calls = [3 * one for one in customers]
    counted = list(calls)
    for number, (found, more, second) in enumerate(rounds):
        minute = 5 * number + 3
        facts = round_of(found, 0, 0, number)
        report = RoundReport(sightings=facts.reports[A].sightings, sent=found + more)
        at_s = start_s + 60 * minute + second
        batch = replace(batch, history=absorb(batch, replace(facts, at_s=at_s, reports={A: report})))
        counted[minute] += found + more
    demand = Demand(
        start_s=start_s,
        period_s=60.0,
        peak_concurrency=tuple(customers),
        invocations=tuple(counted),
        duration_s=30.0,
    )
    after = absorb(batch, Facts(at_s=start_s + 60 * len(calls), demand={A: demand}))
    assert after["rate_s"][0] == pytest.approx(np.mean(calls[-60:]) / 60, abs=1e-6)
    assert after["busy"][0] == busy_servers(np.array(calls[-15:]) / 60 * 30)


@pytest.mark.parametrize("late_s", [0.0, 3.0, 30.0, 63.0])
def test_a_round_is_taken_out_of_the_minute_in_which_it_went_out(late_s: float) -> None:
    start_s = NOW_S // 60 * 60
    batch = Batch([Configured(target=A)], History.blank(1), start_s)
    batch = replace(
        batch, history=absorb(batch, departed(replace(round_of(7, 0, 0, 0), at_s=start_s), late_s))
    )
    minutes = [2, 2]
    minutes[int(late_s // 60)] += 7
    demand = Demand(
        start_s=start_s, period_s=60.0, peak_concurrency=(2, 2), invocations=tuple(minutes), duration_s=1.0
    )
    assert absorb(batch, Facts(at_s=start_s + 240, demand={A: demand}))["rate_s"][0] == pytest.approx(2 / 60)


@given(rounds=days)
@settings(max_examples=60, deadline=None)
def test_absorb_leaves_what_it_was_given_alone(rounds: list[tuple[int, int, int]]) -> None:
    batch, _ = history_of(rounds, Objective())
    before = batch.history.rows()
    absorb(batch, round_of(3, 1, 1, len(rounds) + 1))
    assert batch.history.rows() == before


@given(rounds=days)
@settings(max_examples=60, deadline=None)
def test_what_is_absorbed_into_a_history_is_what_makes_a_new_one_and_leaves_plans_alone(
    rounds: list[tuple[int, int, int]],
) -> None:
    batch, now_s = history_of(rounds, Objective(monthly_budget_usd=5.0))
    plans = Preheat().plan(replace(batch, now_s=now_s), TERMS)
    told = {field.name: np.array(getattr(plans, field.name)) for field in fields(plans)}
    facts = round_of(3, 1, 1, len(rounds) + 1)
    new = absorb(batch, facts).rows()
    assert Preheat().absorb(batch, facts).rows() == new
    for name, value in told.items():
        np.testing.assert_array_equal(getattr(plans, name), value)


@given(days=st.lists(days, min_size=2, max_size=5), alone=st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_which_targets_try_a_longer_interval_is_not_drawn_by_who_is_looked_at_beside_them(
    days: list[list[tuple[int, int, int]]], alone: int
) -> None:
    configured = [Configured(target=Target(f"f{i}", "live")) for i in range(len(days))]
    rows = [history_of(rounds, Objective())[0].history.rows()[0] for rounds in days]
    several = Batch(configured, History.stack(rows), NOW_S + 300.0 * 60)
    row = alone % len(days)
    one = Batch([configured[row]], History.stack([rows[row]]), several.now_s)
    assert lots(several)[row] == lots(one)[0]


AIMS = (
    Objective(),
    Objective(floor=3, ceiling=5),
    Objective(monthly_budget_usd=0.5, cold_start_cost_usd=0.1),
    Objective(cold_start_rate=0.001),
    Objective(windows=(Window(days=frozenset(range(7)), from_minute=0, until_minute=1440, floor=2),)),
)
FUNCTIONS = (FunctionFacts(), FunctionFacts(memory_mb=3008, architecture="arm64", init_s=9.0))


@given(
    days=st.lists(
        st.tuples(days, st.integers(0, 8), st.sampled_from(AIMS), st.sampled_from(FUNCTIONS)),
        min_size=2,
        max_size=6,
    ),
    unread=st.sets(st.integers(0, 5)),
)
@settings(max_examples=60, deadline=None)
def test_a_target_is_decided_alike_alone_and_among_others(
    days: list[tuple[list[tuple[int, int, int]], int, Objective, FunctionFacts]], unread: set[int]
) -> None:
    """But for what others have seen of lifetimes and of the forecast, which is shared on purpose."""
    configured = [
        Configured(target=Target(f"f{i}", "live"), objective=objective, facts=facts)
        for i, (_, _, objective, facts) in enumerate(days)
    ]
    history = History.stack([history_of(rounds, Objective())[0].history.rows()[0] for rounds, *_ in days])
    for shared in (
        "trials",
        "deaths",
        "age_trials",
        "age_deaths",
        "without",
        "without_expected",
        "left",
        "left_expected",
    ):
        history.columns[shared] = 0
    history.columns["busy"] = [busy for _, busy, *_ in days]
    missing = frozenset(c.target for i, c in enumerate(configured) if i in unread)
    now_s = NOW_S + 300.0 * 60
    together = Preheat().plan(Batch(configured, history, now_s, missing), TERMS)
    for row, one in enumerate(configured):
        alone = Preheat().plan(Batch([one], history.take([row]), now_s, missing), TERMS)
        for name in ("pings", "hold_s", "provisioned", "next_look_s", "cost_usd", "cold_starts"):
            np.testing.assert_allclose(getattr(together, name)[row], getattr(alone, name)[0], rtol=1e-9)
        assert together.reason[row] == alone.reason[0]


@given(rounds=days)
@settings(max_examples=60, deadline=None)
def test_a_plan_expects_no_more_cold_starts_than_doing_nothing_and_says_what_its_round_costs(
    rounds: list[tuple[int, int, int]],
) -> None:
    batch, now_s = history_of(rounds, Objective())
    plans = Preheat().plan(replace(batch, now_s=now_s), TERMS)
    assert 0 <= plans.cold_starts[0] <= plans.cold_starts_without[0]
    cold_usd = plans.cost_without_usd[0] / plans.cold_starts_without[0]
    round_usd = plans.cost_usd[0] - plans.cold_starts[0] * cold_usd
    assert (round_usd > 1e-9) == (plans.pings[0] > 0)


def test_the_hold_is_the_cheapest_of_all_holds() -> None:
    money = Economics(*(np.array([v]) for v in (3.3e-5, 2e-7, 1e-4, 1.1e-3)))
    k, jitter, rate = np.array([8.0]), np.array([0.01]), np.array([0.5])
    best = best_hold_s(k, jitter, rate, money)[0]

    def cost(hold: float) -> float:
        return float(k[0] * np.exp(-hold / 0.01) * 1e-4 + hold * (k[0] * 3.3e-5 + 0.5 * 1.1e-3))

    assert all(cost(best) <= cost(other) + 1e-12 for other in np.linspace(0, 0.25, 500))


def test_servers_past_break_even_by_erlangs_formula() -> None:
    # at 3 erlangs the ordered servers carry 0.75, 0.66, 0.55, 0.42 …: two are past 62 %
    steady = [busy_servers(np.full(15, erlangs)) for erlangs in (0.0, 0.5, 3.0, 200.0)]
    assert steady == [0, 0, 2, 185]
    assert busy_servers(np.array([6.0, 0.0] * 7)) == 0, "busy in half of the minutes is busy half of the time"
    assert busy_servers(np.array([200.0, 0.0] * 7)) == 0 == busy_servers(np.array([1000.0] + [0.0] * 14))
    assert busy_servers(np.array([3.0] * 14 + [0.0])) == 1, "a quiet minute is not the end of it"


@pytest.mark.parametrize(("minutes", "servers"), [(5, 7), (9, 7), (10, 2), (14, 2), (15, 2), (40, 2)])
def test_a_few_minutes_do_not_change_what_is_provisioned(minutes: int, servers: int) -> None:
    """Reads every 15 minutes bring 14 or 16 of them, as the scheduler's second falls: 14 ended what 15 had begun."""
    start_s = NOW_S // 60 * 60
    batch = Batch([Configured(target=A)], History.blank(1), start_s)
    batch = replace(batch, history=absorb(batch, Facts(at_s=start_s)))
    batch.history.columns["busy"] = 7
    demand = Demand(
        start_s=start_s, period_s=60.0, peak_concurrency=(5,) * minutes, invocations=(180,) * minutes, duration_s=1.0
    )  # fmt: skip
    after = absorb(batch, Facts(at_s=start_s + 60.0 * minutes + 120, demand={A: demand}))
    assert after["busy"].tolist() == [servers]


def test_what_waited_behind_inits_is_no_need() -> None:
    """A burst of which every request met an INIT leaves many environments behind: they are not all needed again."""
    batch, now_s = history_of([(4, 2, 0)] * 12, Objective())
    burst = Facts(at_s=now_s, announced={A: tuple(now_s - 30.0 + i / 50 for i in range(150))})
    batch = replace(batch, history=absorb(batch, burst))
    told = float(batch.history["peak"][0])
    after = absorb(batch, replace(round_of(40, 40, 0, 13), at_s=now_s))
    assert told < 40
    assert after["peak"][0] == told
