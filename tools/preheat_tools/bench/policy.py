"""What a decision takes: the policy alone, without the world, by how many targets are looked at together."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from warmer.policy.history import History
from warmer.policy.plans import Batch
from warmer.policy.preheat import Preheat
from warmer.policy.values import (
    Configured,
    Demand,
    Facts,
    FunctionFacts,
    Objective,
    Round,
    RoundReport,
    Sighting,
    Target,
    Terms,
)

START_S = 1_700_000_000.0
EVERY_S = 300.0
LEARNED = 24
"""Rounds that every target has behind it when the measurement begins: two hours."""
STEPS = ("look", "absorb what was read", "plan", "absorb replies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Median over the runs, in µs a target."""

    targets: int
    steps_us: Sequence[float]
    """By STEPS."""

    @property
    def decision_us(self) -> float:
        return sum(self.steps_us)


def measure(sizes: Sequence[int], runs: int) -> Iterator[Cost]:
    """Cycles of so many targets each: each has settings of its own, and a round of a few environments every time."""
    for targets in sizes:
        cycles = _cycles(targets)
        for _ in range(LEARNED + 1):
            next(cycles)
        taken = np.array([next(cycles) for _ in range(runs)])
        yield Cost(
            targets=targets, steps_us=[statistics.median(step) * 1e6 / targets for step in taken.T.tolist()]
        )


def _cycles(targets: int) -> Iterator[tuple[float, ...]]:
    """The seconds that each step of one cycle after another takes."""
    rng = np.random.default_rng(targets)
    policy, terms = Preheat(), Terms(announces=True)
    configured = [
        Configured(target=Target(f"f{i}", "live"), objective=Objective(), facts=FunctionFacts())
        for i in range(targets)
    ]
    batch = Batch(configured, History.blank(targets), START_S)
    for number in count():
        batch = replace(batch, now_s=batch.now_s + EVERY_S)
        facts = _replies(batch, rng)
        read_at = Facts(at_s=batch.now_s, demand=_minutes(batch) if number == LEARNED else {})
        begun = time.perf_counter()
        policy.look(batch, terms)
        looked = time.perf_counter()
        batch = replace(batch, history=policy.absorb(batch, read_at))
        read = time.perf_counter()
        policy.plan(batch, terms)
        planned = time.perf_counter()
        batch = replace(batch, history=policy.absorb(batch, facts))
        done = time.perf_counter()
        yield looked - begun, read - looked, planned - read, done - planned


def _minutes(batch: Batch[History]) -> Mapping[Target, Demand]:
    """What CloudWatch says of the time of the learned rounds: as many at once as the rounds found in use, and more."""
    minutes = LEARNED * int(EVERY_S // 60)
    read = Demand(
        start_s=batch.now_s - 60.0 * minutes, period_s=60.0, peak_concurrency=(9,) * minutes,
        invocations=(20,) * minutes, duration_s=0.2,
    )  # fmt: skip
    return dict.fromkeys(batch.targets, read)


def _replies(batch: Batch[History], rng: np.random.Generator) -> Facts:
    """A round to every target, as the warmer's sender reports it: 1 to 6 environments, some of them in use."""
    rounds, reports = {}, {}
    for target, environments in zip(
        batch.targets, rng.integers(1, 7, len(batch.targets)).tolist(), strict=True
    ):
        used = int(rng.integers(0, environments + 1))
        rounds[target] = Round(target=target, environments=environments, hold_s=0.03)
        reports[target] = RoundReport(
            sightings=tuple(
                Sighting(
                    environment=str(i), cold=False, provisioned=False, age_s=900.0, idle_s=100.0,
                    requests=3 * (i < used), init_s=3.0,
                )
                for i in range(environments)
            ),
            sent=environments, spread_s=0.007, held_s=0.02, departed_s=batch.now_s,
        )  # fmt: skip
    return Facts(at_s=batch.now_s, rounds=rounds, reports=reports)
