"""One trace's functions under way, and the ports through which a warmer sees and touches them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator import together
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.fleet import Fleet, Floats, Found, Ints
from preheat_tools.simulator.function import START_S, Function
from preheat_tools.simulator.traces import Duration, Trace
from warmer.policy.replies import Tallied, Tally
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
        self.play(now)

    def function(self, target: Target) -> Function:
        return self.functions[self.number_of[target]]

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

    def play(self, until: float) -> None:
        """Play everything before `until`."""
        self.fleet.play(self.functions, np.arange(len(self.functions)), until)

    def close(self) -> None:
        span_s = self.trace.span_s
        self.play(span_s)
        for function in self.functions:
            function.close(span_s, self.assumptions.provision_step_s)


@dataclass(slots=True)
class SimulatedDemand:
    world: World

    def read(self, since_s: Mapping[Target, float], now_s: float) -> Mapping[Target, Demand | Failed]:
        until = now_s - START_S - self.world.assumptions.metric_delay_s
        self.world.metric_reads += len(since_s)
        return {
            target: self.world.function(target).demand(since - START_S, until)
            for target, since in since_s.items()
        }


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
        return {target: _capacity(self.world.function(target)) for target in targets}

    def request(self, target: Target, environments: int) -> Capacity | Failed:
        a = self.world.assumptions
        function = self.world.function(target)
        function.provision(environments, self.world.now, a.provision_s, a.provision_step_s)
        return _capacity(function)


def _capacity(function: Function) -> Capacity:
    size, asked = int(function.scalars[eng.PC_SIZE]), int(function.scalars[eng.PC_ASKED])
    status = "NONE" if not asked else "READY" if size == asked else "IN_PROGRESS"
    return Capacity(requested=asked, allocated=size, available=size, status=status)


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


class SimulatedReports(Tallied):
    """What rounds found. The policy reads columns; a report is put together where somebody asks for it."""

    def __init__(self, targets: tuple[Target, ...], found: Found, init_s: float, departed_s: Floats) -> None:
        self._targets, self._found, self._init_s, self._departed_s = targets, found, init_s, departed_s
        self._rows: Mapping[Target, int] | None = None

    def __len__(self) -> int:
        return len(self._targets)

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets)

    def __getitem__(self, target: Target) -> RoundReport:
        if self._rows is None:
            self._rows = {one: row for row, one in enumerate(self._targets)}
        row = self._rows[target]
        summary = self._found.summaries[row].tolist()
        mine = self._found.found[self._found.edges[row] : self._found.edges[row + 1]]
        return RoundReport(
            sightings=_sightings(mine, self._init_s),
            sent=len(mine),
            throttled=int(summary[together.R_THROTTLED]),
            spread_s=summary[together.R_SPREAD],
            held_s=summary[together.R_HELD],
            departed_s=float(self._departed_s[row]),
        )

    def tally(self) -> Tally:
        column = self._found.summaries.T
        init_s = column[together.R_MADE] * self._init_s
        return Tally(
            targets=self._targets,
            found=column[together.R_DISTINCT],
            own=column[together.R_OWN],
            used=column[together.R_USED],
            served=column[together.R_SERVED],
            made=column[together.R_MADE],
            init_s=init_s,
            billed_init_s=init_s,
            sent=np.diff(self._found.edges).astype(np.float64),
            spread_s=column[together.R_SPREAD],
            held_s=column[together.R_HELD],
            departed_s=self._departed_s,
            of_models=(),
        )


def _sightings(found: Floats, init_s: float) -> tuple[Sighting, ...]:
    """The environments that a round's pings met, each as the first ping found it."""
    return tuple(
        Sighting(
            environment=str(int(identity)), cold=cold > 0, provisioned=pc > 0, age_s=age, idle_s=idle,
            requests=int(served), init_s=init_s,
        )
        for identity, cold, pc, age, idle, served, _, _, first in found.tolist()
        if first
    )  # fmt: skip
