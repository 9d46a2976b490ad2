"""What the cycle needs of the world. The adapters keep these for AWS, the simulator for its traces, fakes for tests.

Every answer is by target, and a failure is a value beside the others: one target's failure is never another's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from warmer.policy.values import Capacity, Demand, Failed, Round, RoundReport, Target


class DemandSource(Protocol):
    """Traffic as measured from outside (CloudWatch)."""

    def read(self, since_s: Mapping[Target, float], now_s: float) -> Mapping[Target, Demand | Failed]:
        """Demand of each target from its instant to the newest complete period."""
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
