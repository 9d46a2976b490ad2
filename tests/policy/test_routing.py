"""Which environment is next is not known: what tells of it, and of need where all are used in turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmer.policy.absorb import absorb
from warmer.policy.history import FIRST_SLOTS, History
from warmer.policy.plans import Batch
from warmer.policy.routing import need_in_turn
from warmer.policy.values import Configured, Demand, Facts, RoundReport, Sighting, Target

START_S = 1_700_000_040.0 // 300 * 300
A = Target("a", "live")
POOL = 10


def sighting(number: int, requests: int, idle_s: float) -> Sighting:
    return Sighting(
        environment=str(number), cold=False, provisioned=False, age_s=900.0, idle_s=idle_s, requests=requests,
        init_s=3.0,
    )  # fmt: skip


def rounds(used: int, apart_s: float, *, number: int = 12) -> Batch[History]:
    """A target whose rounds, minute 3 of every 5, found so many of its pool in use, each for so much longer idle."""
    batch = Batch([Configured(target=A)], History.blank(1), START_S)
    batch = replace(batch, history=absorb(batch, Facts(at_s=START_S)))
    for one in range(number):
        found = tuple(sighting(i, 3 if i < used else 0, 20.0 + apart_s * i) for i in range(POOL))
        report = RoundReport(sightings=found, sent=POOL, held_s=0.03)
        at_s = START_S + 300.0 * one + 210.0
        batch = replace(batch, history=absorb(batch, Facts(at_s=at_s, reports={A: report})))
    return batch


def hour(used: int, apart_s: float, peak: int, *, calls: int = 30, in_own_minute: int = 30) -> History:
    """The same, and then CloudWatch's minutes: the customers' peak, and how many they were."""
    peaks, customers = np.full(60, peak), np.full(60, calls)
    peaks[3::5], customers[3::5] = max(POOL, peak), in_own_minute + POOL
    demand = Demand(
        start_s=START_S,
        period_s=60.0,
        peak_concurrency=tuple(peaks.tolist()),
        invocations=tuple(customers.tolist()),
        duration_s=0.2,
    )
    return absorb(rounds(used, apart_s), Facts(at_s=START_S + 3720, demand={A: demand}))


SPREAD_S, TOGETHER_S, AT_ONCE_S = 9.0, 0.1, 0.001


@pytest.mark.parametrize(
    ("history", "in_turn"),
    [
        pytest.param(lambda: rounds(10, SPREAD_S).history, True, id="used-one-after-another"),
        pytest.param(lambda: rounds(10, SPREAD_S, number=2).history, False, id="too-few-to-say"),
        pytest.param(lambda: rounds(10, AT_ONCE_S).history, False, id="used-at-once"),
        pytest.param(lambda: rounds(10, TOGETHER_S).history, False, id="half-of-them-used-at-once"),
        pytest.param(lambda: hour(10, TOGETHER_S, peak=3), True, id="all-in-use-for-a-peak-of-three"),
        pytest.param(lambda: hour(10, SPREAD_S, peak=10), False, id="a-peak-of-all-has-the-last-word"),
        pytest.param(lambda: hour(3, TOGETHER_S, peak=3), False, id="as-many-in-use-as-at-once"),
        pytest.param(lambda: hour(1, TOGETHER_S, peak=1), False, id="one-in-use-tells-nothing"),
        pytest.param(lambda: hour(8, AT_ONCE_S, peak=0, calls=0, in_own_minute=8), False, id="hidden-by-the-rounds"),
    ],
)  # fmt: skip
def test_replies_tell_the_routing_and_peaks_surely(history: Callable[[], History], in_turn: bool) -> None:
    assert history()["in_turn"].tolist() == [in_turn]


@pytest.mark.parametrize("apart_s", [SPREAD_S, TOGETHER_S], ids=["by-replies", "by-peaks"])
def test_what_was_counted_of_slots_above_the_true_peak_is_forgotten_when_it_comes_out(apart_s: float) -> None:
    believed = hour(10, apart_s, peak=3)
    above = FIRST_SLOTS >= 4
    for name in ("events", "day_events"):
        assert not believed[name][0][above].any() and believed[name][0][~above].any()
    assert believed["peak"][0] <= 3.0
    assert rounds(10, AT_ONCE_S).history["events"][0][above].any(), "else they are need"


def test_in_turn_a_round_in_which_all_were_used_is_no_need_of_all() -> None:
    batch = Batch([Configured(target=A)], hour(10, TOGETHER_S, peak=3), START_S)
    at_s = START_S + 3900.0
    after = absorb(batch, Facts(at_s=at_s, reports={A: RoundReport(sightings=tuple(SPREAD), sent=POOL)}))
    assert 2.9 < after["peak"][0] <= 3.0, "it fades, and nothing was added"
    assert after["folded_s"][0] == at_s


def test_what_other_targets_show_counts_a_little() -> None:
    one = rounds(10, SPREAD_S, number=4).history.rows()
    several = History.stack(one * 200 + History.blank(1).rows())
    batch = Batch([Configured(target=Target(f"f{i}", "live")) for i in range(201)], several, START_S)
    found = tuple(sighting(i, 3, 9.0 * i) for i in range(POOL))
    report = RoundReport(sightings=found, sent=POOL)
    after = absorb(batch, Facts(at_s=START_S + 4000.0, reports={batch.targets[200]: report}))
    assert after["in_turn"][200]
    alone = Batch(batch.configured[200:], History.blank(1), START_S)
    assert not absorb(alone, Facts(at_s=START_S + 4000.0, reports={batch.targets[200]: report}))["in_turn"][0]


SPREAD = [sighting(i, 4, 9.0 * (i + 1)) for i in range(POOL)]
BURST = [sighting(i, 1, 60.0 + 0.01 * i) for i in range(8)] + [sighting(i, 0, 300.0) for i in range(8, POOL)]


@pytest.mark.parametrize(
    ("found", "need"),
    [
        pytest.param([], 0, id="nothing-found"),
        pytest.param([sighting(0, 0, 300.0)], 0, id="nobody-came"),
        pytest.param([sighting(0, 5, 12.0)], 1, id="one-environment"),
        pytest.param(SPREAD, 2, id="forty-requests-in-turn-of-which-two-may-meet"),
        pytest.param(BURST, 8, id="eight-that-ended-together"),
    ],
)
def test_need_in_turn(found: Sequence[Sighting], need: int) -> None:
    assert need_in_turn(found, 300.0, 0.2) == need


@settings(max_examples=60, deadline=None)
@given(requests=st.integers(1, 20_000), load=st.floats(0.001, 450.0))
def test_independent_requests_are_given_their_median_peak(requests: int, load: float) -> None:
    """Against the sum over all that one request may find under way, in logarithms."""
    pool = 2000
    found = [sighting(i, 0, 0.0) for i in range(pool)]
    for i in range(min(pool, requests)):
        found[i] = sighting(i, requests // pool + (i < requests % pool), 1e6 * (i + 1))
    service_s = 300.0 * load / requests

    def finds_at_least(m: int) -> float:
        top = int(load + 40 * math.sqrt(load) + 60)
        return math.fsum(math.exp(k * math.log(load) - load - math.lgamma(k + 1)) for k in range(m, top))

    need = need_in_turn(found, 300.0, service_s)
    assert 1 <= need <= min(requests, pool)
    if service_s < 300.0 and need < min(requests, pool):
        assert requests * finds_at_least(int(need)) <= math.log(2) + 1e-6
        assert need == 1 or requests * finds_at_least(int(need) - 1) >= math.log(2) - 1e-6


def test_the_median_peak_of_a_large_load_is_a_few_deviations_above_it() -> None:
    found = [sighting(i, 100, 1e6 * (i + 1)) for i in range(2000)]
    need = need_in_turn(found, 300.0, 300.0 * 900 / 200_000)
    assert 900 + 3 * 30 < need < 900 + 5.5 * 30
