"""The compiled account against a plain one, and what it conserves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.function import Function
from preheat_tools.simulator.traces import Series

from tests.simulator.reference import play

INIT_S, LIFE_S = 3.0, 360.0


def function_of(
    instants: list[float], *, service_s: float, routing: str = "recent", span_s: float = 7200.0
) -> Function:
    times = np.array(sorted(instants))
    series = Series(
        name="f",
        pattern="",
        counts=np.bincount((times // 60).astype(np.int64), minlength=1),
        instants_s=times,
    )
    return Function(series, 0, 7200.0, Assumptions(routing=routing), service_s, oracle=False)


instants = st.lists(st.floats(0, 7000).map(lambda t: round(t, 3)), min_size=1, max_size=60, unique=True)
rounds = st.lists(
    st.tuples(st.integers(1, 100), st.integers(1, 12), st.floats(0.002, 0.1)),
    max_size=6,
    unique_by=lambda r: r[0],
)


@settings(max_examples=150, deadline=None)
@given(
    instants=instants,
    rounds=rounds,
    service_s=st.sampled_from([0.05, 0.2, 30.0]),
    routing=st.sampled_from(["recent", "oldest"]),
)
def test_the_engine_counts_as_the_plain_account_does(
    instants: list[float], rounds: list[tuple[int, int, float]], service_s: float, routing: str
) -> None:
    function = function_of(instants, service_s=service_s, routing=routing)
    sent, releases, reached = [], [], 0
    for minute, count, hold_s in sorted(rounds):
        at = minute * 60 + 30.0005
        found = function.ping(count, at, hold_s, 0.001, np.zeros(count))
        reached += len(set(found[:, eng.F_ID].tolist()))
        sent.append([at + 0.001 * (i + 1) for i in range(count)])
        releases.append(at + 0.001 * count + hold_s)
    function.advance(7200.0)
    expected = play(
        sorted(instants), service_s, sent, releases, init_s=INIT_S, lifetime_s=LIFE_S, routing=routing
    )  # fmt: skip
    s = function.scalars
    assert s[eng.REQUESTS] == len(instants)
    assert s[eng.COLD] == expected.cold
    assert s[eng.PING_INIT_S] == pytest.approx(expected.pinged_cold * INIT_S)
    assert s[eng.INIT_S] == pytest.approx(expected.cold * INIT_S)
    assert s[eng.RUN_S] == pytest.approx(expected.run_s)
    assert s[eng.PING_RUN_S] == pytest.approx(expected.ping_run_s, abs=1e-6)
    assert reached == expected.reached


@settings(max_examples=60, deadline=None)
@given(instants=instants, cuts=st.lists(st.floats(0, 7200), max_size=20))
def test_where_it_is_stopped_changes_nothing(instants: list[float], cuts: list[float]) -> None:
    whole, cut = function_of(instants, service_s=0.2), function_of(instants, service_s=0.2)
    whole.advance(7200.0)
    for at in [*sorted(cuts), 7200.0]:
        cut.advance(at)
    left_out = [eng.MINUTE, eng.NOW]
    np.testing.assert_allclose(np.delete(whole.scalars, left_out), np.delete(cut.scalars, left_out))
    np.testing.assert_allclose(whole.minutes, cut.minutes)


@settings(max_examples=60, deadline=None)
@given(instants=instants, routing=st.sampled_from(["recent", "random", "oldest"]))
def test_every_environment_is_busy_idle_or_spare(instants: list[float], routing: str) -> None:
    function = function_of(instants, service_s=20.0, routing=routing)
    for at in range(0, 7200, 600):
        function.advance(float(at))
        s = function.scalars
        assert s[eng.BUSY] + (s[eng.TOP] - s[eng.HEAD]) + s[eng.SPARE] == len(function.environments)


def test_two_pings_share_an_environment_when_released_before_the_second_arrives() -> None:
    function = function_of([10.0, 10.1], service_s=1.0)
    apart = function.ping(2, 100.0, 0.0, 0.001, np.array([0.0, 0.2]))
    together = function.ping(2, 200.0, 0.24, 0.001, np.array([0.0, 0.2]))
    assert len(set(apart[:, eng.F_ID])) == 1
    assert len(set(together[:, eng.F_ID])) == 2


def test_a_held_environment_turns_a_customer_away() -> None:
    held = function_of([10.0, 100.05], service_s=0.2)
    held.ping(1, 100.0, 0.1, 0.001, np.zeros(1))
    held.advance(7200.0)
    assert held.scalars[eng.COLD] == 2


def test_provisioned_concurrency_serves_after_its_delay_and_is_billed_in_steps() -> None:
    function = function_of([10.0, 200.0], service_s=0.2)
    function.provision(1, 0.0, 120.0, 300.0)
    function.provision(0, 400.0, 120.0, 300.0)
    function.close(7200.0, 300.0)
    assert function.scalars[eng.COLD] == 1
    assert function.scalars[eng.PC_SERVED] == 1
    assert function.pc_idle_s == 600.0


def test_pings_and_init_are_in_the_metrics() -> None:
    function = function_of([10.0], service_s=0.2)
    function.ping(5, 70.0, 0.05, 0.001, np.zeros(5))
    function.advance(7200.0)
    demand = function.demand(0.0 + 1_573_430_400.0 - 1_573_430_400.0, 180.0)
    assert demand.peak_concurrency == (1, 5, 0)
    assert demand.invocations == (1, 5, 0)


def test_scale_out_beyond_the_limit_is_throttled() -> None:
    function = function_of([10.0 + i * 1e-4 for i in range(1500)], service_s=5.0)
    function.advance(7200.0)
    assert 1000 <= function.scalars[eng.COLD] <= 1016
    assert function.scalars[eng.COLD] + function.scalars[eng.THROTTLED] == 1500
