"""The torch modules of the four benchmark models; torch is imported with this module, by the makers alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

USERS, ITEMS, WIDTH = 300_000, 200_000, 64
"""500,000 rows of 64 floats are 128 MB: nearly all of a recommender is its tables."""


class TwoTower(nn.Module):
    """Scores candidate items for a user known by id and by the items visited."""

    def __init__(self) -> None:
        super().__init__()
        self.users = nn.Embedding(USERS, WIDTH)
        self.items = nn.Embedding(ITEMS, WIDTH)
        self.user_tower = nn.Sequential(nn.Linear(2 * WIDTH, 256), nn.ReLU(), nn.Linear(256, WIDTH))
        self.item_tower = nn.Sequential(nn.Linear(WIDTH, 256), nn.ReLU(), nn.Linear(256, WIDTH))

    def forward(self, user: Tensor, visited: Tensor, candidates: Tensor) -> Tensor:
        """(batch), (batch, visited), (batch, candidates) of int64 -> scores (batch, candidates)."""
        history = self.items(visited).mean(dim=1)
        taste = self.user_tower(torch.cat([self.users(user), history], dim=1))
        offers = self.item_tower(self.items(candidates))
        return (offers @ taste.unsqueeze(2)).squeeze(2)


class Layer(nn.Module):
    """One post-norm transformer layer, with BERT's parameter names shortened."""

    def __init__(self, width: int, heads: int, inner: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.mixed = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=eps)
        self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)
        self.last_norm = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, width = x.shape
        shape = (batch, length, self.heads, width // self.heads)
        q, k, v = (part(x).reshape(shape).transpose(1, 2) for part in (self.query, self.key, self.value))
        weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(width // self.heads) + mask, dim=-1)
        attended = (weights @ v).transpose(1, 2).reshape(batch, length, width)
        x = self.norm(x + self.mixed(attended))
        return self.last_norm(x + self.outer(F.gelu(self.inner(x))))


class Encoder(nn.Module):
    """A BERT-shaped encoder with mean pooling, normalised: sentence embeddings."""

    def __init__(
        self, *, words: int, positions: int, width: int, layers: int, heads: int, inner: int
    ) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(words, width), nn.Embedding(positions, width)
        self.kinds = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads, inner, 1e-12) for _ in range(layers))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(batch, length) tokens and mask of int64 -> (batch, width) of unit length."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.words(tokens) + self.positions(places) + self.kinds(torch.zeros_like(tokens)))
        hidden = (1.0 - mask[:, None, None, :].to(x.dtype)) * -1e9
        for layer in self.layers:
            x = layer(x, hidden)
        shown = mask.unsqueeze(2).to(x.dtype)
        return F.normalize((x * shown).sum(dim=1) / shown.sum(dim=1).clamp(min=1e-9), dim=1)


def minilm_encoder() -> Encoder:
    """The shape of sentence-transformers/all-MiniLM-L6-v2."""
    return Encoder(words=30522, positions=512, width=384, layers=6, heads=12, inner=1536)


def big_encoder() -> Encoder:
    """12 layers of width 1024 over 30,522 words: 183 million parameters, as many as a base encoder of today."""
    return Encoder(words=30522, positions=512, width=1024, layers=12, heads=16, inner=4096)


class Bottleneck(nn.Module):
    """He et al. 2015, figure 5 right, with the stride in the 3x3 convolution."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.path = nn.Sequential(
            *([*_conv(inputs, width, 1), nn.ReLU()]),
            *([*_conv(width, width, 3, stride), nn.ReLU()]),
            *_conv(width, outputs, 1),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*_conv(inputs, outputs, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.path(x) + self.shortcut(x))


class ResNet50(nn.Module):
    """He et al. 2015, table 1, the 50-layer column."""

    def __init__(self, depths: Sequence[int] = (3, 4, 6, 3)) -> None:
        super().__init__()
        blocks, inputs = [], 64
        for stage, depth in enumerate(depths):
            width = 64 << stage
            for block in range(depth):
                blocks.append(Bottleneck(inputs, width, 2 if stage > 0 and block == 0 else 1))
                inputs = 4 * width
        self.stem = nn.Sequential(*_conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs, 1000)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, 224, 224) -> (batch, 1000)."""
        return self.head(self.blocks(self.stem(image)).mean(dim=(2, 3)))


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
