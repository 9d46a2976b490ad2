"""Policies that decide the same whatever they see: nothing, N pings, so much provisioned concurrency."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from warmer.policy.plans import Batch, Floats, Ints, Looks, Plans
from warmer.policy.values import Facts, Reason, Target, Terms

EVERY_S = 300.0
HOLD_S = 0.075
"""lambda-warmer's default delay: what makes its concurrent pings reach different environments."""
NEVER_S = 1e15


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """A history that only counts how often a target was looked at."""

    looks: Ints

    @staticmethod
    def stack(rows: Sequence[bytes | None]) -> Rounds:
        return Rounds(np.array([int.from_bytes(row or b"", "big") for row in rows], np.int64))

    def take(self, rows: Ints) -> Rounds:
        return Rounds(self.looks[rows])

    def put(self, rows: Ints, some: Rounds) -> None:
        self.looks[rows] = some.looks

    def rows(self) -> list[bytes]:
        return [int(n).to_bytes(4, "big") for n in self.looks]


def plans(
    batch: Batch[Any],
    pings: Ints,
    provisioned: Ints,
    next_look_s: float | Floats,
    *,
    hold_s: float = 0.0,
    reason: Reason = Reason.FLOOR,
) -> Plans:
    """Plans of a policy that expects nothing."""
    n = len(batch.configured)
    none = np.zeros(n)
    return Plans(
        pings=pings, hold_s=np.full(n, hold_s), provisioned=provisioned,
        next_look_s=np.broadcast_to(np.asarray(next_look_s, np.float64), n), reason=[reason] * n, cost_usd=none,
        cold_starts=none, cost_without_usd=none, cold_starts_without=none, basis=["fixed"] * n,
    )  # fmt: skip


def next_slot(now_s: float, every_s: float) -> float:
    """Start of the next minute that a schedule of that rate fires in."""
    return (math.floor(now_s / every_s) + 1) * every_s


@dataclass(frozen=True, slots=True)
class Fixed:
    """`pings` to every target every 5 minutes, and `provisioned` by target, asked for once."""

    pings: int = 0
    hold_s: float = 0.0
    provisioned: Mapping[Target, int] = field(default_factory=dict)

    def look(self, batch: Batch[Rounds], terms: Terms) -> Looks:
        n = len(batch.configured)
        return Looks(
            demand_since_s=np.full(n, np.nan),
            announced_since_s=np.full(n, batch.now_s),
            capacity=np.zeros(n, np.bool_),
        )

    def absorb(self, batch: Batch[Rounds], facts: Facts) -> Rounds:
        return Rounds(batch.history.looks + (1 if facts.rounds or facts.provisioned else 0))

    def plan(self, batch: Batch[Rounds], terms: Terms) -> Plans:
        n = len(batch.configured)
        ask = np.array([self.provisioned.get(target, 0) for target in batch.targets])
        ask = np.where((ask > 0) & (batch.history.looks == 0), ask, -1)
        again = next_slot(batch.now_s, EVERY_S) if self.pings else NEVER_S
        return plans(batch, np.full(n, self.pings), ask, again, hold_s=self.hold_s)
