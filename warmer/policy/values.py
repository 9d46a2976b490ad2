"""The values that flow between the world and the policy. Units are in the names; times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What is kept warm: an alias of a function."""

    function: str
    alias: str

    def __hash__(self) -> int:
        return hash(self.function)  # seldom shared, and a string keeps its hash: targets are keys everywhere

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
    provisioned_use: tuple[float, ...] = ()
    """Mean utilisation of provisioned concurrency by period, nan where there was no datapoint; empty if not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSeen:
    """One model of an environment, as its reply told it."""

    requests: int
    """Since the last ping (or INIT)."""
    load_s: float
    memory_mb: float
    sound: bool = True
    level: str = ""
    """After the ping's work; empty where it was not told."""


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
    models: Mapping[str, ModelSeen] = field(default_factory=dict)
    models_mb: float = 0.0
    """The environment's budget for models; 0 where there is no limit."""


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

    @property
    def counted(self) -> int:
        """What there is or is coming: of a request that failed, only what it was given."""
        return self.allocated if self.status == "FAILED" else self.requested

    @property
    def said(self) -> str:
        """The status, and the reason where one was given."""
        return f"{self.status}: {self.status_reason}" if self.status_reason else self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time in which at least `floor` environments are wanted; days 0 (Monday) to 6, minutes in UTC."""

    days: frozenset[int]
    from_minute: int
    until_minute: int
    floor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A stretch of time, once, in which at least `floor` environments are wanted, as an event announced it."""

    from_s: float
    until_s: float
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
    expected: tuple[Expectation, ...] = ()


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
    levels: Mapping[str, str] = field(default_factory=dict)
    every: bool = False
    """Whether every model there is to be verified and timed, warm ones anew."""


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
    departed_s: float = 0.0
    """When its first ping left, Unix s on the time line of the cycles; 0 where that is not known."""


class Reason(StrEnum):
    """What decided a plan. Every one has a row in `tests/policy/test_reasons.py`."""

    COLD_IS_CHEAPER = "cold_is_cheaper"
    """Keeping anything warm would cost more than the cold starts it saves."""
    TRAFFIC_KEEPS_WARM = "traffic_keeps_warm"
    """Customers come often enough that nothing need be sent until the next look."""
    PINGS_PAY = "pings_pay"
    """As many environments as are worth their pings."""
    PROVISIONED_PAYS = "provisioned_pays"
    """Some environments are busy past break-even, where provisioned concurrency is the cheaper instrument."""
    NO_HISTORY = "no_history"
    """Nothing is known of this target yet: what other targets teach decides."""
    LEARNING_LIFETIME = "learning_lifetime"
    """The round is put off to see whether idle environments live longer than is known."""
    RENEWED = "renewed"
    """Some environments are not expected to get as old as the next round: new ones are made beside them."""
    FLOOR = "floor"
    """The user's floor, above what pays."""
    WINDOW = "window"
    """The floor of a calendar window, or of what an event told to expect, above what pays."""
    CEILING = "ceiling"
    """The user's ceiling, below what pays. Reserved concurrency and the account's limit bound provisioned concurrency
    where it is asked for, and the answer says so; a ping that they refuse is counted as throttled."""
    BUDGET = "budget"
    """The month's budget, below what pays."""
    TARGET_RATE = "target_rate"
    """The share of cold requests that the user allows, in place of a price."""
    SETTLING = "settling"
    """Provisioned concurrency is being allocated: it is left alone until that is over."""
    UNKNOWN = "unknown"
    """A fact could not be read: what is there is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a plan is expected to come to until the next look, beside doing nothing; money includes the execution
    environments' upkeep, billed INIT and the user's price of cold starts."""

    cost_usd: float
    cold_starts: float
    cost_without_usd: float
    cold_starts_without: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """AWS prices in US dollars (us-east-1), by what they are a price of; https://aws.amazon.com/lambda/pricing/."""

    request: float = 0.20e-6
    on_demand_gb_s: float = 0.0000166667
    provisioned_gb_s: float = 0.0000041667
    provisioned_run_gb_s: float = 0.0000097222
    metric_read: float = 0.01e-3
    """GetMetricData, a metric asked for; https://aws.amazon.com/cloudwatch/pricing/."""
    table_write: float = 0.63e-6
    table_read: float = 0.13e-6

    @staticmethod
    @cache
    def of(architecture: str) -> Prices:
        """The prices for `x86_64` or `arm64`."""
        if architecture == "x86_64":
            return Prices()
        if architecture == "arm64":
            return Prices(
                on_demand_gb_s=0.0000133334, provisioned_gb_s=0.0000033334, provisioned_run_gb_s=0.0000077778
            )
        raise ValueError(f"architecture must be x86_64 or arm64, was: {architecture!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for every target of every cycle."""

    cycle_s: float = 60.0
    """Time between two runs of the warmer: nothing can be looked at sooner again."""
    data_delay_s: float = 120.0
    """How late CloudWatch's newest complete minute is."""
    send_s: float = 0.001
    """Time the sender needs a ping."""
    sender_pings: int = 10_000
    """The most pings of a round that one sender sends; more are split over as many as that takes, side by side. The
    deployed warmer has one sender, whatever the round; the simulator assumes slower ones and several of them."""
    provision_s: float = 120.0
    """From asking for provisioned concurrency to having it."""
    announces: bool = False
    """Whether customers' cold starts announce themselves (a log subscription): metrics are then only a check."""
    prices: Prices | None = None
    """None: the list prices of each target's architecture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one cycle learned, by target. A target that is missing was not asked for."""

    at_s: float
    demand: Mapping[Target, Demand | Failed] = field(default_factory=dict)
    capacity: Mapping[Target, Capacity | Failed] = field(default_factory=dict)
    announced: Mapping[Target, tuple[float, ...] | Failed] = field(default_factory=dict)
    """Instants of cold starts that customers waited for, since the last look, as their log records told."""
    rounds: Mapping[Target, Round] = field(default_factory=dict)
    """Rounds sent; a report for each is in `reports`."""
    reports: Mapping[Target, RoundReport | Failed] = field(default_factory=dict)
    provisioned: Mapping[Target, Capacity | Failed] = field(default_factory=dict)
    """What requests for provisioned concurrency were answered."""
