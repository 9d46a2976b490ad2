"""Every reason a plan can have, in a table: what is known of a target, and what then decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from warmer.policy.counting import fold
from warmer.policy.history import AGES_S, History
from warmer.policy.lifetime import NEW_SHARE
from warmer.policy.plans import Batch, Plans
from warmer.policy.preheat import Preheat, lots
from warmer.policy.values import Configured, Objective, Reason, Target, Terms, Window

NOW_S = 1_700_000_000.0  # Tuesday, 14 November 2023, 22:13:20 UTC
A = Target("a", "live")
TERMS = Terms(announces=True)


def known(needs: list[float], *, reached: int = 0, **columns: float) -> History:
    """A target of which these needs were counted, a stretch of 5 minutes each, the last one ending now."""
    history = History.blank(1)
    start = NOW_S - 300.0 * len(needs)
    for name in ("first_s", "folded_s"):
        history.columns[name] = start
    for i, need in enumerate(needs):
        fold(history.columns, np.array([0]), np.array([start + 300.0 * (i + 1)]), np.array([need]))
    history.columns["round_s"] = NOW_S - 300.0 if reached else 0.0
    history.columns["reached"] = reached
    history.columns["watermark_s"] = NOW_S - 60
    for name, value in columns.items():
        history.columns[name] = value
    return history


def decided(
    history: History, objective: Objective | None = None, *, unread: bool = False, terms: Terms = TERMS
) -> Plans:
    configured = Configured(target=A, objective=objective or Objective())
    batch = Batch([configured], history, NOW_S, frozenset({A} if unread else ()))
    return Preheat().plan(batch, terms)


STEADY = [3.0, 0.0, 0.0] * 24
EVERY_MINUTE = [2.0] * 288
TUESDAY = Window(days=frozenset({1}), from_minute=22 * 60, until_minute=23 * 60, floor=40)


def settled(minutes: int, deaths: float = 0.0) -> Callable[[], History]:
    def make() -> History:
        history = known(STEADY, reached=4)
        history.columns["trials"][0, minutes] = 500.0
        history.columns["deaths"][0, minutes] = deaths
        return history

    return make


def drawn(history: History) -> History:
    """The same, its last round in a minute in which the target's lot is to explore."""
    while lots(Batch([Configured(target=A)], history, NOW_S))[0] >= NEW_SHARE:
        history.columns["round_s"] -= 60.0
    return history


def aged() -> History:
    """One of three environments is as old as none has been seen to get."""
    history = known(STEADY, reached=3)
    history.columns["ages_s"][0, :3] = 7000.0, 900.0, 900.0
    history.columns["age_trials"][0, np.searchsorted(AGES_S, 7000.0 + 600.0)] = 50.0
    history.columns["age_deaths"][0, np.searchsorted(AGES_S, 7000.0 + 600.0)] = 45.0
    return history


TABLE = [
    pytest.param(lambda: known([0.0] * 4 * 288), None, False, Reason.COLD_IS_CHEAPER, id="four-days-without-a-request"),
    pytest.param(lambda: known(EVERY_MINUTE, init_s=0.2), Objective(cold_start_cost_usd=0.0), False,
                 Reason.TRAFFIC_KEEPS_WARM, id="customers-come-all-the-time"),
    pytest.param(lambda: known(STEADY, reached=3), None, False, Reason.PINGS_PAY, id="needed-every-quarter-of-an-hour"),
    pytest.param(lambda: known(STEADY, busy=3), None, False, Reason.PROVISIONED_PAYS, id="three-busy-all-the-time"),
    pytest.param(lambda: History.blank(1), None, False, Reason.NO_HISTORY, id="never-looked-at"),
    pytest.param(lambda: known(STEADY, reached=3), Objective(floor=50), False, Reason.FLOOR, id="a-floor"),
    pytest.param(lambda: known(STEADY, reached=3), Objective(windows=(TUESDAY,)), False, Reason.WINDOW, id="window"),
    pytest.param(lambda: known(STEADY, reached=3), Objective(ceiling=1), False, Reason.CEILING, id="a-ceiling-of-one"),
    pytest.param(lambda: known(STEADY, spent_usd=9.0), Objective(monthly_budget_usd=1.0), False, Reason.BUDGET,
                 id="the-budget-is-spent"),
    pytest.param(lambda: known(STEADY, spent_usd=9.0), Objective(monthly_budget_usd=1.0, floor=5), False, Reason.BUDGET,
                 id="a-floor-that-the-budget-does-not-reach"),
    pytest.param(lambda: known(STEADY, spent_usd=9.0), Objective(monthly_budget_usd=1.0, windows=(TUESDAY,)), False,
                 Reason.BUDGET, id="a-window-that-the-budget-does-not-reach"),
    pytest.param(lambda: known(STEADY), Objective(ceiling=10, windows=(TUESDAY,)), False, Reason.CEILING,
                 id="a-window-above-the-ceiling"),
    pytest.param(lambda: known(STEADY, reached=3), Objective(cold_start_rate=0.0001), False, Reason.TARGET_RATE,
                 id="a-rate-instead-of-a-price"),
    pytest.param(lambda: known(STEADY, settling=True), None, False, Reason.SETTLING, id="allocation-in-progress"),
    pytest.param(lambda: known(STEADY), None, True, Reason.UNKNOWN, id="metrics-could-not-be-read"),
    pytest.param(aged, None, False, Reason.RENEWED, id="one-of-them-about-to-end-of-age"),
    pytest.param(lambda: drawn(settled(5)()), None, False, Reason.LEARNING_LIFETIME, id="drawn-to-try-longer"),
]  # fmt: skip


@pytest.mark.parametrize("terms", [pytest.param(TERMS, id="announced"), pytest.param(Terms(), id="defaults")])
@pytest.mark.parametrize(("history", "objective", "unread", "reason"), TABLE)
def test_what_decides(
    history: Callable[[], History], objective: Objective | None, unread: bool, reason: Reason, terms: Terms
) -> None:
    assert decided(history(), objective, unread=unread, terms=terms).reason == [reason]


def test_a_trial_is_of_the_interval_and_never_ends_the_rounds() -> None:
    """An interval at which most may be gone was drawn again for ever, since no round went out to change the lot."""
    history = settled(5)()
    history.columns["trials"][0, 6] = history.columns["deaths"][0, 6] = 8.0
    cheap = Objective(cold_start_cost_usd=0.00005)
    tried = decided(drawn(history), cheap)
    assert tried.reason == [Reason.LEARNING_LIFETIME]
    history.columns["trials"][0, 6] = 0.0
    history.columns["deaths"][0, 6] = 0.0
    assert tried.pings.tolist() == decided(history, cheap).pings.tolist() != [0]


def test_some_targets_try_a_longer_interval_once_the_last_one_is_known_to_be_safe() -> None:
    histories = History.stack(settled(5)().rows() * 200)
    histories.columns["first_s"] += np.random.default_rng(1).random(200)
    batch = Batch([Configured(target=Target(f"f{i}", "live")) for i in range(200)], histories, NOW_S)
    reasons = Preheat().plan(batch, TERMS).reason
    assert 5 < reasons.count(Reason.LEARNING_LIFETIME) < 100


def test_every_reason_has_a_row() -> None:
    tested = {row.values[3] for row in TABLE}
    assert tested == set(Reason)


def test_what_could_not_be_read_leaves_provisioned_concurrency_alone() -> None:
    history = known(STEADY, busy=4)
    assert decided(history).provisioned.tolist() == [4]
    assert decided(history, unread=True).provisioned.tolist() == [-1]
    assert decided(replace(history)).provisioned.tolist() == [4]


@pytest.mark.parametrize(
    ("windows", "edge_min"),
    [
        pytest.param([(1, 22 * 60 + 15, 23 * 60)], 2, id="opens-in-two-minutes"),
        pytest.param([(1, 22 * 60, 22 * 60 + 16)], 3, id="closes-in-three"),
        pytest.param([(1, 22 * 60, 22 * 60 + 16), (1, 22 * 60 + 14, 23 * 60)], 1, id="the-nearer-of-two"),
        pytest.param([(2, 0, 60)], None, id="opens-tomorrow"),
        pytest.param([(1, 22 * 60 + 13, 22 * 60 + 30)], None, id="opened-in-this-minute"),
    ],
)
def test_a_look_is_never_later_than_a_windows_edge(
    windows: list[tuple[int, int, int]], edge_min: int | None
) -> None:
    objective = Objective(
        windows=tuple(
            Window(days=frozenset({day}), from_minute=begin, until_minute=end, floor=0)
            for day, begin, end in windows
        )
    )
    minute_s = NOW_S // 60 * 60
    unbounded = decided(known(STEADY, reached=3)).next_look_s[0]
    assert unbounded > minute_s + 180
    expected = unbounded if edge_min is None else minute_s + 60 * edge_min
    assert decided(known(STEADY, reached=3), objective).next_look_s[0] == expected


@pytest.mark.parametrize(("rate", "dearer"), [(0.001, 0.01), (0.01, 0.1)])
def test_a_stricter_rate_keeps_at_least_as_many(rate: float, dearer: float) -> None:
    history = known([6.0, 0.0, 0.0, 1.0, 0.0] * 14, reached=3, rate_s=0.02)
    strict = decided(history, Objective(cold_start_rate=rate)).pings[0]
    loose = decided(history, Objective(cold_start_rate=dearer)).pings[0]
    assert strict >= loose
