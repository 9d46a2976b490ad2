"""What the cycle needs of the world. The adapters keep these for AWS, the simulator for its traces, fakes for tests.

Every answer is by target, and a failure is a value beside the others: one target's failure is never another's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from warmer.policy.values import Capacity, Demand, Failed, Round, RoundReport, Target

H = TypeVar("H")
"""A policy's history: columns over targets (`warmer.policy.history.History` for the policy of this package)."""


class DemandSource(Protocol):
    """Traffic as measured from outside (CloudWatch)."""

    def read(self, since_s: Mapping[Target, float], now_s: float) -> Mapping[Target, Demand | Failed]:
        """Demand of each target from its instant to the newest complete period."""
        ...


class ColdStartLog(Protocol):
    """Cold starts that customers waited for, as the environments' own log records announced them."""

    def read(
        self, since_s: Mapping[Target, float], now_s: float
    ) -> Mapping[Target, tuple[float, ...] | Failed]:
        """Their instants, oldest first, as told since each target's instant; one without any may be left out."""
        ...


class Provisioner(Protocol):
    """Provisioned concurrency."""

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Capacity | Failed]: ...

    def request(self, target: Target, environments: int) -> Capacity | Failed:
        """Ask for so many; 0 gives all back."""
        ...


class Pinger(Protocol):
    """Sends rounds of pings and waits for the replies."""

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]: ...


@dataclass(frozen=True, slots=True)
class Leases:
    """Which targets this run has for itself. A target that is in neither is not due yet."""

    held: tuple[Target, ...]
    refused: Mapping[Target, Failed]
    """Those that another run holds or has already handled at this instant, and those whose lease failed."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[H]):
    """Histories of `targets`, in their order; what could not be read is in `failed` instead."""

    targets: tuple[Target, ...]
    history: H
    failed: Mapping[Target, Failed]


class HistoryStore(Protocol[H]):
    """What is remembered of each target between cycles, one small row a target.

    The row's two numbers beside the history are the store's own business: `next_look_s` (before it a target is not
    due) and the instant of the last cycle (a cycle that is not later is a duplicate delivery, and refused).
    """

    def lease(self, targets: Sequence[Target], now_s: float) -> Leases:
        """Take the due targets for this run alone, until they are saved or the lease runs out by itself."""
        ...

    def load(self, targets: Sequence[Target]) -> Loaded[H]:
        """Histories of targets; one that has none gets a blank row."""
        ...

    def save(
        self, targets: Sequence[Target], history: H, next_look_s: Sequence[float], now_s: float
    ) -> Mapping[Target, Failed]:
        """Keep the rows, let go of the leases; answers what could not be kept."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports(Generic[H]):
    """The world, as one cycle sees it. A dry run has ports that read and do not act."""

    demand: DemandSource
    provisioner: Provisioner
    pinger: Pinger
    histories: HistoryStore[H]
    cold_starts: ColdStartLog | None = None
    """None where environments do not announce their cold starts."""
