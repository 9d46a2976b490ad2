"""One trace's functions under way, and the ports through which a warmer sees and touches them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.answers import ReadCapacity, ReadMinutes, SimulatedReports
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.fleet import Fleet, Ints
from preheat_tools.simulator.function import START_S, Function
from preheat_tools.simulator.traces import Duration, Trace
from warmer.policy.values import Capacity, Demand, Failed, Round, RoundReport, Target


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
        default, span_s = assumptions.service_ms / 1000, trace.span_s
        self.fleet = Fleet(len(trace.series))
        self.functions = [
            Function(
                series, number, span_s, assumptions,
                (durations or {})[series.key].mean_s if series.key in (durations or {}) else default,
                oracle=oracle, fleet=self.fleet,
            )
            for number, series in enumerate(trace.series)
        ]  # fmt: skip
        self.targets = [Target(f"{i:05d}-{f.name}", "live") for i, f in enumerate(self.functions)]
        self.number_of = {target: number for number, target in enumerate(self.targets)}
        self._asked: tuple[tuple[Target, ...], Ints] = (), np.zeros(0, np.int64)
        self.random = np.random.default_rng((assumptions.seed, 0x5C))
        self.sending_s = self.helping_s = 0.0
        self.now = 0.0
        self.metric_reads = 0
        self.looks = 0
        self._told = np.zeros(len(self.functions), np.int64)

    def begin_cycle(self, now: float) -> None:
        """Everything is played up to the cycle's instant: the ports have only to look."""
        self.now, self.sending_s, self.helping_s = now, 0.0, 0.0
        self.play(now, skip_still=True)

    def numbers(self, targets: Collection[Target]) -> Ints:
        """Which functions those targets are; in one cycle mostly the same are asked of."""
        asked = tuple(targets)
        if asked != self._asked[0]:
            self._asked = asked, np.array([self.number_of[target] for target in asked], np.int64)
        return self._asked[1]

    def announced_functions(self) -> Ints:
        """Functions of which a customer's cold start was announced since the last call, by number."""
        late_s = self.assumptions.init_ms / 1000 + self.assumptions.announce_s
        return self.fleet.announced(self._told, late_s, self.now)

    def play(self, until: float, *, skip_still: bool = False) -> None:
        """Play everything before `until`; functions to which nothing happens may wait."""
        self.fleet.play(self.functions, np.arange(len(self.functions)), until, skip_still=skip_still)

    def close(self) -> None:
        span_s = self.trace.span_s
        self.play(span_s)
        for function in self.functions:
            function.close(span_s, self.assumptions.provision_step_s)


@dataclass(slots=True)
class SimulatedDemand:
    world: World

    def read(self, since_s: Mapping[Target, float], now_s: float) -> Mapping[Target, Demand | Failed]:
        world = self.world
        world.metric_reads += len(since_s)
        since = np.fromiter(since_s.values(), np.float64, len(since_s)) - START_S
        until = now_s - START_S - world.assumptions.metric_delay_s
        firsts = np.maximum(0, np.floor(since / 60)).astype(np.int64)
        counts = np.maximum(0, max(0, math.floor(until / 60)) - firsts)
        minutes = world.fleet.minutes(world.numbers(since_s), firsts, counts)
        return ReadMinutes(tuple(since_s), firsts, counts, minutes)


@dataclass(slots=True)
class SimulatedColdStarts:
    world: World

    def read(
        self, since_s: Mapping[Target, float], now_s: float
    ) -> Mapping[Target, tuple[float, ...] | Failed]:
        """Announced between the instants: a cold start is told `announce_s` after its INIT."""
        world, a = self.world, self.world.assumptions
        late = a.init_ms / 1000 + a.announce_s
        numbers, targets = world.numbers(since_s), tuple(since_s)
        since = np.fromiter(since_s.values(), np.float64, len(targets))
        spans = world.fleet.told_between(numbers, since - START_S - late, now_s - START_S - late)
        told = (spans[:, 1] > spans[:, 0]).nonzero()[0].tolist()
        return {
            targets[row]: tuple((world.functions[numbers[row]].colds[slice(*spans[row])] + START_S).tolist())
            for row in told
        }


@dataclass(slots=True)
class SimulatedProvisioner:
    world: World

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Capacity | Failed]:
        mine = self.world.fleet.scalars[self.world.numbers(targets)]
        asked, there = mine[:, eng.PC_ASKED].astype(np.int64), mine[:, eng.PC_SIZE].astype(np.int64)
        return ReadCapacity(tuple(targets), asked, there)

    def request(self, target: Target, environments: int) -> Capacity | Failed:
        a = self.world.assumptions
        function = self.world.functions[self.world.number_of[target]]
        function.provision(environments, self.world.now, a.provision_s, a.provision_step_s)
        return self.read((target,))[target]


@dataclass(slots=True)
class SimulatedPinger:
    world: World
    departs: Callable[[float], float]
    """How long a round waits that could go out then."""

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        """Rounds go out one after another from the cycle's instant on."""
        world, a = self.world, self.world.assumptions
        counts = np.array([round_.environments for round_ in rounds])
        senders = -(-counts // a.sender_pings)
        send_s = a.send_ms / 1000 / senders
        wait_s = self.departs(world.now)
        begins_s = np.zeros(len(rounds))
        for k, sending_s in enumerate((counts * a.send_ms / 1000 / senders).tolist()):
            begins_s[k] = world.now + max(world.sending_s, wait_s)
            world.sending_s += sending_s
            # every further sender is a run of the warmer of its own
            world.helping_s += float(senders[k] - 1) * (a.warmer_run_ms / 1000 + sending_s)
        targets = tuple(round_.target for round_ in rounds)
        found = world.fleet.ping(
            world.functions, world.numbers(targets), counts, begins_s, send_s,
            np.array([round_.hold_s for round_ in rounds]), world.random.exponential(a.jitter_ms / 1000, counts.sum()),
        )  # fmt: skip
        return SimulatedReports(targets, found, a.init_ms / 1000, START_S + begins_s)
