"""Which models are kept ready follows the traffic that replies tell of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmer.policy.absorb import absorb
from warmer.policy.history import MODELS, History
from warmer.policy.models import wanted
from warmer.policy.plans import Batch
from warmer.policy.preheat import Preheat
from warmer.policy.values import Configured, Facts, ModelSeen, Round, RoundReport, Sighting, Target, Terms

NOW_S = 1_700_000_000.0
A = Target("a", "live")


def sighted(models: dict[str, ModelSeen], budget_mb: float) -> Sighting:
    return Sighting(
        environment="e", cold=False, provisioned=False, age_s=500.0, idle_s=100.0, init_s=2.0,
        requests=sum(model.requests for model in models.values()), models=models, models_mb=budget_mb,
    )  # fmt: skip


def after_rounds(*rounds: dict[str, ModelSeen], budget_mb: float = 100.0) -> Batch[History]:
    batch = Batch([Configured(target=A)], History.blank(1), NOW_S)
    for number, models in enumerate(rounds, 1):
        report = RoundReport(sightings=(sighted(models, budget_mb),), sent=1)
        facts = Facts(
            at_s=NOW_S + 300.0 * number,
            rounds={A: Round(target=A, environments=1, hold_s=0.0)},
            reports={A: report},
        )
        batch = replace(batch, history=absorb(batch, facts), now_s=facts.at_s)
    return batch


def model(requests: int, memory_mb: float = 60.0, load_s: float = 0.1, *, sound: bool = True) -> ModelSeen:
    return ModelSeen(requests=requests, load_s=load_s, memory_mb=memory_mb, sound=sound)


def test_the_model_that_customers_ask_for_is_asked_of_the_next_round() -> None:
    batch = after_rounds({"short_form": model(4), "long_form": model(90)})
    assert wanted(batch.history) == [{"long_form": "HOT"}]
    assert list(Preheat().plan(batch, Terms()).levels) == [{"long_form": "HOT"}]


def test_when_traffic_turns_to_another_model_so_does_the_choice() -> None:
    first = {"short_form": model(90), "long_form": model(4)}
    later = {"short_form": model(0), "long_form": model(90)}
    assert wanted(after_rounds(first).history) == [{"short_form": "HOT"}]
    assert wanted(after_rounds(first, *[later] * 3).history) == [{"long_form": "HOT"}]


def test_small_and_slow_to_load_is_worth_more_than_large_and_quick() -> None:
    models = {"small": model(40, memory_mb=30, load_s=0.5), "large": model(60, memory_mb=90, load_s=0.2)}
    assert wanted(after_rounds(models).history) == [{"small": "HOT"}]


@pytest.mark.parametrize(
    ("models", "budget_mb"),
    [
        pytest.param({"a": model(3), "b": model(2)}, 100.0, id="too-few-requests-to-tell"),
        pytest.param({"a": model(90, 40), "b": model(4, 40)}, 100.0, id="all-fit"),
        pytest.param({"a": model(90), "b": model(90)}, 0.0, id="no-limit-that-is-known"),
        pytest.param({}, 100.0, id="replies-that-name-no-models"),
    ],
)
def test_where_there_is_nothing_to_choose_the_environment_s_own_choice_stands(
    models: dict[str, ModelSeen], budget_mb: float
) -> None:
    assert wanted(after_rounds(models, budget_mb=budget_mb).history) == [{}]


def test_a_model_that_a_new_version_has_no_more_is_not_asked_for() -> None:
    first = {"old": model(90), "kept": model(30)}
    later = {"new": model(10), "kept": model(60)}
    assert wanted(after_rounds(first, later).history) == [{"kept": "HOT"}]


def test_a_model_in_quarantine_takes_no_room() -> None:
    models = {"broken": model(90, sound=False), "fine": model(30), "other": model(20)}
    assert wanted(after_rounds(models).history) == [{"fine": "HOT"}]


@settings(max_examples=60, deadline=None)
@given(
    calls=st.lists(st.integers(0, 100), min_size=1, max_size=2 * MODELS),
    sizes=st.lists(st.floats(0.1, 50), min_size=2 * MODELS, max_size=2 * MODELS),
    budget_mb=st.floats(1, 100),
)
def test_what_is_asked_for_always_fits(calls: list[int], sizes: list[float], budget_mb: float) -> None:
    models = {f"m{i}": model(count, size) for i, (count, size) in enumerate(zip(calls, sizes, strict=False))}
    levels = wanted(after_rounds(models, models, budget_mb=budget_mb).history)[0]
    assert sum(models[name].memory_mb for name in levels) <= budget_mb * (1 + 1e-6)
