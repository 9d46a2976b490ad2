"""How many environments a round is to reach: the depth at which what it saves exceeds what it costs by most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from warmer.policy.economics import Economics, best_hold_s, jitter_s, ping_usd, turned_away_usd
from warmer.policy.expectation import left_cold, scale
from warmer.policy.forecast import hazard_per_s
from warmer.policy.history import LEVELS, WIDTHS, History
from warmer.policy.lifetime import gone_after
from warmer.policy.plans import Floats, Ints
from warmer.policy.values import Terms

AMORTISED_ROUNDS = 6.0
"""A new environment's INIT is a cost of the rounds it is likely to be kept for."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Per target: the environments worth a round, its hold, and what is expected until the next one."""

    pings: Ints
    hold_s: Floats
    cost_usd: Floats
    cold_starts: Floats
    cost_without_usd: Floats
    cold_starts_without: Floats
    kept_by_traffic: Floats
    """Share of what is worth having that customers keep warm by themselves."""


def best_depth(  # noqa: PLR0917
    history: History,
    money: Economics,
    until_next_s: Floats,
    gone: Floats,
    lasting: Ints,
    now_s: float,
    terms: Terms,
) -> Depth:
    """`gone` is the share of idle environments that die before the next round although pinged in this one; `lasting`
    are the environments that are there and not too old."""
    span = until_next_s[:, None]
    columns = Economics(
        money.run_usd_s[:, None], money.request_usd[:, None], money.init_usd[:, None], money.cold_usd[:, None]
    )
    hazard = hazard_per_s(history, now_s)
    needed = 1 - np.exp(-hazard * span)
    dead = (1 - np.minimum(needed, 0.999)) ** (
        1 + 60.0 / span
    )  # not touched for a lifetime: traffic keeps none alive
    cold = np.minimum.accumulate(needed * dead, axis=1)
    rate, jitter = history["rate_s"].astype(np.float64)[:, None], jitter_s(history)[:, None]
    pings = LEVELS[None, :].astype(np.float64)
    hold = best_hold_s(pings, jitter, rate, columns)
    upkeep = (
        np.where(LEVELS[None, :] <= lasting[:, None], gone[:, None], 1 / AMORTISED_ROUNDS) * columns.init_usd
    )
    saved = np.cumsum((columns.cold_usd * cold - upkeep) * WIDTHS, axis=1)
    turned_away = turned_away_usd(hold, pings, rate, columns, terms)
    spent = pings * ping_usd(hold, pings, columns, terms) + turned_away
    net = saved - spent
    best = net.argmax(axis=1)
    at = np.arange(len(history)), best
    worth = net[at] > 0
    expected = left_cold(history, gone_after(history), hazard, until_next_s, np.full(len(history), now_s))
    raw = expected.sum(axis=1)
    without = raw * scale(history, "without")
    reached = np.where(worth, np.cumsum(expected, axis=1)[at], 0.0)
    left = np.minimum((raw - reached) * scale(history, "left" if terms.announces else "without"), without)
    return Depth(
        pings=np.where(worth, LEVELS[best], 0),
        hold_s=np.where(worth, hold[at], 0.0),
        cost_usd=left * money.cold_usd + np.where(worth, (spent - turned_away)[at], 0.0),
        cold_starts=left,
        cost_without_usd=without * money.cold_usd,
        cold_starts_without=without,
        kept_by_traffic=1 - dead[:, 0],
    )
