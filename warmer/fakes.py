"""Ports that live in memory: for tests, and to see what a cycle would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from warmer.policy.values import Capacity, Demand, Failed, Round, RoundReport, Sighting, Target
from warmer.ports import Leases, Loaded

LEASE_S = 300.0


@dataclass(slots=True)
class ScriptedDemand:
    """Answers what it was given; a target it was not given had no traffic."""

    answers: dict[Target, Demand | Failed] = field(default_factory=dict)
    asked: list[Mapping[Target, float]] = field(default_factory=list)

    def read(self, since_s: Mapping[Target, float], now_s: float) -> Mapping[Target, Demand | Failed]:
        self.asked.append(dict(since_s))
        return {target: self.answers.get(target) or _quiet(start, now_s) for target, start in since_s.items()}


@dataclass(slots=True)
class ScriptedColdStarts:
    """Announcements as they were given."""

    answers: dict[Target, tuple[float, ...] | Failed] = field(default_factory=dict)

    def read(
        self, since_s: Mapping[Target, float], now_s: float
    ) -> Mapping[Target, tuple[float, ...] | Failed]:
        return {target: self.answers[target] for target in since_s if target in self.answers}


@dataclass(slots=True)
class InstantProvisioner:
    """Gives what is asked for at once, unless told to fail."""

    capacity: dict[Target, Capacity | Failed] = field(default_factory=dict)
    requests: list[tuple[Target, int]] = field(default_factory=list)

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Capacity | Failed]:
        return {target: self.capacity.get(target, Capacity()) for target in targets}

    def request(self, target: Target, environments: int) -> Capacity | Failed:
        self.requests.append((target, environments))
        if isinstance(failure := self.capacity.get(target), Failed):
            return failure
        granted = Capacity(
            requested=environments, allocated=environments, available=environments, status="READY"
        )
        self.capacity[target] = granted
        return granted


@dataclass(slots=True)
class EchoPinger:
    """Every ping finds an environment of its own; those beyond what a target had are made by it."""

    warm: dict[Target, int] = field(default_factory=dict)
    failures: dict[Target, Failed] = field(default_factory=dict)
    unsound: dict[Target, tuple[str, ...]] = field(default_factory=dict)
    """Models in quarantine in every environment of a target."""
    sent: list[Round] = field(default_factory=list)

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        self.sent.extend(rounds)
        return {r.target: self.failures.get(r.target) or self._report(r) for r in rounds}

    def _report(self, round_: Round) -> RoundReport:
        had = self.warm.get(round_.target, 0)
        self.warm[round_.target] = max(had, round_.environments)
        sightings = tuple(
            Sighting(
                environment=f"{round_.target}/{i}",
                cold=i >= had,
                provisioned=False,
                age_s=60.0,
                idle_s=60.0,
                requests=0,
                init_s=3.0,
                unsound=self.unsound.get(round_.target, ()),
            )
            for i in range(round_.environments)
        )
        return RoundReport(sightings=sightings, sent=round_.environments, spread_s=0.01)


class _Rows(Protocol):
    """What a store needs of a history: rows out, rows in."""

    def rows(self) -> list[bytes]: ...


R = TypeVar("R", bound=_Rows)


class Stack(Protocol[R]):  # type: ignore[misc]  # R is only answered here, and bound above
    def __call__(self, rows: Sequence[bytes | None]) -> R: ...


@dataclass(slots=True)
class MemoryStore(Generic[R]):
    """A history store that keeps the very rows a table would, with its leases."""

    stack: Stack[R]
    rows: dict[Target, bytes] = field(default_factory=dict)
    next_look_s: dict[Target, float] = field(default_factory=dict)
    done_s: dict[Target, float] = field(default_factory=dict)
    leased_until_s: dict[Target, float] = field(default_factory=dict)
    unreadable: dict[Target, Failed] = field(default_factory=dict)

    def lease(self, targets: Sequence[Target], now_s: float) -> Leases:
        held, refused = [], {}
        for target in targets:
            if self.done_s.get(target, -np.inf) >= now_s:
                refused[target] = Failed(
                    f"handled at {self.done_s[target]:.3f} already: a duplicate delivery"
                )
            elif self.leased_until_s.get(target, -np.inf) > now_s:
                refused[target] = Failed("another run holds it")
            elif self.next_look_s.get(target, -np.inf) <= now_s:
                self.leased_until_s[target] = now_s + LEASE_S
                held.append(target)
        return Leases(tuple(held), refused)

    def load(self, targets: Sequence[Target]) -> Loaded[R]:
        readable = tuple(target for target in targets if target not in self.unreadable)
        failed = {target: self.unreadable[target] for target in targets if target in self.unreadable}
        return Loaded(readable, self.stack([self.rows.get(target) for target in readable]), failed)

    def save(
        self, targets: Sequence[Target], history: R, next_look_s: Sequence[float], now_s: float
    ) -> Mapping[Target, Failed]:
        for target, row, look_s in zip(targets, history.rows(), next_look_s, strict=True):
            self.rows[target], self.next_look_s[target], self.done_s[target] = row, look_s, now_s
            self.leased_until_s.pop(target, None)
        return {}


def _quiet(start_s: float, now_s: float) -> Demand:
    minutes = max(0, int((now_s - 120 - start_s) // 60))
    zeros: NDArray[np.int64] = np.zeros(minutes, np.int64)
    return Demand(
        start_s=start_s,
        period_s=60.0,
        peak_concurrency=tuple(zeros.tolist()),
        invocations=tuple(zeros.tolist()),
        duration_s=0.0,
    )
