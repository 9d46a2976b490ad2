"""The networks of the five recommenders. All have one contract, so that one function serves them all.

Input `visited`, float32 (batch, 294): above zero where the user was. Output `scores`, float32 (batch, 294): the
probability that this area is the user's other visit, summing to one over the areas not visited, which have zero.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

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


class Popularity(nn.Module):
    """One bias an area, whoever asks."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, AREAS))

    def forward(self, been: Tensor) -> Tensor:
        return self.bias.expand_as(been)


class TwoTowers(nn.Module):
    """The user's tower sums embeddings of the areas visited, the areas' tower is a table; a score is a dot product."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.visited = nn.Linear(AREAS, width, bias=False)
        self.user = nn.Linear(width, width)
        self.area = nn.Linear(width, AREAS)
        self.dropout = nn.Dropout(0.2)
        nn.init.normal_(self.visited.weight, std=0.1)

    def forward(self, been: Tensor) -> Tensor:
        user = self.visited(_unit(been))
        return self.area(user + self.dropout(torch.relu(self.user(user))))


class Autoencoder(nn.Module):
    """A denoising autoencoder of the visits.

    Mult-DAE of Liang et al., "Variational Autoencoders for Collaborative Filtering" (2018), one residual layer deeper.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encode = nn.Linear(AREAS, width)
        self.middle = nn.Linear(width, width)
        self.decode = nn.Linear(width, AREAS)
        self.dropout = nn.Dropout(0.3)

    def forward(self, been: Tensor) -> Tensor:
        code = self.dropout(torch.tanh(self.encode(_unit(been))))
        return self.decode(self.dropout(code + torch.tanh(self.middle(code))))


class VisitTransformer(nn.Module):
    """Attention among the visited areas, read at a token of its own by a wide network.

    Visits are a set: there are no positions. They are found in `been` by TopK, so that the input is that of all others.
    """

    PLACES = 36  # one more than the longest visit in the data; of more, the first columns count

    def __init__(self, width: int, layers: int, heads: int, readout: int) -> None:
        super().__init__()
        self.areas = nn.Embedding(AREAS + 2, width)  # then nobody's place, and the place that is read
        nn.init.normal_(self.areas.weight, std=0.05)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, readout)
        self.middle = nn.Linear(readout, readout)
        self.decode = nn.Linear(readout, AREAS)
        self.dropout = nn.Dropout(0.2)

    def forward(self, been: Tensor) -> Tensor:
        places = max(1, int(been.sum(dim=1).max())) if self.training else self.PLACES
        present, area = been.topk(places, dim=1)
        area = torch.where(present > 0, area, AREAS)
        tokens = functional.pad(area, (1, 0), value=AREAS + 1)
        hidden = self.areas(tokens)
        absent = torch.where(tokens == AREAS, _NEVER, 0.0)[:, None, None, :]
        for block in self.blocks:
            hidden = block(hidden, absent)
        wide = self.dropout(functional.gelu(self.widen(self.norm(hidden[:, 0]))))
        return self.decode(self.dropout(wide + functional.gelu(self.middle(wide))))


class _Block(nn.Module):
    """Attention, then a network at each place; both normed first (Xiong et al. 2020)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_network = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, hidden: Tensor, absent: Tensor) -> Tensor:
        parts = self.query_key_value(self.norm_attention(hidden)).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        weights = torch.softmax(query @ key.transpose(2, 3) * query.shape[-1] ** -0.5 + absent, dim=-1)
        seen = (weights @ value).transpose(1, 2).flatten(2)
        hidden = hidden + self.dropout(self.attended(seen))
        return hidden + self.dropout(self.down(functional.gelu(self.up(self.norm_network(hidden)))))


def _unit(been: Tensor) -> Tensor:
    """Rows of length one, zero rows left: a long visit speaks no louder."""
    return been / been.sum(dim=1, keepdim=True).clamp(min=1.0).sqrt()


def short_form() -> Recommender:
    return Recommender(LinearItems())


def long_form() -> Recommender:
    return Recommender(Autoencoder(width=1280))


def premium() -> Recommender:
    return Recommender(VisitTransformer(width=128, layers=2, heads=4, readout=1152))


def new_users() -> Recommender:
    return Recommender(TwoTowers(width=192))


def trending() -> Recommender:
    return Recommender(Popularity())
