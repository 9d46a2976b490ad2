"""How good a recommender is when one visit is hidden and the others are given.

The protocol is "all but 1" of Breese, Heckerman and Kadie, "Empirical Analysis of Predictive Algorithms for
Collaborative Filtering" (UAI 1998). They hid one visit a user, drawn at random; here each visit is hidden in turn and
a user's figures are the mean over them, which is the expected value of that draw: no seed, less noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from preheat_tools.models.msweb import Visits

HALF_LIFE = 5  # the rank that has a chance of one half of being looked at; the paper's value

Scores = npt.NDArray[np.float32]
Score = Callable[[Scores], Scores]
"""From visited (batch, areas), 0 or 1, to a score per area (batch, areas): higher is likelier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Means over users, each user weighing one. Both are in percent, higher is better."""

    recall_at_10: float
    half_life: float
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Given visits (cases, areas), the place of each one's hidden area, and the case's share of its user."""

    given: Scores
    hidden: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]


def all_but_one(visits: Visits) -> Questions:
    """Every way to hide one visit of every user who has two or more: with one alone nothing would be given."""
    kept = visits[visits.sum(axis=1) >= 2]
    users, hidden = np.nonzero(kept)
    given = kept[users].astype(np.float32)
    given[np.arange(len(users)), hidden] = 0.0
    return Questions(given=given, hidden=hidden, weight=1.0 / kept.sum(axis=1)[users])


def given_one(visits: Visits) -> Questions:
    """Every visit of a user as the only one known, every other as the hidden one: a user who has just come."""
    kept = visits[visits.sum(axis=1) >= 2]
    users, known, hidden = np.nonzero(kept[:, :, None] & kept[:, None, :])
    known, hidden, users = (part[known != hidden] for part in (known, hidden, users))
    given = np.zeros((len(users), kept.shape[1]), dtype=np.float32)
    given[np.arange(len(users)), known] = 1.0
    count = kept.sum(axis=1)[users]
    return Questions(given=given, hidden=hidden, weight=1.0 / (count * (count - 1)))


def evaluate(score: Score, questions: Questions, batch: int = 1024) -> Quality:
    """Recall@10 and the ranked half-life score, given areas never counting as recommended."""
    rank = _rank(_score_each_once(score, questions.given, batch), questions.given, questions.hidden)
    weight = questions.weight / questions.weight.sum()
    return Quality(
        recall_at_10=100.0 * float(weight @ (rank <= 10)),
        # Breese et al. eq. 5 with one hidden visit, whose best value is 1: R = 100 · mean of 2^-((rank - 1) / (α - 1))
        half_life=100.0 * float(weight @ np.exp2(-(rank - 1) / (HALF_LIFE - 1))),
        users=round(float(questions.weight.sum())),
    )


def popularity(training: Visits) -> Score:
    """The baseline: whatever most users visited, whoever asks."""
    counts = training.sum(axis=0).astype(np.float32)
    return lambda given: np.broadcast_to(counts, given.shape)


def _score_each_once(score: Score, given: Scores, batch: int) -> Scores:
    """Many users share their visits: the model is asked once for each distinct row."""
    packed, place = np.unique(np.packbits(given > 0, axis=1), axis=0, return_inverse=True)
    distinct = np.unpackbits(packed, axis=1, count=given.shape[1]).astype(np.float32)
    answers = [score(distinct[at : at + batch]) for at in range(0, len(distinct), batch)]
    return np.concatenate(answers)[place.ravel()]


def _rank(scores: Scores, given: Scores, hidden: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The hidden area's place, 1 the best; of equal scores the middle place, so that a constant gains nothing."""
    rows = np.arange(len(hidden))
    open_scores = np.where(given > 0, -np.inf, scores)
    its_own = open_scores[rows, hidden][:, None]
    better = (open_scores > its_own).sum(axis=1)
    equal = (open_scores == its_own).sum(axis=1)
    return np.asarray(better + (equal + 1) / 2, dtype=np.float64)
