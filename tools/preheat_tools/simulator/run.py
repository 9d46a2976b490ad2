"""Play a trace to a policy and say what it came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.baselines.fixed import NEVER_S
from preheat_tools.simulator.function import START_S, Function
from preheat_tools.simulator.traces import Duration, Trace
from preheat_tools.simulator.world import (
    SimulatedColdStarts,
    SimulatedDemand,
    SimulatedPinger,
    SimulatedProvisioner,
    World,
)
from warmer.cycle import look_at
from warmer.policy.outcomes import Outcome
from warmer.policy.plans import Policy
from warmer.policy.values import Configured, Failed, FunctionFacts, Objective, Target, Terms
from warmer.ports import Leases, Loaded, Ports

H = TypeVar("H")


class Kept(Protocol):
    """A policy's history, of which some rows can be taken and put back."""

    def take(self, rows: NDArray[np.int64]) -> Any: ...

    def put(self, rows: NDArray[np.int64], some: Any) -> None: ...


K = TypeVar("K", bound=Kept)


class Stack(Protocol[H]):  # type: ignore[misc]  # H is only answered
    def __call__(self, rows: Sequence[bytes | None]) -> H: ...


def at_once(_: float) -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Contender(Generic[H]):
    """A policy by name, with how its history is made."""

    name: str
    policy: Policy[H]
    stack: Stack[H]
    oracle: bool = False
    """Whether environments are there before they are needed, as only foresight could have them."""
    pays_metrics: bool = True
    listens: bool = False
    """Whether announced cold starts make a target due at once."""
    departs: Callable[[float], float] = at_once
    """How long a round waits that could go out at an instant."""


class SimulatedStore(Generic[K]):
    """Histories of all targets as columns; a target that is not due costs nothing."""

    def __init__(self, stack: Stack[K], world: World) -> None:
        self._next = np.zeros(len(world.targets))
        self._all = stack([None] * len(world.targets))
        self._world = world

    def due(self, now_s: float) -> list[int]:
        numbers: list[int] = (self._next <= now_s).nonzero()[0].tolist()
        return numbers

    def wake(self, numbers: NDArray[np.int64]) -> None:
        """An announced cold start makes its target due (as the burst handler does in the table)."""
        self._next[numbers[self._next[numbers] < NEVER_S]] = 0.0

    def lease(self, targets: Sequence[Target], now_s: float) -> Leases:
        due = self._next[self._world.numbers(targets)] <= now_s
        return Leases(tuple(targets) if due.all() else tuple(compress(targets, due.tolist())), {})

    def load(self, targets: Sequence[Target]) -> Loaded[K]:
        return Loaded(tuple(targets), self._all.take(self._world.numbers(targets)), {})

    def save(
        self, targets: Sequence[Target], history: K, next_look_s: Sequence[float], now_s: float
    ) -> Mapping[Target, Failed]:
        numbers = self._world.numbers(targets)
        self._all.put(numbers, history)
        self._next[numbers] = next_look_s
        self._world.looks += len(numbers)
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a policy came to on a trace."""

    trace: str
    policy: str
    functions: int
    invocations: int
    cold_starts: int
    cold_starts_after_first_hour: int
    cold_p50_function: float
    cold_p75_function: float
    throttled: int
    pings: int
    made_by_pings: int
    cost_usd: Mapping[str, float]
    by_pattern: Mapping[str, Mapping[str, float]]
    wall_s: float
    decisions: Sequence[tuple[str, float, str, int, float, str]] = ()
    outcomes: Sequence[Outcome] = ()
    functions_seen: Sequence[Function] = ()

    def to_json(self) -> dict[str, Any]:
        left_out = {"decisions", "outcomes", "functions_seen"}
        return {name: getattr(self, name) for name in self.__slots__ if name not in left_out}


Progress = Callable[[float], None]


def play(
    trace: Trace,
    contender: Contender[Any],
    assumptions: Assumptions,
    durations: Mapping[str, Duration] | None = None,
    *,
    objective: Objective | None = None,
    keep: bool = False,
    progress: Progress | None = None,
) -> Result:
    """One policy on one trace. `keep` also keeps every decision, outcome and function, for files and pictures."""
    begun = time.perf_counter()
    world = World(trace, assumptions, durations, oracle=contender.oracle)
    facts = FunctionFacts(memory_mb=assumptions.memory_mb, init_s=assumptions.init_ms / 1000)
    objective = objective or Objective(cold_start_cost_usd=assumptions.cold_start_cost_usd, ceiling=100_000)
    configured = [Configured(target=target, objective=objective, facts=facts) for target in world.targets]
    store = SimulatedStore(contender.stack, world)
    ports = Ports(
        demand=SimulatedDemand(world),
        provisioner=SimulatedProvisioner(world),
        pinger=SimulatedPinger(world, contender.departs),
        histories=store,
        cold_starts=SimulatedColdStarts(world),
    )
    terms = Terms(
        cycle_s=assumptions.cycle_s,
        data_delay_s=assumptions.metric_delay_s,
        send_s=assumptions.send_ms / 1000,
        sender_pings=assumptions.sender_pings,
        provision_s=assumptions.provision_s,
        announces=True,
        prices=assumptions.prices,
    )
    cycles = int(trace.span_s // assumptions.cycle_s)
    seconds = np.random.default_rng((assumptions.seed, 0x5EC)).random(cycles) * assumptions.cycle_s
    decisions: list[tuple[str, float, str, int, float, str]] = []
    outcomes: list[Outcome] = []
    runs = 0
    running_s = 0.0
    for number, second in enumerate(seconds.tolist()):
        now = number * assumptions.cycle_s + second
        world.begin_cycle(now)
        if contender.listens:
            store.wake(world.announced_functions())
        due = store.due(START_S + now)
        if due:
            cycle = look_at([configured[i] for i in due], ports, contender.policy, START_S + now, terms)
            if failed := cycle.failed:
                target, why = next(iter(failed.items()))
                raise RuntimeError(
                    f"nothing fails here but policies: {contender.name}, {target}: {why.reason}"
                )
            runs += 1
            running_s += assumptions.warmer_run_ms / 1000 + world.sending_s + world.helping_s
            if keep:
                told = cycle.outcomes()
                outcomes += told
                decisions += [row for outcome in told for row in _decisions(outcome, now)]
        if progress is not None and number % 16 == 0:
            progress(number / cycles)
    world.close()
    cost = _cost(world, contender, runs, running_s)
    wall_s = time.perf_counter() - begun
    return _result(trace, contender.name, world, cost, wall_s, decisions, outcomes, keep=keep)


def _decisions(outcome: Outcome, now: float) -> list[tuple[str, float, str, int, float, str]]:
    name = outcome.target.function.partition("-")[2]
    rows = []
    if outcome.pings:
        rows.append((name, now, "ping", outcome.pings, outcome.hold_s * 1000, outcome.reason.value))
    if outcome.provisioned is not None:
        rows.append((name, now, "provision", outcome.provisioned, 0.0, outcome.reason.value))
    return rows


def _cost(world: World, contender: Contender[Any], runs: int, running_s: float) -> dict[str, float]:
    a = world.assumptions
    p = a.prices
    s = world.fleet.scalars
    gb = a.memory_mb / 1024
    run = p.on_demand_gb_s * gb
    upkeep = s[:, eng.UPKEEP].sum() * (p.request + a.reply_ms / 1000 * run)
    execution = s[:, eng.RUN_S].sum() * run + s[:, eng.REQUESTS].sum() * p.request
    execution += s[:, eng.PC_RUN_S].sum() * p.provisioned_run_gb_s * gb
    pings = s[:, eng.PINGS].sum() * p.request + s[:, eng.PING_RUN_S].sum() * run
    pings += s[:, eng.PC_PING_RUN_S].sum() * p.provisioned_run_gb_s * gb + upkeep
    warmer = runs * (p.request + a.scheduler_usd) + running_s * a.warmer_memory_mb / 1024 * p.on_demand_gb_s
    control = warmer if runs > 1 else 0.0
    control += world.looks * (p.table_read + p.table_write) if runs > 1 else 0.0
    if contender.pays_metrics:
        control += world.metric_reads * a.metrics_a_read * p.metric_read
    kinds = {
        "execution": execution,
        "init": (s[:, eng.INIT_S].sum() + s[:, eng.PING_INIT_S].sum()) * run,
        "pings": pings,
        "provisioned": sum(f.pc_idle_s for f in world.functions) * gb * p.provisioned_gb_s,
        "control": control,
    }
    return {"total": float(sum(kinds.values())), **{name: float(value) for name, value in kinds.items()}}


def _result(  # noqa: PLR0917
    trace: Trace,
    name: str,
    world: World,
    cost: Mapping[str, float],
    wall_s: float,
    decisions: Sequence[tuple[str, float, str, int, float, str]],
    outcomes: Sequence[Outcome],
    *,
    keep: bool,
) -> Result:
    s = world.fleet.scalars
    asked = s[:, eng.REQUESTS] > 0
    share = s[asked, eng.COLD] / s[asked, eng.REQUESTS]
    p50, p75 = np.percentile(share, [50, 75]).tolist() if len(share) else (0.0, 0.0)
    return Result(
        trace=trace.name,
        policy=name,
        functions=len(world.functions),
        invocations=int(s[:, eng.REQUESTS].sum()),
        cold_starts=int(s[:, eng.COLD].sum()),
        cold_starts_after_first_hour=int(s[:, eng.COLD_LATER].sum()),
        cold_p50_function=p50,
        cold_p75_function=p75,
        throttled=int(s[:, eng.THROTTLED].sum()),
        pings=int(s[:, eng.PINGS].sum()),
        made_by_pings=round(float(s[:, eng.PING_INIT_S].sum()) / max(1e-9, world.assumptions.init_ms / 1000)),
        cost_usd=cost,
        by_pattern=_by_pattern(world, s),
        wall_s=wall_s,
        decisions=decisions,
        outcomes=outcomes,
        functions_seen=world.functions if keep else (),
    )


def _by_pattern(world: World, s: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    patterns = [function.series.pattern or "all" for function in world.functions]
    table: dict[str, dict[str, float]] = {}
    for pattern in sorted(set(patterns)):
        mine = s[[p == pattern for p in patterns]]
        table[pattern] = {
            "functions": len(mine),
            "invocations": int(mine[:, eng.REQUESTS].sum()),
            "cold_starts": int(mine[:, eng.COLD].sum()),
            "cold_starts_after_first_hour": int(mine[:, eng.COLD_LATER].sum()),
            "pings": int(mine[:, eng.PINGS].sum()),
        }
    return table
