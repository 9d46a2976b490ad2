"""What a policy is given and what it answers: columns over targets, row i being `configured[i]`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from warmer.policy.values import Configured, Expected, Facts, Reason, Target, Terms

H = TypeVar("H")
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Kinds:
    """Targets by what is configured of them: those that share the very objective and facts are of one kind, so that
    what follows from these is worked out once a kind."""

    __slots__ = ("_configured", "_numbers", "_one_of_each")

    def __init__(self, configured: Sequence[Configured]) -> None:
        self._configured = configured
        self._one_of_each: list[Configured] = []
        self._numbers: Ints | None = None

    def column(self, value: Callable[[Configured], Any], dtype: Any) -> NDArray[Any]:
        """`value` of each target, (targets,)."""
        numbers = self._sorted() if self._numbers is None else self._numbers
        column: NDArray[Any] = np.array([value(c) for c in self._one_of_each], dtype)[numbers]
        return column

    def _sorted(self) -> Ints:
        """The number of each target's kind; done when it is first asked for, as many policies never ask."""
        keys = [(id(c.objective), id(c.facts)) for c in self._configured]
        kinds = dict(zip(keys, self._configured, strict=True))
        number = {key: number for number, key in enumerate(kinds)}
        self._one_of_each = list(kinds.values())
        self._numbers = np.array([number[key] for key in keys], np.int64)
        return self._numbers


@dataclass(frozen=True, slots=True)
class Batch(Generic[H]):
    """Targets that are looked at together; a batch of one is an ordinary batch."""

    configured: Sequence[Configured]
    history: H
    now_s: float
    unread: frozenset[Target] = frozenset()
    """Targets of which a fact that was asked for could not be had."""

    targets: tuple[Target, ...] = field(init=False, repr=False, compare=False)

    kinds: Kinds = field(init=False, repr=False, compare=False)

    def rows(self, targets: Collection[Target]) -> Ints:
        """The row of each of those targets, (those targets,)."""
        asked = tuple(targets)
        if asked == self.targets:
            return np.arange(len(asked))
        row = {target: number for number, target in enumerate(self.targets)} if asked else {}
        return np.array([row[target] for target in asked], np.int64)

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple([c.target for c in self.configured]))
        object.__setattr__(self, "kinds", Kinds(self.configured))

    def column(self, value: Callable[[Configured], Any], dtype: Any = np.float64) -> NDArray[Any]:
        """`value` of each target as an array (targets,); it may look at the objective and at the function's facts."""
        return self.kinds.column(value, dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Which facts the policy wants before it decides, a value a target."""

    demand_since_s: Floats
    """From when on demand is wanted; nan where metrics are not to be read (each read costs)."""
    announced_since_s: Floats
    capacity: Bools
    """Whether provisioned concurrency is to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """What to do about each target until it is looked at next."""

    pings: Ints
    """Environments that the next round is to reach; 0 sends none."""
    hold_s: Floats
    provisioned: Ints
    """Provisioned concurrency to ask for; -1 leaves it as it is."""
    next_look_s: Floats
    reason: Sequence[Reason]
    cost_usd: Floats
    cold_starts: Floats
    cost_without_usd: Floats
    cold_starts_without: Floats
    basis: Sequence[str]
    """What the forecast rests on."""
    spent_usd: Floats | None = None
    """This month's, as planned; None where a policy keeps no account."""
    levels: Sequence[Mapping[str, str]] = field(default_factory=tuple)
    """Warmth wanted by model; empty: each environment's own eager set."""

    def expected(self, row: int) -> Expected:
        return Expected(
            cost_usd=float(self.cost_usd[row]),
            cold_starts=float(self.cold_starts[row]),
            cost_without_usd=float(self.cost_without_usd[row]),
            cold_starts_without=float(self.cold_starts_without[row]),
        )


class Policy(Protocol[H]):
    """Decides how warm to be. Pure: the same history and facts give the same plan."""

    def look(self, batch: Batch[H], terms: Terms) -> Looks: ...

    def absorb(self, batch: Batch[H], facts: Facts) -> H:
        """The batch's history with the facts in it; facts at or before its watermark change nothing.

        The history that a cycle loaded is its own, and may be written over: it is not to be used any more.
        """
        ...

    def plan(self, batch: Batch[H], terms: Terms) -> Plans: ...
