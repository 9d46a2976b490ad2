"""One trace's functions under way, and the ports through which a warmer sees and touches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.function import START_S, Floats, Function
from preheat_tools.simulator.traces import Duration, Trace
from warmer.policy.values import Capacity, Demand, Failed, Round, RoundReport, Sighting, Target


class World:
    """A trace's functions at one instant; the ports below see and touch them."""

    def __init__(
        self,
        trace: Trace,
        assumptions: Assumptions,
        durations: Mapping[str, Duration] | None = None,
        *,
        oracle: bool = False,
    ) -> None:
        self.trace, self.assumptions = trace, assumptions
        default = assumptions.service_ms / 1000
        self.functions = [
            Function(
                series, number, trace.span_s, assumptions,
                (durations or {})[series.key].mean_s if series.key in (durations or {}) else default, oracle=oracle,
            )
            for number, series in enumerate(trace.series)
        ]  # fmt: skip
        self.targets = [Target(f"{i:05d}-{f.name}", "live") for i, f in enumerate(self.functions)]
        self.by_target = dict(zip(self.targets, self.functions, strict=True))
        self.random = np.random.default_rng((assumptions.seed, 0x5C))
        self.sending_s = self.helping_s = 0.0
        self.now = 0.0
        self.metric_reads = 0
        self.looks = 0
        self._told = [0] * len(self.functions)

    def begin_cycle(self, now: float) -> None:
        self.now, self.sending_s, self.helping_s = now, 0.0, 0.0

    def announced_functions(self, now: float) -> list[int]:
        """Functions of which a customer's cold start was announced since the last call, by number."""
        late = self.assumptions.init_ms / 1000 + self.assumptions.announce_s
        told = []
        for number, function in enumerate(self.functions):
            if function.waits(now):
                continue
            function.advance(now)
            n = int(function.scalars[eng.COLD])
            seen = self._told[number]
            while seen < n and function.colds[seen] + late <= now:
                seen += 1
            if seen > self._told[number]:
                self._told[number] = seen
                told.append(number)
        return told

    def close(self) -> None:
        for function in self.functions:
            function.close(self.trace.span_s, self.assumptions.provision_step_s)


@dataclass(slots=True)
class SimulatedDemand:
    world: World

    def read(self, since_s: Mapping[Target, float], now_s: float) -> Mapping[Target, Demand | Failed]:
        now = now_s - START_S
        answers: dict[Target, Demand | Failed] = {}
        for target, since in since_s.items():
            function = self.world.by_target[target]
            function.advance(now)
            answers[target] = function.demand(since - START_S, now - self.world.assumptions.metric_delay_s)
        self.world.metric_reads += len(since_s)
        return answers


@dataclass(slots=True)
class SimulatedColdStarts:
    world: World

    def read(
        self, since_s: Mapping[Target, float], now_s: float
    ) -> Mapping[Target, tuple[float, ...] | Failed]:
        """Announced between the instants: a cold start is told `announce_s` after its INIT."""
        a = self.world.assumptions
        late = a.init_ms / 1000 + a.announce_s
        answers: dict[Target, tuple[float, ...] | Failed] = {}
        for target, since in since_s.items():
            function = self.world.by_target[target]
            function.advance(now_s - START_S)
            n = min(int(function.scalars[eng.COLD]), len(function.colds))
            told = function.colds[:n]
            lo = np.searchsorted(told, since - START_S - late, "right")
            hi = np.searchsorted(told, now_s - START_S - late, "right")
            if hi > lo:
                answers[target] = tuple((told[lo:hi] + START_S).tolist())
        return answers


@dataclass(slots=True)
class SimulatedProvisioner:
    world: World

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Capacity | Failed]:
        answers = {}
        for target in targets:
            function = self.world.by_target[target]
            function.advance(self.world.now)
            answers[target] = _capacity(function)
        return answers

    def request(self, target: Target, environments: int) -> Capacity | Failed:
        a = self.world.assumptions
        function = self.world.by_target[target]
        function.provision(environments, self.world.now, a.provision_s, a.provision_step_s)
        return _capacity(function)


def _capacity(function: Function) -> Capacity:
    size = int(function.scalars[eng.PC_SIZE])
    status = (
        "NONE" if not function.pc_requested else "READY" if size == function.pc_requested else "IN_PROGRESS"
    )
    return Capacity(requested=function.pc_requested, allocated=size, available=size, status=status)


@dataclass(slots=True)
class SimulatedPinger:
    world: World
    departs: Callable[[float], float]
    """How long a round waits that could go out then."""

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        """Rounds go out one after another from the cycle's instant on."""
        world, a = self.world, self.world.assumptions
        reports: dict[Target, RoundReport | Failed] = {}
        for round_ in rounds:
            count = round_.environments
            at = world.now + max(world.sending_s, self.departs(world.now))
            jitter = world.random.exponential(a.jitter_ms / 1000, count)
            senders = -(-count // a.sender_pings)
            found = world.by_target[round_.target].ping(
                count, at, round_.hold_s, a.send_ms / 1000 / senders, jitter
            )
            world.sending_s += count * a.send_ms / 1000 / senders
            # every further sender is a run of the warmer of its own
            world.helping_s += (senders - 1) * (a.warmer_run_ms / 1000 + count * a.send_ms / 1000 / senders)
            reports[round_.target] = _report(found, a.init_ms / 1000, START_S + at)
        return reports


def _report(found: Floats, init_s: float, departed_s: float) -> RoundReport:
    sightings: dict[float, Sighting] = {}
    throttled = 0
    held = late = 0.0
    for identity, cold, pc, age, idle, served, lateness, held_s, _ in found.tolist():
        late += lateness
        held += held_s
        if identity == -1e9:
            throttled += 1
        elif identity not in sightings:
            sightings[identity] = Sighting(
                environment=str(int(identity)), cold=cold > 0, provisioned=pc > 0, age_s=age, idle_s=idle,
                requests=int(served), init_s=init_s,
            )  # fmt: skip
    n = max(1, len(found))
    mean = late / n
    spread = sum(abs(row[eng.F_LATE] - mean) for row in found.tolist()) / n if len(found) > 1 else 0.0
    return RoundReport(
        sightings=tuple(sightings.values()),
        sent=len(found),
        throttled=throttled,
        spread_s=spread,
        held_s=held / n,
        departed_s=departed_s,
    )
