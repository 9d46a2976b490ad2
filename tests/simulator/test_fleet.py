"""Functions played together in one compiled call, against each played alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preheat_tools.simulator import engine as eng
from preheat_tools.simulator import placement, together
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.fleet import Fleet, Found
from preheat_tools.simulator.function import Function
from preheat_tools.simulator.traces import Series

SPAN_S = 3600.0
WORLD = Assumptions(lifetime="random", routing="random")

Cycle = tuple[float, list[tuple[int, int]], list[tuple[int, int]]]

counts = st.lists(st.sampled_from([0, 0, 1, 3, 40]), min_size=60, max_size=60)
cycle = st.tuples(
    st.floats(0, 59),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), max_size=4, unique_by=lambda r: r[0]),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=2),
)
"""The second in its minute, rounds by function and pings, requests of provisioned concurrency."""


def functions_of(bins: list[list[int]], fleets: list[Fleet]) -> list[Function]:
    return [
        Function(
            Series(name=f"f{number}", pattern="", counts=np.array(some)), number, SPAN_S, WORLD, 20.0,
            oracle=False, fleet=fleet,
        )
        for number, (some, fleet) in enumerate(zip(bins, fleets, strict=True))
    ]  # fmt: skip


@pytest.mark.parametrize("block", [placement.BLOCK, 30], ids=["whole", "requests-in-blocks"])
@pytest.mark.parametrize("skip_still", [False, True])
@settings(max_examples=40, deadline=None)
@given(
    bins=st.lists(counts, min_size=4, max_size=4), cycles=st.lists(cycle, max_size=12), seed=st.integers(0, 9)
)
def test_functions_played_together_are_each_as_if_played_alone(
    block: int,
    *,
    skip_still: bool,
    bins: list[list[int]],
    cycles: list[Cycle],
    seed: int,
) -> None:
    fleet = Fleet(4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement, "BLOCK", block)
        both = functions_of(bins, [fleet] * 4), functions_of(bins, [Fleet(4) for _ in bins])
        together_, alone = both
        for number, (second, rounds, provisioned) in enumerate(cycles):
            now = 240.0 * number + second
            fleet.play(together_, np.arange(4), now, skip_still=skip_still)
            for some in both:
                for function, count in provisioned:
                    some[function].provision(count, now, 120.0, 300.0)
            if rounds:
                jitter = np.random.default_rng(seed).exponential(0.01, sum(count for _, count in rounds))
                found = sent(fleet, together_, rounds, now, jitter)
                for row, (function, count) in enumerate(rounds):
                    edges = slice(*found.edges[row : row + 2])
                    one = alone[function].ping(count, now + row, 0.03, 0.001, jitter[edges])
                    np.testing.assert_array_equal(found.found[edges], one)
                    assert_summed_up(found.summaries[row], one)
        for some in both:
            for function in some:
                function.close(SPAN_S, 300.0)
    for one, other in zip(*both, strict=True):
        left_out = [eng.NOW]  # when each was looked at last
        np.testing.assert_array_equal(np.delete(one.scalars, left_out), np.delete(other.scalars, left_out))
        np.testing.assert_array_equal(one.minutes, other.minutes)
        assert one.pc_idle_s == other.pc_idle_s


def sent(
    fleet: Fleet, functions: list[Function], rounds: list[tuple[int, int]], now: float, jitter: object
) -> Found:
    """A round a second."""
    n = len(rounds)
    return fleet.ping(
        functions, np.array([function for function, _ in rounds]), np.array([count for _, count in rounds]),
        now + np.arange(n, dtype=np.float64), np.full(n, 0.001), np.full(n, 0.03), np.asarray(jitter),
    )  # fmt: skip


def assert_summed_up(summary: object, found: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    """The compiled sums, made again plainly."""
    met = {row[eng.F_ID]: row for row in found[::-1].tolist() if row[eng.F_ID] != eng.THROTTLED_ID}
    own = [row for row in met.values() if not row[eng.F_PC]]
    late = found[:, eng.F_LATE]
    of = np.asarray(summary)
    assert of[together.R_DISTINCT] == len(met)
    assert of[together.R_THROTTLED] == (found[:, eng.F_ID] == eng.THROTTLED_ID).sum()
    assert of[together.R_OWN] == len(own)
    assert of[together.R_USED] == sum(row[eng.F_SERVED] > 0 for row in own)
    assert of[together.R_SERVED] == sum(row[eng.F_SERVED] for row in own)
    assert of[together.R_MADE] == sum(row[eng.F_COLD] for row in own)
    assert of[together.R_SPREAD] == pytest.approx(np.abs(late - late.mean()).mean())
    assert of[together.R_HELD] == pytest.approx(found[:, eng.F_HELD].mean())


@given(
    began=st.lists(st.floats(0, 3000), max_size=20),
    asked=st.lists(st.floats(0, 3600), min_size=1, max_size=5),
)
def test_a_cold_start_is_announced_once_and_told_to_who_asks_for_its_time(
    began: list[float], asked: list[float]
) -> None:
    fleet = Fleet(1)
    times = np.sort(np.array(began))
    series = Series(
        name="f",
        pattern="",
        counts=np.bincount((times // 60).astype(np.int64), minlength=1),
        instants_s=times,
    )
    function = Function(series, 0, SPAN_S, Assumptions(), 0.2, oracle=False, fleet=fleet)
    function.advance(SPAN_S)
    cold = function.colds[: int(function.scalars[eng.COLD])]
    told = np.zeros(1, np.int64)
    for now in sorted(asked):
        before = int(told[0])
        numbers = fleet.announced(told, 8.0, now)
        assert told[0] == (cold + 8.0 <= now).sum()
        assert numbers.tolist() == ([0] if told[0] > before else [])
    since, until = min(asked), max(asked)
    ((first, last),) = fleet.told_between(np.array([0]), np.array([since]), until).tolist()
    assert cold[first:last].tolist() == [t for t in cold.tolist() if since < t <= until]
