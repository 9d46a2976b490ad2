"""What the user allows, whatever pays: floor, ceiling, windows, the month's budget. All (targets,)."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from warmer.policy.economics import Economics
from warmer.policy.history import History
from warmer.policy.plans import Batch, Bools, Floats, Ints, column
from warmer.policy.values import Configured, Terms

HEAD_START_DAYS = 1.0
"""The month's budget becomes available day by day; so much of it is there from the start."""


@dataclass(frozen=True, slots=True)
class Limits:
    floor: Ints
    in_window: Bools
    """Whether the floor is a calendar window's."""
    ceiling: Ints
    affordable: Ints
    by_rate: Bools
    """Whether the user asks for a rate of cold starts in place of a price."""

    @staticmethod
    def of(batch: Batch[History], money: Economics, terms: Terms) -> Limits:
        configured, now = batch.configured, batch.now_s
        ceiling = column(configured, lambda c: c.objective.ceiling, np.int64)
        own = column(configured, lambda c: c.objective.floor, np.int64)
        window = column(configured, lambda c: window_floor(c, now), np.int64)
        left = allowance_usd(batch)
        # the dearest a round can be: every environment made anew
        each = money.init_usd + money.request_usd + money.run_usd_s * 0.1
        affordable = np.where(np.isinf(left), ceiling, np.floor(np.minimum(np.maximum(left, 0) / each, 1e6)))
        return Limits(
            floor=np.maximum(own, window),
            in_window=window > own,
            ceiling=ceiling,
            affordable=affordable.astype(np.int64),
            by_rate=column(configured, lambda c: c.objective.cold_start_rate is not None, np.bool_),
        )

    def bounded(self, wanted: Ints) -> Ints:
        """Never above the ceiling or the budget, whatever the floor says."""
        return np.minimum(np.maximum(wanted, self.floor), np.minimum(self.ceiling, self.affordable))


def window_floor(configured: Configured, now_s: float) -> int:
    """The highest floor of the windows that are open; 0 where none is."""
    if not configured.objective.windows:
        return 0
    minute, day = int(now_s // 60 % 1440), int(now_s // 86400 + 3) % 7
    inside = (
        w.floor
        for w in configured.objective.windows
        if day in w.days and w.from_minute <= minute < w.until_minute
    )
    return max(inside, default=0)


def allowance_usd(batch: Batch[History]) -> Floats:
    """What may still be spent now: the budget's share of the month so far and a day, less what was; inf without one."""
    when = datetime.fromtimestamp(batch.now_s, UTC)
    days = calendar.monthrange(when.year, when.month)[1]
    gone = when.day - 1 + when.hour / 24 + when.minute / 1440
    share = min(1.0, (gone + HEAD_START_DAYS) / days)
    budget = column(
        batch.configured,
        lambda c: np.inf if c.objective.monthly_budget_usd is None else c.objective.monthly_budget_usd,
    )
    left: Floats = budget * share - batch.history["spent_usd"]
    return left
