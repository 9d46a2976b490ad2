"""Ports that read and do not act: what a dry run plans with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from warmer.policy.history import History
from warmer.policy.values import Capacity, Failed, Round, RoundReport, Target
from warmer.ports import HistoryStore, Leases, Loaded, Provisioner


class NoPinger:
    """Sends nothing: every round comes back with nobody reached."""

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        """Empty reports."""
        return {one.target: RoundReport(sightings=(), sent=0) for one in rounds}


@dataclass(frozen=True, slots=True)
class ReadOnlyProvisioner:
    """Reads provisioned concurrency and changes none."""

    inner: Provisioner

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Capacity | Failed]:
        """As the one inside."""
        return self.inner.read(targets)

    def request(self, target: Target, environments: int) -> Capacity | Failed:
        """What there is, left as it is."""
        return self.inner.read([target])[target]


@dataclass(frozen=True, slots=True)
class ReadOnlyHistories:
    """Reads histories; leases nothing and keeps nothing, so that the real warmer is not disturbed."""

    inner: HistoryStore[History]

    def lease(self, targets: Sequence[Target], now_s: float) -> Leases:
        """Every target, whether due or not: a dry run shows what would be planned now."""
        return Leases(tuple(targets), {})

    def load(self, targets: Sequence[Target]) -> Loaded[History]:
        """As the one inside."""
        return self.inner.load(targets)

    def save(
        self, targets: Sequence[Target], history: History, next_look_s: Sequence[float], now_s: float
    ) -> Mapping[Target, Failed]:
        """Nothing is kept."""
        return {}
