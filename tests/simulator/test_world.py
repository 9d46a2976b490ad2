"""What the simulator's ports answer as columns, against what they answer one by one."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.answers import ReadMinutes
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.baselines.fixed import Fixed, Rounds
from preheat_tools.simulator.function import START_S
from preheat_tools.simulator.run import Contender, play
from preheat_tools.simulator.traces import Series, Trace
from preheat_tools.simulator.world import SimulatedDemand, SimulatedPinger, SimulatedProvisioner, World

from warmer.policy.plans import Batch, Plans
from warmer.policy.replies import Ages, LastUsed, Tally, tally_of
from warmer.policy.values import Round, Terms

sizes = st.lists(st.integers(1, 200), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(
    rounds=st.lists(sizes, min_size=1, max_size=4), provisioned=st.integers(0, 5), hold_s=st.floats(0, 0.1)
)
def test_a_tally_is_that_of_its_reports(rounds: list[list[int]], provisioned: int, hold_s: float) -> None:
    series = tuple(Series(name=f"f{i}", pattern="", counts=np.full(60, 5 * i)) for i in range(3))
    world = World(Trace("t", series), Assumptions(service_ms=9000.0, burst_environments=50.0))
    pinger = SimulatedPinger(world, lambda now_s: 0.0)
    world.begin_cycle(30.0)
    SimulatedProvisioner(world).request(world.targets[1], provisioned)
    for number, counts in enumerate(rounds):
        world.begin_cycle(300.0 * (number + 1))
        asked = [
            Round(target=target, environments=count, hold_s=hold_s)
            for target, count in zip(world.targets, counts, strict=False)
        ]
        reports = pinger.send(asked)
        brought, counted = tally_of(reports), Tally.of(dict(reports))
        for field in fields(Tally):
            if field.name not in {"last_used", "ages"}:
                np.testing.assert_array_equal(getattr(brought, field.name), getattr(counted, field.name))
        for kind, name in ((LastUsed, "last_used"), (Ages, "ages")):
            for field in fields(kind):
                one, other = (getattr(getattr(tally, name), field.name) for tally in (brought, counted))
                np.testing.assert_array_equal(one, other)


@settings(max_examples=40, deadline=None)
@given(
    since=st.lists(st.floats(-600, 3000), min_size=3, max_size=3),
    now=st.floats(0, 3000),
    provisioned=st.integers(0, 3),
    number=st.integers(-3, 3),
)
def test_minutes_read_together_are_those_of_each_function(
    since: list[float], now: float, provisioned: int, number: int
) -> None:
    series = tuple(Series(name=f"f{i}", pattern="", counts=np.full(60, 7 * i)) for i in range(3))
    world = World(Trace("t", series), Assumptions(service_ms=9000.0))
    world.begin_cycle(1.0)
    SimulatedProvisioner(world).request(world.targets[2], provisioned)
    world.begin_cycle(now)
    asked = {target: START_S + at for target, at in zip(world.targets, since, strict=True)}
    read = SimulatedDemand(world).read(asked, START_S + now)
    assert isinstance(read, ReadMinutes)
    minutes = read.minute(number)
    for row, (target, function) in enumerate(zip(world.targets, world.functions, strict=True)):
        alone = function.demand(asked[target] - START_S, (START_S + now) - START_S - 120.0)
        # a minute without datapoint is nan there, which equals nothing
        assert repr(read[target]) == repr(alone)
        peaks = dict(enumerate(alone.peak_concurrency)) | dict(
            enumerate(alone.peak_concurrency, -len(alone.invocations))
        )
        assert minutes[row, eng.PEAK] == peaks.get(number, 0)


def test_a_policy_that_fails_is_no_result() -> None:
    trace = Trace("t", (Series(name="f", pattern="", counts=np.ones(60, np.int64)),))
    with pytest.raises(RuntimeError, match=r"broken, 00000-f:live: ZeroDivisionError"):
        play(trace, Contender("broken", Broken(), Rounds.stack), Assumptions())


class Broken(Fixed):
    def plan(self, batch: Batch[Rounds], terms: Terms) -> Plans:
        raise ZeroDivisionError("no reason")
