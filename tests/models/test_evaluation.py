"""The figures of merit, against values worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from preheat_tools.models.evaluation import all_but_one, evaluate, given_one, popularity
from preheat_tools.models.msweb import read_web_data

DATA = Path(__file__).parents[2] / "data/msweb"
VISITS = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]], dtype=np.bool_)


def _always(*scores: float):
    return lambda given: np.broadcast_to(np.float32(scores), given.shape)


def test_every_visit_is_hidden_once_and_a_user_weighs_one() -> None:
    asked = all_but_one(VISITS)
    assert asked.hidden.tolist() == [0, 1, 0, 1, 2]
    assert asked.given.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0]]
    assert asked.weight == pytest.approx([1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3])


def test_a_new_user_is_known_by_one_visit() -> None:
    asked = given_one(VISITS)
    assert (asked.given.sum(axis=1) == 1).all()
    assert asked.weight.sum() == pytest.approx(2)
    assert len(asked.hidden) == 2 + 6


def test_half_life_halves_every_four_ranks() -> None:
    """Ranks of the hidden area: (1, 1) for the first user; (1, 1, 1) for the second with 0 > 1 > 2 > 3."""
    assert evaluate(_always(4, 3, 2, 1), all_but_one(VISITS)).half_life == pytest.approx(100)
    # 3 > 2 > 1 > 0: the first user's hidden ranks are 3 and 3, the second's 2, 2 and 2
    expected = 50 * (2 ** (-2 / 4) + 2 ** (-1 / 4))
    assert evaluate(_always(1, 2, 3, 4), all_but_one(VISITS)).half_life == pytest.approx(expected)


def test_scores_that_are_all_equal_gain_nothing() -> None:
    """Three areas are open to the first user, two to the second: the middle ranks are 2 and 1.5."""
    expected = 50 * (2 ** (-1 / 4) + 2 ** (-0.5 / 4))
    assert evaluate(_always(1, 1, 1, 1), all_but_one(VISITS)).half_life == pytest.approx(expected)


def test_recall_counts_the_first_ten() -> None:
    visits = np.zeros((1, 30), dtype=np.bool_)
    visits[0, [0, 12]] = True  # given 0, area 12 has rank 12; given 12, area 0 has rank 1
    assert evaluate(_always(*range(30, 0, -1)), all_but_one(visits)).recall_at_10 == pytest.approx(50)


def test_popularity_on_real_users_is_what_a_slow_count_finds() -> None:
    """The same figures by loops over users and their visits, ties counted as the middle place."""
    web = read_web_data(DATA)
    visits, counts = web.test[:300], web.training.sum(axis=0)
    recalls, scores = [], []
    for user in visits[visits.sum(axis=1) >= 2]:
        ranks = []
        for hidden in np.flatnonzero(user):
            open_counts = [counts[area] for area in range(294) if area == hidden or not user[area]]
            better = sum(count > counts[hidden] for count in open_counts)
            equal = sum(count == counts[hidden] for count in open_counts)
            ranks.append(better + (equal + 1) / 2)
        recalls.append(np.mean([rank <= 10 for rank in ranks]))
        scores.append(np.mean([2 ** (-(rank - 1) / 4) for rank in ranks]))
    found = evaluate(popularity(web.training), all_but_one(visits))
    assert found.recall_at_10 == pytest.approx(100 * np.mean(recalls))
    assert found.half_life == pytest.approx(100 * np.mean(scores))
    assert found.users == len(scores)
