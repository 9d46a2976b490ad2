"""One trace's functions under way, and the ports through which a warmer sees and touches them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.placement import blocks
from preheat_tools.simulator.traces import Duration, Series, Trace
from warmer.policy.values import Capacity, Demand, Failed, Round, RoundReport, Sighting, Target

START_S = 1_573_430_400.0
"""Monday, 11 November 2019, 00:00 UTC: where traces without a date begin."""
FIRST_HOUR_S = 3600.0
_NOTHING = np.zeros(0)

Floats = NDArray[np.float64]


class Function:
    """One function's environments, requests and bills. Times are s from the trace's start."""

    __slots__ = (
        "_blocks", "_found", "_one_service", "_pings", "colds", "deques", "environments", "gb", "minutes", "name",
        "number", "parameters", "pc_heap", "pc_idle_s", "pc_pending", "pc_requested", "pc_since", "requests",
        "scalars", "series", "service",
    )  # fmt: skip

    def __init__(
        self, series: Series, number: int, span_s: float, world: Assumptions, mean_s: float, *, oracle: bool
    ) -> None:
        self.series, self.number, self.name = series, number, series.name
        self.gb = world.memory_mb / 1024
        least, most, age = world.lifetime_range_s()
        p = np.zeros(eng.PARAMETERS)
        p[eng.P_INIT], p[eng.P_LIFE_MIN], p[eng.P_LIFE_MAX] = world.init_ms / 1000, least, most
        p[eng.P_AGE] = age
        p[eng.P_ROUTING] = {"recent": eng.RECENT, "random": eng.RANDOM, "oldest": eng.OLDEST}[world.routing]
        p[eng.P_REPLY], p[eng.P_HOLD] = world.reply_ms / 1000, world.max_hold_s
        p[eng.P_BURST], p[eng.P_REFILL] = world.burst_environments, world.burst_refill_s
        p[eng.P_ORACLE], p[eng.P_FIRST_HOUR] = float(oracle), FIRST_HOUR_S
        self.parameters = p
        s = np.zeros(eng.SCALARS)
        s[eng.TOKENS] = world.burst_environments
        s[eng.RNG] = float(np.random.default_rng((world.seed, number, 0x1D)).integers(1, 2**52))
        self.scalars = s
        self.minutes = np.zeros((math.ceil(span_s / 60) + 2, 5))
        self.colds = np.zeros(64)
        self._one_service = np.array([mean_s])
        self.environments = np.zeros((0, 5))
        none = np.zeros(0, np.int64)
        self.deques = (none, _NOTHING, none, none)
        self._make_room(16)
        self.pc_heap = (np.zeros(4), np.zeros(4, np.int64))
        self._blocks: Iterator[Floats] = blocks(series, world.placement, world.seed, number)
        self._next_block()
        self._pings, self._found = _NOTHING, np.zeros((0, 9))
        self.pc_requested, self.pc_pending, self.pc_idle_s = 0, math.inf, 0.0
        self.pc_since: list[float] = []

    def _make_room(self, size: int) -> None:
        had = self.environments
        e = np.zeros((size, 5))
        e[: len(had)] = had
        idle, heap_t, heap_i, spare = self.deques
        n = int(self.scalars[eng.SPARE])
        spare = np.concatenate((spare[:n], np.arange(len(had), size), np.zeros(len(had), np.int64)))
        self.scalars[eng.SPARE] = n + size - len(had)
        self.environments = e
        self.deques = (
            np.concatenate((idle, np.zeros(2 * size - len(idle), np.int64))),
            np.concatenate((heap_t, np.zeros(size - len(heap_t)))),
            np.concatenate((heap_i, np.zeros(size - len(heap_i), np.int64))),
            spare,
        )

    def _next_block(self) -> bool:
        block = next(self._blocks, None)
        if block is None:
            self.requests = _NOTHING
            self.parameters[eng.P_REQUEST_LIMIT] = math.inf
            return False
        self.requests = block
        bins, bin_s = self.series.counts, self.series.bin_s
        last = (int(block[-1] // bin_s) + 1) if len(block) else len(bins)
        self.parameters[eng.P_REQUEST_LIMIT] = last * bin_s if self.series.instants_s is None else math.inf
        lengths = self.series.service_s
        self.service = self._one_service if lengths is None else lengths
        self.scalars[eng.NEXT_REQUEST] = 0
        return True

    def advance(self, until: float) -> None:
        """Play everything before `until`."""
        while self.pc_pending <= until:
            at, self.pc_pending = self.pc_pending, math.inf
            self._run(at)
            self._resize(self.pc_requested)
        self._run(until)

    def waits(self, until: float) -> bool:
        """Whether no request comes before `until` and none was cold lately: nothing can be announced."""
        at = int(self.scalars[eng.NEXT_REQUEST])
        coming = self.requests[at] if at < len(self.requests) else self.parameters[eng.P_REQUEST_LIMIT]
        cold = int(self.scalars[eng.COLD])
        return bool(coming > until and (cold == 0 or self.colds[cold - 1] < until - 300))

    def _run(self, until: float) -> None:
        while True:
            status = eng.advance(
                self.scalars, self.environments, *self.deques, *self.pc_heap, self.requests, self.service,
                self._pings, self._found, self.minutes, self.colds, self.parameters, until,
            )  # fmt: skip
            if status == eng.DONE:
                return
            if status == eng.MORE_REQUESTS:
                self._next_block()
            else:
                self._grow()

    def _grow(self) -> None:
        if self.scalars[eng.SPARE] < 1:
            self._make_room(2 * len(self.environments))
        if self.scalars[eng.COLD] + 1 >= len(self.colds):
            self.colds = np.concatenate((self.colds, np.zeros_like(self.colds)))
        self._resize(int(self.scalars[eng.PC_SIZE]))

    def ping(self, count: int, at: float, hold_s: float, send_s: float, jitter: Floats) -> Floats:
        """A round that starts at `at`; (count, 9) what each ping found, by `engine.F_*`."""
        self.advance(at)
        sent = at + send_s * np.arange(1, count + 1)
        order = np.argsort(sent + jitter)
        self._pings, self._found = (sent + jitter)[order], np.zeros((count, 9))
        self._found[:, eng.F_LATE] = jitter[order]
        self.scalars[eng.NEXT_PING] = 0
        self.parameters[eng.P_RELEASE] = at + send_s * count + hold_s
        self.advance(float(self._pings[-1]) + 1e-6)
        found, self._found, self._pings = self._found, np.zeros((0, 9)), _NOTHING
        self.scalars[eng.NEXT_PING] = 0
        return found

    def provision(self, count: int, at: float, delay_s: float, step_s: float) -> None:
        """Ask for provisioned concurrency: less is at once, more is all there after the delay, billed from now on."""
        self.advance(at)
        while len(self.pc_since) > count:
            self.pc_idle_s += math.ceil((at - self.pc_since.pop()) / step_s) * step_s
        self.pc_since += [at] * (count - len(self.pc_since))
        self.pc_requested = count
        if count <= self.scalars[eng.PC_SIZE]:
            self.pc_pending = math.inf
            self._resize(count)
        else:
            self.pc_pending = at + delay_s

    def _resize(self, count: int) -> None:
        self.scalars[eng.PC_SIZE] = count
        times, indices = self.pc_heap
        if len(times) < 2 * count + 4:
            more = 2 * count + 4 - len(times)
            self.pc_heap = (
                np.concatenate((times, np.zeros(more))),
                np.concatenate((indices, np.zeros(more, np.int64))),
            )

    def close(self, until: float, step_s: float) -> None:
        """The trace is over: what is provisioned is billed to here."""
        self.advance(until)
        self.pc_idle_s += sum(math.ceil((until - since) / step_s) * step_s for since in self.pc_since)
        self.pc_since = []

    def demand(self, since: float, until: float) -> Demand:
        """The whole minutes between, as CloudWatch gives them: pings and INITs are in the numbers."""
        first, last = max(0, math.floor(since / 60)), max(0, math.floor(until / 60))
        rows = self.minutes[first:last]
        calls = rows[:, eng.COUNT].sum()
        return Demand(
            start_s=START_S + first * 60,
            period_s=60.0,
            peak_concurrency=tuple(rows[:, eng.PEAK].astype(np.int64).tolist()),
            invocations=tuple(rows[:, eng.COUNT].astype(np.int64).tolist()),
            duration_s=float(rows[:, eng.RUN].sum() / calls) if calls else 0.0,
            provisioned_use=tuple(
                np.where(
                    rows[:, eng.PC_SEEN] > 0,
                    rows[:, eng.PC_USE] / np.maximum(rows[:, eng.PC_SEEN], 1),
                    np.nan,
                )
            )
            if rows[:, eng.PC_SEEN].any()
            else (),
        )


class World:
    """A trace's functions with the ports to them; `ports()` gives what `run_cycle` needs but the history."""

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
