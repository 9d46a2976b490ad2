"""The networks of the five recommenders. All have one contract, so that one function serves them all.

Input `visited`, float32 (batch, 294): above zero where the user was. Output `scores`, float32 (batch, 294): the
probability that this area is the user's other visit, summing to one over the areas not visited, which have zero.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

AREAS = 294
_NEVER = -1e9  # a logit: finite, so that a user who was everywhere gets numbers still


class Recommender(nn.Module):
    """What all have in common: a network of logits, and an answer that leaves out what was visited."""

    def __init__(self, logits: nn.Module) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, visited: Tensor) -> Tensor:
        been = visited > 0
        return torch.softmax(self.logits(been.float()).masked_fill(been, _NEVER), dim=1)


class LinearItems(nn.Module):
    """One weight for each pair of areas and one bias an area: a multinomial logistic regression on what was visited."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs = nn.Linear(AREAS, AREAS)
        nn.init.zeros_(self.pairs.weight)
        nn.init.zeros_(self.pairs.bias)

    def forward(self, been: Tensor) -> Tensor:
        return self.pairs(been)


def short_form() -> Recommender:
    return Recommender(LinearItems())
