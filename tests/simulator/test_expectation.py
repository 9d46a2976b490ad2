"""The policy's own expectation beside the simulator, which knows what doing nothing would have left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from preheat_tools.adviser.savings import saved
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.contenders import contender
from preheat_tools.simulator.run import play
from preheat_tools.simulator.traces import Trace, read_trace

TRACES = Path(__file__).parents[2] / "traces"
EVERY = 40


@pytest.mark.parametrize("lifetime", ["6m", "random"])
def test_what_plans_expected_of_doing_nothing_comes_near_to_what_it_leaves(lifetime: str) -> None:
    whole = read_trace(TRACES / "azure2019_dayshapes_dev.csv.gz")
    trace, world = Trace(whole.name, whole.series[::EVERY]), Assumptions(lifetime=lifetime)
    none = play(trace, contender("none", trace, world), world)
    own = play(trace, contender("preheat", trace, world), world, keep=True)
    told = saved([json.dumps(outcome.to_record()) for outcome in own.outcomes]).targets
    left = sum(one.cold_starts_left for one in told)
    without = left + sum(one.cold_starts_spared for one in told)
    assert 0.6 < without / none.cold_starts < 1.5
    assert 0.3 < left / own.cold_starts < 1.5
