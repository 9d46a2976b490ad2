"""The ways to keep a function ready, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MONTH_S = 30 * 86_400.0
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way, over a month of the same traffic."""

    name: str
    title: str
    cost_usd: float
    """What AWS bills, without any price of waiting."""
    cold_starts: float
    """Requests whose customer waits for an environment: INIT, or a restore."""
    wait_ms: float
    """How much longer such a request takes."""
    p50_ms: float
    p99_ms: float
    p999_ms: float
    excludes: str
    kinds: Mapping[str, float] = field(default_factory=dict)
    barred: str = ""
    """Why this function cannot have it; empty where it can."""

    def priced_cold_starts(self, init_ms: float) -> float:
        """How many times your price is paid: it is of a wait of `init_ms`, and a shorter one costs so much less."""
        return self.cold_starts * (self.wait_ms / init_ms if init_ms else 0.0)

    def total_usd(self, cold_start_cost_usd: float, init_ms: float) -> float:
        """The bill and the price of waiting."""
        return self.cost_usd + self.priced_cold_starts(init_ms) * cold_start_cost_usd


EXCLUDES = {
    "none": "nothing",
    "ping": "nothing, but keeps one environment only: a second request at the same time waits",
    "static": "SnapStart; paid day and night, and to be resized by hand",
    "target-tracking": "SnapStart; follows use by minutes, grows at most 1.4-fold a step",
    "preheat": "SnapStart where it uses provisioned concurrency",
    "snapstart": "provisioned concurrency, EFS, /tmp above 512 MB, Python below 3.12; copies share what is not renewed",
    "managed": (
        "a function that exists (it is made anew), Python below 3.13, less than 2 GB, scaling to zero; more than twice "
        "the traffic within 5 minutes is throttled"
    ),
}
TITLES = {
    "none": "nothing",
    "ping": "one ping every 5 min",
    "static": "provisioned, fixed",
    "target-tracking": "provisioned, autoscaled",
    "preheat": "Preheat: pings, and provisioned where it pays",
    "snapstart": "SnapStart",
    "managed": "managed instances",
}
SHORT = TITLES | {"preheat": "Preheat", "target-tracking": "provisioned, scaled"}
"""For pictures."""
