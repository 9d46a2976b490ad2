"""Forecasters are mixed for each target by how wrong each has been."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmer.policy.counting import LARGER_SHARE, LARGER_SLOTS, _larger, fold
from warmer.policy.expectation import Uses
from warmer.policy.forecast import hazard_per_s, trust
from warmer.policy.history import FIRST_SLOTS, FORECASTERS, LEVELS, WIDTHS, History

MIDNIGHT_S = 1_700_006_400.0
BY_AGE, BY_DAYS, BY_HOUR = range(len(FORECASTERS))


def lived(need_at: dict[int, float], days: int) -> tuple[History, float]:
    """A target needed in these five-minute stretches from the first midnight on, and the end of the last day."""
    history = History.blank(1)
    history.columns["first_s"] = history.columns["folded_s"] = MIDNIGHT_S
    for stretch in range(days * 288):
        end = MIDNIGHT_S + 300.0 * (stretch + 1)
        fold(history.columns, np.array([0]), np.array([end]), np.array([need_at.get(stretch, 0.0)]))
    return history, MIDNIGHT_S + 86400.0 * days


def test_who_is_called_at_nine_each_day_is_forecast_by_the_hour() -> None:
    history, now_s = lived({day * 288 + 9 * 12 + i: 20.0 for day in range(6) for i in range(12)}, days=6)
    assert trust(history)[0, BY_HOUR] == trust(history)[0].max()
    slot = int(np.searchsorted(LEVELS, 20))
    nine, ten = (hazard_per_s(history, now_s + hour * 3600.0 + 60)[0, slot] for hour in (9, 10))
    assert nine > 3 * ten


def test_who_is_called_in_spells_is_forecast_by_idle_age() -> None:
    drawn = np.random.default_rng(1)
    spells = drawn.choice(4 * 288, 24, replace=False).tolist()
    history, _ = lived({start + i: 6.0 for start in spells for i in range(8)}, days=4)
    assert trust(history)[0].argmax() == BY_AGE


def test_before_anything_is_known_the_sum_of_trust_is_one_and_all_rates_are_the_prior_s() -> None:
    history = History.blank(3)
    assert trust(history).sum(axis=1) == pytest.approx([1.0] * 3)
    assert np.isfinite(hazard_per_s(history, MIDNIGHT_S)).all()


@settings(max_examples=100, deadline=None)
@given(
    need=st.integers(0, 12),
    chances=st.lists(st.floats(0.01, 0.99), min_size=12, max_size=12).map(lambda c: sorted(c, reverse=True)),
)
def test_the_loss_is_the_pinball_loss_of_all_quantiles(need: int, chances: list[float]) -> None:
    """Σ (P(slot) - hit)² over the slots against twice the pinball loss integrated over the quantiles' levels."""
    exceeds = np.array(chances)  # P(peak >= 1 .. 12)
    hits = np.arange(1, 13) <= need
    scored = float(((exceeds - hits) ** 2 * WIDTHS[:12]).sum())
    levels = (np.arange(20_000) + 0.5) / 20_000
    quantiles = (exceeds[None, :] > (1 - levels)[:, None]).sum(
        axis=1
    )  # the least peak not exceeded with that chance
    pinball = np.maximum(levels * (need - quantiles), (levels - 1) * (need - quantiles))
    assert 2 * pinball.mean() == pytest.approx(scored, abs=0.01)


def test_a_burst_that_found_too_few_is_seldom_the_largest() -> None:
    """Slots beyond what customers who waited needed are expected sooner than if a round had told of the same need."""
    quiet, now_s = lived({}, days=1)
    hazards = []
    for cold in (0.0, 6.0):
        history = History(quiet.columns.copy())
        uses = Uses(ago_s=np.zeros((1, len(LEVELS))), count=np.ones((1, len(LEVELS))), cold=np.array([cold]))
        fold(history.columns, np.array([0]), np.array([now_s + 300.0]), np.array([6.0]), uses)
        hazards.append(hazard_per_s(history, now_s + 600.0)[0])
    told, waited = hazards
    sooner = FIRST_SLOTS[waited > 1.5 * told]
    assert sooner.tolist() == [slot for slot in FIRST_SLOTS if 6 < slot <= 6 + LARGER_SLOTS]
    assert waited[:6] == pytest.approx(told[:6])


@pytest.mark.parametrize("need", [1, 6, 12, 50, 100, 199, 500, 3000])
def test_as_many_slots_beyond_a_burst_count_wherever_levels_begin(need: int) -> None:
    uses = Uses(ago_s=np.zeros((1, len(LEVELS))), count=np.ones((1, len(LEVELS))), cold=np.array([1.0]))
    counted = (_larger(np.array([float(need)]), uses)[0] * WIDTHS).sum() / LARGER_SHARE
    level = LEVELS[np.searchsorted(LEVELS, need)]
    assert counted == max(need + LARGER_SLOTS - level, 0), (
        "what is left of the need's own level is needed anyway"
    )
