"""The values that flow between the world and the policy. Units are in the names; times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What is kept warm: an alias of a function."""

    function: str
    alias: str

    def __str__(self) -> str:
        return f"{self.function}:{self.alias}"


@dataclass(frozen=True, slots=True)
class Failed:
    """A fact that could not be had. Not a zero: who gets it holds what it had."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one alias was asked to do, a value a period, oldest first; a period without datapoints is a zero."""

    start_s: float
    period_s: float
    peak_concurrency: tuple[int, ...]
    invocations: tuple[int, ...]
    duration_s: float
    """Mean over all invocations of the span; 0 where there were none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one ping learned of one environment. Facts only."""

    environment: str
    cold: bool
    """The ping was its first invocation: the environment was made by the ping, or waited since INIT."""
    provisioned: bool
    age_s: float
    idle_s: float
    requests: int
    """Customers' requests served since the last ping (or INIT)."""
    init_s: float
    unsound: tuple[str, ...] = ()
    """Models in quarantine there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Provisioned concurrency of one target, in environments, and the limits around it."""

    requested: int = 0
    allocated: int = 0
    available: int = 0
    status: str = "NONE"
    """NONE, IN_PROGRESS, READY or FAILED, as Lambda says."""
    status_reason: str = ""
    reserved: int | None = None
    """Reserved concurrency of the function; None where none is set."""
    account_headroom: int = 900
    """Concurrency of the account that nobody has reserved, less the 100 that must stay so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time in which at least `floor` environments are wanted; days 0 (Monday) to 6, minutes in UTC."""

    days: frozenset[int]
    from_minute: int
    until_minute: int
    floor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What the user wants of one target."""

    cold_start_cost_usd: float = 0.001
    """The price the user puts on one customer's cold start, beside what AWS bills for it."""
    cold_start_rate: float | None = None
    """At most this share of requests cold, instead of a price."""
    monthly_budget_usd: float | None = None
    floor: int = 0
    ceiling: int = 1000
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFacts:
    """What configuration says of the function behind a target."""

    memory_mb: int = 1024
    architecture: str = "x86_64"
    init_s: float = 3.0
    """A first guess; ping replies replace it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """A target with what the user wants of it and what its function is."""

    target: Target
    objective: Objective = field(default_factory=Objective)
    facts: FunctionFacts = field(default_factory=FunctionFacts)
    levels: Mapping[str, str] = field(default_factory=dict)
    """Warmth wanted by model, where the user fixes it; else the policy's choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Pings to one target, all of them released at one instant, so that each finds an environment of its own."""

    target: Target
    environments: int
    hold_s: float
    """From when the last ping has left to the common release; covers the network's jitter."""
    delay_s: float = 0.0
    """How long after the cycle's instant the round goes out."""
    levels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """What a round found."""

    sightings: tuple[Sighting, ...]
    """One a distinct environment."""
    sent: int
    throttled: int = 0
    failed: int = 0
    spread_s: float = 0.0
    """Mean deviation of the pings' travel time, as seen in replies: the network's jitter."""
    held_s: float = 0.0
    """Mean time an environment was held."""
