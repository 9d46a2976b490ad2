"""What the user allows, whatever pays: floor, ceiling, windows, the month's budget. All (targets,).

The budget binds pings and provisioned concurrency together. What is provisioned goes on costing until the month's end,
so that much is set aside for it; pings have the rest, day by day.
"""

from __future__ import annotations

import calendar
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

import numpy as np

from warmer.policy.economics import (
    LONGEST_HOLD_S,
    MOST_VOLLEYS,
    PROVISIONED_STEP_S,
    Economics,
    provisioned_usd_s,
)
from warmer.policy.history import History
from warmer.policy.plans import Batch, Bools, Floats, Ints
from warmer.policy.values import Configured, Terms

AHEAD_S = 120.0
"""What is expected is made ready so long before: a run of the warmer may be a minute late, and INIT takes its time."""
HEAD_START_DAYS = 1.0
"""The month's budget becomes available day by day; so much of it is there from the start."""
WEEK_MIN = 7 * 1440
LEAST_REST_S = 86_400.0
"""Else the last minutes of a month could provision more than the first look of the next one can end in time."""


@dataclass(frozen=True, slots=True)
class Limits:
    floor: Ints
    in_window: Bools
    """Whether the floor is a calendar window's."""
    ceiling: Ints
    provisioned: Ints
    """Of the environments that are busy past break-even, those that may be provisioned."""
    affordable: Ints
    """Environments that a round may reach beside those provisioned."""
    by_rate: Bools
    """Whether the user asks for a rate of cold starts in place of a price."""

    @staticmethod
    def of(batch: Batch[History], money: Economics, terms: Terms, busy: Ints) -> Limits:
        ceiling = batch.column(lambda c: c.objective.ceiling, np.int64)
        own = batch.column(lambda c: c.objective.floor, np.int64)
        window = batch.column(lambda c: window_floor(c, batch.now_s), np.int64)
        left = Left.of(batch, terms)
        provisioned = np.minimum(np.minimum(busy, ceiling), left.provisionable())
        return Limits(
            floor=np.maximum(own, window),
            in_window=window > own,
            ceiling=ceiling,
            provisioned=provisioned,
            affordable=np.where(np.isinf(left.month_usd), ceiling, left.pings(provisioned, money)),
            by_rate=batch.column(lambda c: c.objective.cold_start_rate is not None, np.bool_),
        )

    def bounded(self, wanted: Ints) -> Ints:
        """Never above the ceiling or the budget, whatever the floor says."""
        return np.minimum(np.maximum(wanted, self.floor), np.minimum(self.ceiling, self.affordable))


def window_floor(configured: Configured, now_s: float) -> int:
    """The highest floor of the windows that are open and of what is expected now; 0 where there is none."""
    if not (configured.objective.windows or configured.objective.expected):
        return 0
    minute, day = int(now_s // 60 % 1440), int(now_s // 86400 + 3) % 7
    inside = (
        w.floor
        for w in configured.objective.windows
        if day in w.days and w.from_minute <= minute < w.until_minute
    )
    expected = (
        one.floor for one in configured.objective.expected if one.from_s - AHEAD_S <= now_s < one.until_s
    )
    return max(chain(inside, expected), default=0)


def next_edge_s(configured: Configured, now_s: float) -> float:
    """When a window, or what is expected, begins or ends next, Unix s; inf where there is none."""
    if not (configured.objective.windows or configured.objective.expected):
        return math.inf
    minute_s = now_s // 60 * 60
    now = int(minute_s // 60 + 3 * 1440) % WEEK_MIN
    edges = (
        day * 1440 + edge
        for w in configured.objective.windows
        for day in w.days
        for edge in (w.from_minute, w.until_minute)
    )
    ahead_min = min(((edge - now - 1) % WEEK_MIN + 1 for edge in edges), default=math.inf)
    expected = (
        edge
        for one in configured.objective.expected
        for edge in (one.from_s - AHEAD_S, one.until_s)
        if edge > now_s
    )
    return min(minute_s + 60.0 * ahead_min, min(expected, default=math.inf))


@dataclass(frozen=True, slots=True)
class Left:
    """What may still be spent; inf without a budget."""

    month_usd: Floats
    """Until the month's end."""
    now_usd: Floats
    """Until now: the budget's share of the month so far and a day, less what was spent."""
    rest_s: float
    """Until the month's end, and never less than LEAST_REST_S: what is provisioned goes on in the next month."""
    each_usd_s: Floats
    """A provisioned environment's second."""
    had: Ints
    """Environments provisioned already."""

    @staticmethod
    def of(batch: Batch[History], terms: Terms) -> Left:
        when = datetime.fromtimestamp(batch.now_s, UTC)
        days = calendar.monthrange(when.year, when.month)[1]
        gone = when.day - 1 + (when.hour * 3600 + when.minute * 60 + when.second) / 86400
        share = min(1.0, (gone + HEAD_START_DAYS) / days)
        budget = batch.column(
            lambda c: np.inf if c.objective.monthly_budget_usd is None else c.objective.monthly_budget_usd
        )
        spent = batch.history["spent_usd"]
        return Left(
            month_usd=budget - spent,
            now_usd=budget * share - spent,
            rest_s=max((days - gone) * 86400.0, LEAST_REST_S),
            each_usd_s=batch.column(lambda c: provisioned_usd_s(c.facts, terms.prices)),
            had=batch.history["provisioned"].astype(np.int64),
        )

    def provisionable(self) -> Ints:
        """Environments that can be provisioned to the month's end; each new one is billed for a whole step at least."""
        seconds = np.minimum(np.maximum(self.month_usd, 0.0) / self.each_usd_s, 1e15)
        held = seconds / self.rest_s
        grown = (seconds + self.had * PROVISIONED_STEP_S) / (self.rest_s + PROVISIONED_STEP_S)
        some: Ints = np.floor(np.minimum(held, grown) + 1e-9).astype(np.int64)
        return some

    def pings(self, provisioned: Ints, money: Economics) -> Ints:
        """Pings beside so many provisioned environments, whose own pings come first."""
        there = np.maximum(provisioned, self.had)
        new = np.maximum(provisioned - self.had, 0)
        aside = (there * self.rest_s + new * PROVISIONED_STEP_S) * self.each_usd_s
        left = np.minimum(self.now_usd, self.month_usd - aside)
        # the dearest a round can be: every environment made anew
        each = money.init_usd + MOST_VOLLEYS * (money.request_usd + money.run_usd_s * LONGEST_HOLD_S)
        some: Ints = np.floor(np.minimum(np.maximum(left, 0) / each, 1e6)).astype(np.int64)
        return np.maximum(some - there, np.zeros_like(some))
