"""Training: from what a user visited, the distribution of the visit that was hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from preheat_tools.models.evaluation import Score, Scores, all_but_one
from preheat_tools.models.msweb import Visits
from preheat_tools.models.networks import Recommender

THREADS = 1  # sums are split by thread, so another number gives other last bits; and threads of torch wait by spinning
Progress = Callable[[float, float], None]
"""Called after each epoch with the part done, from 0 to 1, and the mean loss in nats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained; chosen on users held out of the training set, never on the test users."""

    epochs: int
    peak_learning_rate: float
    weight_decay: float
    forgetting: float = 0.2
    """The mean part of the given visits that is left out, anew each time a context is seen."""
    batch: int = 256
    of_one_length: bool = False
    """Batches of contexts with about as many visits: a transformer pads less, other networks learn worse so."""
    seed: int = 1998


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """Distinct sets of given visits, and how often each area was the one hidden from them: both (contexts, areas).

    A user weighs one in all, as in the evaluation. Most users share their contexts with others, so this is a third
    of the users' own rows, and the loss is the exact mean over every way to hide a visit.
    """

    given: Tensor
    hidden: Tensor


def contexts(visits: Visits) -> Contexts:
    """All ways to hide one visit, those with the same visits left taken together."""
    questions = all_but_one(visits)
    packed, place = np.unique(
        np.packbits(questions.given.astype(np.bool_), axis=1), axis=0, return_inverse=True
    )
    given = np.unpackbits(packed, axis=1, count=visits.shape[1]).astype(np.float32)
    hidden = np.zeros_like(given)
    np.add.at(hidden, (place.ravel(), questions.hidden), questions.weight.astype(np.float32))
    return Contexts(given=torch.from_numpy(given), hidden=torch.from_numpy(hidden))


def train(
    network: Callable[[], Recommender], recipe: Recipe, data: Contexts, progress: Progress
) -> Recommender:
    """A trained network, the same to the last bit for the same recipe, data and machine."""
    torch.manual_seed(recipe.seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(THREADS)
    model = network()
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.peak_learning_rate, weight_decay=recipe.weight_decay
    )
    batches = -(-len(data.given) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_learning_rate, total_steps=recipe.epochs * batches, pct_start=0.1
    )
    for epoch in range(recipe.epochs):
        loss_sum = 0.0
        for rows in _batches(data.given, recipe):
            optimizer.zero_grad()
            loss = _loss(model, data.given[rows], data.hidden[rows], recipe.forgetting)
            loss.backward()
            optimizer.step()
            schedule.step()
            loss_sum += float(loss.detach())
        progress((epoch + 1) / recipe.epochs, loss_sum / batches)
    model.eval()
    return model


def score_by(model: Recommender) -> Score:
    """The model as the evaluation asks it."""

    def score(given: Scores) -> Scores:
        with torch.inference_mode():
            answer: Scores = model(torch.from_numpy(given)).numpy()
        return answer

    return score


def _loss(model: Recommender, given: Tensor, hidden: Tensor, forgetting: float) -> Tensor:
    """Cross-entropy with the hidden visits, in nats a user; what the model forgot it was given is no answer either."""
    forgotten = torch.rand_like(given) < 2 * forgetting * torch.rand(len(given), 1)
    logits = model.logits(given.masked_fill(forgotten, 0.0)).masked_fill(given > 0, -1e9)
    return -(hidden * functional.log_softmax(logits, dim=1)).sum() / hidden.sum()


def _batches(given: Tensor, recipe: Recipe) -> list[Tensor]:
    """Places of all rows in random order, a batch an entry."""
    order = torch.randperm(len(given))
    if not recipe.of_one_length:
        return list(order.split(recipe.batch))
    order = order[torch.argsort(given[order].sum(dim=1), stable=True)]
    parts = order.split(recipe.batch)
    return [parts[place] for place in torch.randperm(len(parts)).tolist()]
