"""What the simulator's ports answer as columns, against what they answer one by one."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.traces import Series, Trace
from preheat_tools.simulator.world import SimulatedPinger, SimulatedProvisioner, World

from warmer.policy.replies import Tally, tally_of
from warmer.policy.values import Round

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
            np.testing.assert_array_equal(getattr(brought, field.name), getattr(counted, field.name))
