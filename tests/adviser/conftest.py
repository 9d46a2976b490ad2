from __future__ import annotations

import numpy as np
import pytest
from preheat_tools.adviser.advice import Advice, Size, advise
from preheat_tools.adviser.comparison import Case
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.traces import Series, Trace

from warmer.policy.values import Target

WORLD = Assumptions(init_ms=2000.0)


def batches() -> Trace:
    """Ten requests at a time, every quarter of an hour of a day."""
    counts = np.zeros(1440, np.int64)
    counts[::15] = 10
    return Trace("batches", (Series(name="f", pattern="", counts=counts, key="f"),))


@pytest.fixture(scope="session")
def case() -> Case:
    return Case(trace=batches(), world=WORLD)


@pytest.fixture(scope="session")
def advice(case: Case) -> Advice:
    sizes = (Size(memory_mb=4096, init_ms=1200.0, service_ms=100.0),)
    return advise(case, sizes=sizes, notes=["A note & more."], target=Target("f", "live"))
