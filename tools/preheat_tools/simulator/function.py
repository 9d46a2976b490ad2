"""One function under way: its environments, requests and bills, as the compiled account keeps them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import Assumptions
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
