"""What the five networks have in common, and that training is repeatable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from preheat_tools.models.evaluation import all_but_one, evaluate, popularity  # noqa: E402
from preheat_tools.models.msweb import read_web_data  # noqa: E402
from preheat_tools.models.networks import VisitTransformer  # noqa: E402
from preheat_tools.models.roster import DUTIES, Duty, golden_questions  # noqa: E402
from preheat_tools.models.training import Recipe, contexts, score_by, train  # noqa: E402

WEB = read_web_data(Path(__file__).parents[2] / "data/msweb")
EACH = pytest.mark.parametrize("duty", DUTIES, ids=lambda duty: duty.name)


@EACH
def test_an_answer_is_a_probability_of_each_area_not_visited(duty: Duty) -> None:
    torch.manual_seed(0)
    visited = torch.from_numpy(WEB.test[:8].astype(np.float32))
    with torch.inference_mode():
        scores = duty.network().eval()(visited)
    assert scores.shape == visited.shape
    assert scores.dtype == torch.float32
    np.testing.assert_allclose(scores.sum(dim=1).numpy(), 1, rtol=1e-5)
    assert float(scores[visited > 0].max()) == 0


@EACH
def test_nowhere_and_everywhere_have_finite_answers(duty: Duty) -> None:
    with torch.inference_mode():
        scores = duty.network().eval()(torch.stack([torch.zeros(294), torch.ones(294)]))
    assert bool(torch.isfinite(scores).all())


def test_no_user_of_the_data_has_more_visits_than_the_transformer_has_places() -> None:
    assert max(WEB.training.sum(axis=1).max(), WEB.test.sum(axis=1).max()) <= VisitTransformer.PLACES


def test_contexts_weigh_each_user_once_and_hold_no_hidden_visit() -> None:
    data = contexts(WEB.training[:500])
    users = int((WEB.training[:500].sum(axis=1) >= 2).sum())
    assert float(data.hidden.sum()) == pytest.approx(users, rel=1e-5)
    assert float((data.given * data.hidden).sum()) == 0
    assert len(torch.unique(data.given, dim=0)) == len(data.given)


def test_the_same_recipe_gives_the_same_bits() -> None:
    duty = next(duty for duty in DUTIES if duty.name == "new_users")
    recipe = Recipe(epochs=1, peak_learning_rate=0.003, weight_decay=0.02)
    data = contexts(WEB.training[:500])
    one, two = (train(duty.network, recipe, data, lambda done, loss: None) for _ in range(2))
    assert all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    )


def test_the_linear_model_learns_more_than_popularity_from_part_of_the_users() -> None:
    duty = next(duty for duty in DUTIES if duty.name == "short_form")
    learnt, asked = WEB.training[:5000], all_but_one(WEB.test[:1000])
    model = train(duty.network, duty.recipe, contexts(learnt), lambda done, loss: None)
    assert evaluate(score_by(model), asked).half_life > evaluate(popularity(learnt), asked).half_life + 8


def test_golden_questions_are_test_users_in_growing_batches() -> None:
    assert [arrays["visited"].shape for arrays in golden_questions(WEB)] == [(1, 294), (2, 294), (4, 294)]
