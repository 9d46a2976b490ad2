"""How long idle environments live: unknown, undocumented, learned from what rounds find, and cautious until then."""

from __future__ import annotations

import numpy as np

from warmer.policy.history import INTERVALS, History
from warmer.policy.plans import Floats, Ints

SAFE_MINUTES = 5
"""Nobody has measured idle lifetimes below this."""
LONGEST_MINUTES = 20
SHARED_WEIGHT = 0.02
"""What one awaited environment of another target is worth beside one's own: lifetimes are mostly the platform's."""
PRIOR_DEATHS = 0.5
ENOUGH = 20.0


def death_probability(history: History) -> tuple[Floats, Floats]:
    """Share of idle environments gone after so many minutes, (targets, minutes), and how many were awaited."""
    trials, deaths = history["trials"].astype(np.float64), history["deaths"].astype(np.float64)
    weight = max(SHARED_WEIGHT, min(1.0, 50.0 / max(1.0, trials.sum())))
    trials = trials + weight * (trials.sum(axis=0) - trials)
    deaths = deaths + weight * (deaths.sum(axis=0) - deaths)
    return deaths / (trials + PRIOR_DEATHS), trials


def best_minutes(history: History, ping_usd: Floats, remake_usd: Floats) -> tuple[Ints, Ints]:
    """The interval of least cost a minute among those known, and the next longer one to try (0: none).

    A round costs each environment its ping, and its INIT where it is gone; an interval nobody has tried is not known.
    """
    gone, trials = death_probability(history)
    n = len(history)
    minutes = np.arange(INTERVALS)
    known = (trials >= ENOUGH) & (minutes >= SAFE_MINUTES) & (minutes <= LONGEST_MINUTES)
    known[:, SAFE_MINUTES] = True
    cost = (ping_usd[:, None] + gone * remake_usd[:, None]) / np.maximum(minutes, 1)
    best = np.where(known, cost, np.inf).argmin(axis=1)
    following = np.minimum(best + 1, INTERVALS - 1)
    at = np.arange(n)
    safe = (trials[at, best] >= ENOUGH) & (gone[at, best] < 0.1) & ~known[at, following]
    return best, np.where(safe & (following <= LONGEST_MINUTES), following, 0)
