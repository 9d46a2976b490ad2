"""The idle-time histogram of Serverless in the Wild (Shahrad et al., USENIX ATC 2020), carried out by pings.

A histogram of idle times in minutes, up to 4 h: after a use, environments may go once the 5th percentile has not
passed (pre-warming window), and are kept until the 99th (keep-alive window). Where the histogram says little (few
idle times, or spread evenly: coefficient of variation of the bins below 2) everything is kept for a fixed time.
The paper's ARIMA for idle times beyond the range is left out: those are let go. As many environments are kept as
the last keep-alive window needed at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.answers import ReadMinutes, minutes_read
from preheat_tools.simulator.baselines.fixed import EVERY_S, next_slot, plans
from preheat_tools.simulator.function import START_S
from warmer.policy.plans import Batch, Floats, Ints, Looks, Plans
from warmer.policy.values import Facts, Terms

RANGE = 240
HEAD, TAIL = 0.05, 0.99
FEW = 5
REPRESENTATIVE_CV = 2.0
DEFAULT_MINUTES = 120.0
HOLD_S = 0.075
_IDLE, _UNTIL, _ROUND, _PINGED = range(RANGE + 1, RANGE + 5)
_PEAKS = RANGE + 5


@dataclass(frozen=True, slots=True, eq=False)
class Idle:
    """Per target: RANGE+1 bins (the last: beyond), minutes idle, watermark, last round and its size, RANGE peaks."""

    table: Floats

    @staticmethod
    def stack(rows: Sequence[bytes | None]) -> Idle:
        table = np.zeros((len(rows), _PEAKS + RANGE))
        table[:, _IDLE] = -1
        for i, row in enumerate(rows):
            if row:
                table[i] = np.frombuffer(row)
        return Idle(table)

    def take(self, rows: Ints) -> Idle:
        return Idle(self.table[rows])

    def put(self, rows: Ints, some: Idle) -> None:
        self.table[rows] = some.table

    def rows(self) -> list[bytes]:
        return [row.tobytes() for row in self.table]


@dataclass(frozen=True, slots=True)
class Histogram:
    def look(self, batch: Batch[Idle], terms: Terms) -> Looks:
        n = len(batch.configured)
        until = batch.history.table[:, _UNTIL]
        return Looks(
            demand_since_s=np.where(until > 0, until, batch.now_s - 86400.0),
            announced_since_s=np.full(n, batch.now_s),
            capacity=np.zeros(n, np.bool_),
        )

    def absorb(self, batch: Batch[Idle], facts: Facts) -> Idle:
        table = batch.history.table.copy()
        if read := minutes_read(facts):
            rows = batch.rows(read.targets)
            some = table[rows]
            _absorb(some, read)
            table[rows] = some
        rows = batch.rows(facts.reports)
        table[rows, _ROUND] = facts.at_s
        table[rows, _PINGED] = [facts.rounds[target].environments for target in facts.reports]
        return Idle(table)

    def plan(self, batch: Batch[Idle], terms: Terms) -> Plans:
        table = batch.history.table
        counts = table[:, : RANGE + 1]
        seen = counts.sum(axis=1)
        share = np.cumsum(counts, axis=1) / np.maximum(seen, 1)[:, None]
        spread = counts.std(axis=1) / np.maximum(counts.mean(axis=1), 1e-9)
        known = (seen >= FEW) & (spread > REPRESENTATIVE_CV) & (counts[:, RANGE] < 0.5 * np.maximum(seen, 1))
        head = np.where(known, (share < HEAD).sum(axis=1), 0)
        tail = np.where(known, (share < TAIL).sum(axis=1) + 1, DEFAULT_MINUTES)
        idle = table[:, _IDLE]
        keep = (idle >= 0) & (idle + EVERY_S / 60 >= head) & (idle <= tail)
        recent = np.arange(RANGE)[None, :] >= RANGE - tail[:, None]
        peak = (table[:, _PEAKS:] * recent).max(axis=1)
        pings = np.where(keep, peak, 0).astype(np.int64)
        return plans(batch, pings, np.full(len(table), -1), next_slot(batch.now_s, EVERY_S), hold_s=HOLD_S)


def _absorb(table: Floats, read: ReadMinutes) -> None:
    """In the minute of its own round, what it pinged is not traffic."""
    own_minute = np.floor(table[:, _ROUND] / 60.0)
    peaks, counts = np.zeros((len(table), max(read.counts, default=0))), np.zeros(len(table), np.int64)
    for number in range(peaks.shape[1]):
        at_s = START_S + 60.0 * (read.firsts + number)
        fresh = np.flatnonzero((number < read.counts) & (at_s >= table[:, _UNTIL]))
        some, minute, at_s = table[fresh], read.minute(number)[fresh], at_s[fresh]
        some[:, _UNTIL] = at_s + 60.0
        own = np.where(own_minute[fresh] == np.floor(at_s / 60.0), some[:, _PINGED], 0.0)
        peak, idle = np.maximum(0, minute[:, eng.PEAK] - own), some[:, _IDLE].copy()
        called = minute[:, eng.COUNT] > own
        again = np.flatnonzero(called & (idle > 0))
        some[again, np.minimum(RANGE, idle[again]).astype(np.int64)] += 1
        some[:, _IDLE] = np.where(called, 0.0, np.where(idle >= 0, idle + 1, idle))
        peaks[fresh, counts[fresh]] = np.where(called, np.maximum(peak, 1), peak)
        counts[fresh] += 1
        table[fresh] = some
    for count in np.unique(counts[counts > 0]).tolist():
        rows = np.flatnonzero(counts == count)
        table[rows, _PEAKS:] = np.concatenate((table[rows, _PEAKS:], peaks[rows, :count]), axis=1)[:, -RANGE:]
