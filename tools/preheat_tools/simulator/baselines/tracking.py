"""Application Auto Scaling's target tracking of provisioned concurrency's utilisation, as AWS runs it.

Out when 3 minutes in a row are above the target, in when 15 are below 0.9 of it, on the average; a minute without
datapoint is no evidence, so it never scales in without traffic. At least 1 is kept.
https://docs.aws.amazon.com/autoscaling/application/userguide/services-that-can-integrate-lambda.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.answers import ReadCapacity, minutes_read
from preheat_tools.simulator.baselines.fixed import plans
from warmer.policy.plans import Batch, Floats, Ints, Looks, Plans
from warmer.policy.values import Capacity, Facts, Terms

TARGET = 0.7
SLACK = 0.9
OUT_MINUTES, IN_MINUTES = 3, 15


@dataclass(frozen=True, slots=True, eq=False)
class Alarms:
    """Per target: the last 15 minutes' utilisation (nan without datapoint), what is asked for, what is there."""

    use: Floats
    asked: Ints
    settled: Ints

    @staticmethod
    def stack(rows: Sequence[bytes | None]) -> Alarms:
        table = np.full((len(rows), IN_MINUTES + 2), np.nan)
        table[:, -2:] = 0
        for i, row in enumerate(rows):
            if row:
                table[i] = np.frombuffer(row)
        return Alarms(table[:, :-2], table[:, -2].astype(np.int64), table[:, -1].astype(np.int64))

    def take(self, rows: Ints) -> Alarms:
        return Alarms(self.use[rows], self.asked[rows], self.settled[rows])

    def put(self, rows: Ints, some: Alarms) -> None:
        self.use[rows], self.asked[rows], self.settled[rows] = some.use, some.asked, some.settled

    def rows(self) -> list[bytes]:
        return [
            row.tobytes() for row in np.column_stack((self.use, self.asked, self.settled)).astype(np.float64)
        ]


@dataclass(frozen=True, slots=True)
class TargetTracking:
    def look(self, batch: Batch[Alarms], terms: Terms) -> Looks:
        n = len(batch.configured)
        since = batch.now_s - terms.data_delay_s - 60.0
        return Looks(
            demand_since_s=np.full(n, since),
            announced_since_s=np.full(n, batch.now_s),
            capacity=np.ones(n, np.bool_),
        )

    def absorb(self, batch: Batch[Alarms], facts: Facts) -> Alarms:
        use, asked = batch.history.use.copy(), batch.history.asked.copy()
        settled = batch.history.settled.copy()
        if read := minutes_read(facts):
            rows, last = batch.rows(read.targets), read.minute(-1)
            seen = last[:, eng.PC_SEEN]
            use[rows, :-1] = use[rows, 1:]
            use[rows, -1] = np.where(seen > 0, last[:, eng.PC_USE] / np.maximum(seen, 1), np.nan)
        if isinstance(facts.capacity, ReadCapacity):
            settled[batch.rows(facts.capacity.targets)] = facts.capacity.ready
        granted = {t: answer for t, answer in facts.provisioned.items() if isinstance(answer, Capacity)}
        for row, capacity in zip(batch.rows(granted).tolist(), granted.values(), strict=True):
            asked[row] = capacity.requested
            use[row] = np.nan  # alarms start anew after a change: one step at a time
        return Alarms(use, asked, settled)

    def plan(self, batch: Batch[Alarms], terms: Terms) -> Plans:
        use, asked = batch.history.use, batch.history.asked
        out = (use[:, -OUT_MINUTES:] > TARGET).all(axis=1)
        into = (use < TARGET * SLACK).all(axis=1)
        mean = np.where(into, use.sum(axis=1) / IN_MINUTES, use[:, -OUT_MINUTES:].sum(axis=1) / OUT_MINUTES)
        wanted = np.ceil(asked * np.nan_to_num(mean) / TARGET)
        change = (out | into) & (batch.history.settled > 0) & (wanted != asked)
        ask = np.where(asked == 0, 1, np.where(change, np.maximum(1, wanted), -1)).astype(np.int64)
        return plans(batch, np.zeros(len(asked), np.int64), ask, (np.floor(batch.now_s / 60) + 1) * 60)
