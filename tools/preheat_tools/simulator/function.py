"""One function under way: its environments, requests and bills, as the compiled account keeps them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.fleet import Fleet
from preheat_tools.simulator.placement import blocks
from preheat_tools.simulator.traces import Series
from warmer.policy.values import Demand

START_S = 1_573_430_400.0
"""Monday, 11 November 2019, 00:00 UTC: where traces without a date begin."""
FIRST_HOUR_S = 3600.0
_NOTHING = np.zeros(0)

Floats = NDArray[np.float64]


class Function:
    """One function's environments, requests and bills. Times are s from the trace's start."""

    __slots__ = (
        "_blocks", "_one_service", "colds", "deques", "environments", "fleet", "minutes", "name", "number",
        "parameters", "pc_heap", "pc_idle_s", "pc_since", "requests", "scalars", "series", "service",
    )  # fmt: skip

    def __init__(
        self,
        series: Series,
        number: int,
        span_s: float,
        world: Assumptions,
        mean_s: float,
        *,
        oracle: bool,
        fleet: Fleet | None = None,
    ) -> None:
        """`fleet` is the one whose row `number` is this function's; without one it is in a fleet of its own."""
        self.series, self.number, self.name = series, number, series.name
        self.fleet = fleet or Fleet(number + 1)
        least, most, age = world.lifetime_range_s()
        p = self.parameters = self.fleet.parameters[number]
        p[eng.P_INIT], p[eng.P_LIFE_MIN], p[eng.P_LIFE_MAX] = world.init_ms / 1000, least, most
        p[eng.P_AGE] = age
        p[eng.P_ROUTING] = {"recent": eng.RECENT, "random": eng.RANDOM, "oldest": eng.OLDEST}[world.routing]
        p[eng.P_REPLY], p[eng.P_HOLD] = world.reply_ms / 1000, world.max_hold_s
        p[eng.P_BURST], p[eng.P_REFILL] = world.burst_environments, world.burst_refill_s
        p[eng.P_ORACLE], p[eng.P_FIRST_HOUR] = float(oracle), FIRST_HOUR_S
        s = self.scalars = self.fleet.scalars[number]
        s[eng.TOKENS], s[eng.PC_READY] = world.burst_environments, math.inf
        s[eng.RNG] = float(np.random.default_rng((world.seed, number, 0x1D)).integers(1, 2**52))
        self.minutes = np.zeros((math.ceil(span_s / 60) + 2, eng.MINUTE_COLUMNS))
        self.colds = np.zeros(64)
        self._one_service = np.array([mean_s])
        self.environments = np.zeros((0, eng.ENVIRONMENT))
        none = np.zeros(0, np.int64)
        self.deques = (none, _NOTHING, none, none)
        self._make_room(16)
        self.pc_heap = (np.zeros(4), np.zeros(4, np.int64))
        self._blocks: Iterator[Floats] = blocks(series, world.placement, world.seed, number)
        self._next_block()
        self._note_arrays()
        self.pc_idle_s = 0.0
        self.pc_since: list[float] = []

    def _note_arrays(self) -> None:
        """Tell the compiled code where the arrays are and how long."""
        row = self.fleet.rows[self.number]
        arrays = (
            self.environments, *self.deques, *self.pc_heap, self.requests, self.service, self.minutes, self.colds,
        )  # fmt: skip
        row[: len(arrays)] = [array.ctypes.data for array in arrays]
        lengths = (self.environments, self.pc_heap[0], self.requests, self.service, self.minutes, self.colds)
        row[len(arrays) :] = [len(array) for array in lengths]

    def _make_room(self, size: int) -> None:
        had = self.environments
        e = np.zeros((size, eng.ENVIRONMENT))
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

    def _next_block(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            self.requests = _NOTHING
            self.parameters[eng.P_REQUEST_LIMIT] = math.inf
            return
        self.requests = block
        bins, bin_s = self.series.counts, self.series.bin_s
        last = (int(block[-1] // bin_s) + 1) if len(block) else len(bins)
        self.parameters[eng.P_REQUEST_LIMIT] = last * bin_s if self.series.instants_s is None else math.inf
        lengths = self.series.service_s
        self.service = self._one_service if lengths is None else lengths
        self.scalars[eng.NEXT_REQUEST] = 0

    def make_ready(self, lacking: int) -> None:
        """Give the compiled code what it stopped for: room, or the next block of requests."""
        if lacking == eng.MORE_REQUESTS:
            self._next_block()
        else:
            self._grow()
        self._note_arrays()

    def _grow(self) -> None:
        if self.scalars[eng.SPARE] < 1:
            self._make_room(2 * len(self.environments))
        if self.scalars[eng.COLD] + 1 >= len(self.colds):
            self.colds = np.concatenate((self.colds, np.zeros_like(self.colds)))

    def advance(self, until: float) -> None:
        """Play everything before `until`."""
        self.fleet.play({self.number: self}, np.array([self.number]), until)

    def ping(self, count: int, at: float, hold_s: float, send_s: float, jitter: Floats) -> Floats:
        """A round that starts at `at`; (count, 9) what each ping found, by `engine.F_*`."""
        return self.fleet.ping(
            {self.number: self}, np.array([self.number]), np.array([count]), np.array([at]), np.array([send_s]),
            np.array([hold_s]), jitter,
        ).found  # fmt: skip

    def provision(self, count: int, at: float, delay_s: float, step_s: float) -> None:
        """Ask for provisioned concurrency: less is at once, more is all there after the delay, billed from now on."""
        self.advance(at)
        while len(self.pc_since) > count:
            self.pc_idle_s += math.ceil((at - self.pc_since.pop()) / step_s) * step_s
        self.pc_since += [at] * (count - len(self.pc_since))
        self._room_for_provisioned(count)
        s = self.scalars
        s[eng.PC_ASKED] = count
        if count <= s[eng.PC_SIZE]:
            s[eng.PC_SIZE], s[eng.PC_READY] = count, math.inf
        else:
            s[eng.PC_READY] = at + delay_s

    def _room_for_provisioned(self, count: int) -> None:
        times, indices = self.pc_heap
        if (more := 2 * count + 4 - len(times)) > 0:
            self.pc_heap = (
                np.concatenate((times, np.zeros(more))),
                np.concatenate((indices, np.zeros(more, np.int64))),
            )
            self._note_arrays()

    def close(self, until: float, step_s: float) -> None:
        """The trace is over: what is provisioned is billed to here."""
        self.advance(until)
        self.pc_idle_s += sum(math.ceil((until - since) / step_s) * step_s for since in self.pc_since)
        self.pc_since = []

    def demand(self, since: float, until: float) -> Demand:
        """The whole minutes between, as CloudWatch gives them: pings and INITs are in the numbers."""
        first, last = max(0, math.floor(since / 60)), max(0, math.floor(until / 60))
        return demand_of(first, self.minutes[first:last])


def demand_of(first: int, minutes: Floats) -> Demand:
    """A function's minutes from the trace's minute `first` on, (minutes, 5), as CloudWatch gives them."""
    calls = minutes[:, eng.COUNT].sum()
    seen = minutes[:, eng.PC_SEEN]
    use = np.where(seen > 0, minutes[:, eng.PC_USE] / np.maximum(seen, 1), np.nan)
    return Demand(
        start_s=START_S + first * 60,
        period_s=60.0,
        peak_concurrency=tuple(minutes[:, eng.PEAK].astype(np.int64).tolist()),
        invocations=tuple(minutes[:, eng.COUNT].astype(np.int64).tolist()),
        duration_s=float(minutes[:, eng.RUN].sum() / calls) if calls else 0.0,
        provisioned_use=tuple(use.tolist()) if seen.any() else (),
    )
