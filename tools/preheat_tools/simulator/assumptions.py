"""Everything the simulator assumes of Lambda, by name; each has its source in docs/lambda-model.md."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from warmer.policy.values import Prices

LIFETIMES = ("6m", "15m", "random")
ROUTINGS = ("recent", "random", "oldest")
PLACEMENTS = ("uniform", "mix")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """One world. Times in s unless the name says otherwise."""

    service_ms: float = 200.0
    """Of a request, where no file of durations says another."""
    memory_mb: int = 2048
    init_ms: float = 3000.0
    lifetime: str = "6m"
    """How long an idle environment lives: fixed 6 min, fixed 15 min, or drawn log-uniformly from 5-60 min an idle
    period, with a greatest age of 2 h. The policies are not told."""
    cold_start_cost_usd: float = 0.001
    placement: str = "uniform"
    jitter_ms: float = 10.0
    """Mean of the exponential delay with which a ping arrives."""
    routing: str = "recent"
    metric_delay_s: float = 120.0
    seed: int = 1

    send_ms: float = 1.0
    """The sender's time for a ping: pings leave one after another."""
    sender_pings: int = 150
    """The most pings of a round that one sender sends; a larger round is split over so many more senders, started
    together: a ping may be held for 250 ms, which is no longer than one sender needs for 250 of them."""
    reply_ms: float = 1.0
    """What answering a ping takes, beside its hold."""
    max_hold_s: float = 0.25
    """The runtime never holds longer (preheat.ping.MAX_HOLD_S)."""
    burst_environments: float = 1000.0
    """New environments a function may get at once; refilled over `burst_refill_s`; beyond it 429."""
    burst_refill_s: float = 10.0
    provision_s: float = 120.0
    """From asking for provisioned concurrency to all of it being usable."""
    provision_step_s: float = 300.0
    """Provisioned concurrency is billed in steps of this."""
    announce_s: float = 5.0
    """From the end of INIT to the log record's arrival at whoever subscribed."""
    cycle_s: float = 60.0
    warmer_memory_mb: int = 512
    warmer_run_ms: float = 100.0
    """A run of the warmer, beside the time it sends and waits for pings."""
    metrics_a_read: int = 2
    scheduler_usd: float = 1.0e-6
    """EventBridge Scheduler, an invocation."""
    prices: Prices = field(default_factory=Prices)

    def lifetime_range_s(self) -> tuple[float, float, float]:
        """Least and greatest idle lifetime of an environment, and its greatest age."""
        ranges = {
            "6m": (360.0, 360.0, 1e18),
            "15m": (900.0, 900.0, 1e18),
            "random": (300.0, 3600.0, 7200.0),
        }
        if self.lifetime not in ranges:
            raise ValueError(f"lifetime must be one of {', '.join(LIFETIMES)}, was: {self.lifetime!r}")
        return ranges[self.lifetime]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
