"""Which models are worth their memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preheat.choice import Candidate, eager_set, order, victims, worth

names = st.integers(0, 10_000).map(lambda number: f"m{number}")
candidates = st.lists(
    st.builds(
        Candidate,
        name=names,
        traffic_share=st.floats(0, 1),
        load_ms=st.floats(0, 1e5),
        memory_mb=st.floats(0.1, 1e4),
        priority=st.integers(-2, 2),
        required=st.booleans(),
    ),
    unique_by=lambda model: model.name,
    max_size=8,
)


def model(name: str, share: float = 0.1, load_ms: float = 100.0, memory_mb: float = 10.0) -> Candidate:
    return Candidate(name=name, traffic_share=share, load_ms=load_ms, memory_mb=memory_mb)


@pytest.mark.parametrize(
    ("more", "less"),
    [
        pytest.param(model("a", share=0.8), model("b", share=0.1), id="asked-more-often"),
        pytest.param(model("a", load_ms=900.0), model("b", load_ms=100.0), id="slower-to-load"),
        pytest.param(model("a", memory_mb=1.0), model("b", memory_mb=10.0), id="smaller"),
    ],
)
def test_worth_is_traffic_times_load_time_by_size(more: Candidate, less: Candidate) -> None:
    assert worth(more) > worth(less)
    assert victims([more, less], [], 0.5) == [less.name]


@given(candidates, st.floats(0, 3e4))
def test_the_eager_set_fits_and_leaves_out_only_what_does_not(
    models: list[Candidate], budget_mb: float
) -> None:
    chosen = eager_set(models, budget_mb)
    sizes = {model.name: model.memory_mb for model in models}
    used_mb = sum(sizes[name] for name in chosen)
    assert used_mb <= budget_mb + 1e-6
    assert all(used_mb + sizes[name] > budget_mb - 1e-6 for name in sizes if name not in chosen)


@given(candidates, st.data(), st.floats(0, 3e4))
def test_victims_free_enough_and_are_never_in_use(
    models: list[Candidate], data: st.DataObject, need_mb: float
) -> None:
    in_use = {model.name for model in models if data.draw(st.booleans())}
    free = {model.name: model.memory_mb for model in models if model.name not in in_use}
    chosen = victims(models, in_use, need_mb)
    if chosen is None:
        assert sum(free.values()) < need_mb + 1e-6
        return
    assert set(chosen) <= free.keys()
    assert sum(free[name] for name in chosen) >= need_mb
    assert sum(free[name] for name in chosen[:-1]) < need_mb or not chosen  # and not one more
    kept = [model.name for model in order(models) if model.name in free and model.name not in chosen]
    ranked = [model.name for model in order(models) if model.name in free]
    assert ranked[: len(kept)] == kept  # those worth most
