"""How long idle environments live: unknown, undocumented, learned from what rounds find, and cautious until then."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warmer.policy.history import INTERVALS, History, Some
from warmer.policy.plans import Floats, Ints

SAFE_MINUTES = 5
"""Nobody has measured idle lifetimes below this."""
LONGEST_MINUTES = 20
SHARED_WEIGHT = 0.02
"""What one awaited environment of another target is worth beside one's own: lifetimes are mostly the platform's."""
PRIOR_DEATHS = 0.5
ENOUGH = 20.0
LONGEST_LIFE_MINUTES = 60
"""Nobody has measured idle lifetimes above this (docs/lambda-model.md)."""
GUESSED_HAZARD = np.ones(LONGEST_LIFE_MINUTES + 1)
"""Share of those alive a minute before that is gone by then, if a lifetime's logarithm is spread evenly up to there."""
GUESSED_HAZARD[SAFE_MINUTES + 1 : -1] = np.diff(
    np.log(np.arange(SAFE_MINUTES, LONGEST_LIFE_MINUTES))
) / np.log(LONGEST_LIFE_MINUTES / np.arange(SAFE_MINUTES, LONGEST_LIFE_MINUTES - 1))
GUESS_WEIGHT = 0.5
"""Environments that a guess of a minute is worth beside those that were seen in it."""
NEW_SHARE, AGAIN_SHARE = 0.15, 0.03
"""Of the rounds: how many try an interval that nobody has tried, and one that seemed dearer."""


def death_probability(history: History | Some) -> tuple[Floats, Floats]:
    """Share of idle environments gone after so many minutes, (targets, minutes), and how many were awaited."""
    weight = max(SHARED_WEIGHT, min(1.0, 50.0 / max(1.0, float(history["trials"].sum()))))
    trials, deaths = shared(history["trials"], weight), shared(history["deaths"], weight)
    return deaths / (trials + PRIOR_DEATHS), trials


def shared(counted: NDArray[np.float32], weight: float = SHARED_WEIGHT) -> Floats:
    """What was counted of each target, (targets, bins), and of all the others by `weight`."""
    own = counted.astype(np.float64)
    total: Floats = own + weight * (own.sum(axis=0) - own)
    return total


def best_minutes(history: History, ping_usd: Floats, remake_usd: Floats) -> tuple[Ints, Ints, Floats]:
    """The interval of least cost a minute among those known, the next longer one to try (0: none), and in
    what share of the rounds.

    A round costs each environment its ping, and its INIT where it is gone; an interval nobody has tried is not known.
    One that seemed dearer is tried again as long as that may be chance: an environment that a customer has just then
    is missed like one that is gone, and a single such miss would else end the search for good.
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
    chance = np.maximum(gone - np.sqrt(gone / np.maximum(trials, 1.0)), 0.0)
    hopeful = (ping_usd + chance[at, following] * remake_usd) / np.maximum(following, 1) < cost[at, best]
    safe = (trials[at, best] >= ENOUGH) & (gone[at, best] < 0.1) & (following <= LONGEST_MINUTES)
    share = np.where(~known[at, following], NEW_SHARE, np.where(hopeful, AGAIN_SHARE, 0.0))
    return best, np.where(safe, following, 0), np.where(safe, share, 0.0)


def gone_after(history: History | Some) -> Floats:
    """Share of idle environments gone after so many minutes, (targets, 0 to LONGEST_LIFE_MINUTES).

    As rounds found it where they came so late. Past that each minute takes as large a share of the survivors as the
    last one that is known, and no less than if a lifetime were equally likely anywhere, in its logarithm, between the
    shortest and the longest that were ever measured.
    """
    share, trials = death_probability(history)
    died = (share * (trials + PRIOR_DEATHS)).T
    trials = np.ascontiguousarray(trials.T)
    gone = np.ones(
        (LONGEST_LIFE_MINUTES + 1, len(history))
    )  # a minute's are together, as each follows the last
    safe = np.arange(SAFE_MINUTES + 1)
    gone[safe] = share[:, SAFE_MINUTES] * safe[:, None] / SAFE_MINUTES
    last = np.zeros(len(history))
    for minute in range(SAFE_MINUTES + 1, INTERVALS):
        alive, n = 1 - gone[minute - 1], trials[minute]
        guessed = 1 - alive * (1 - np.maximum(GUESSED_HAZARD[minute], last))
        gone[minute] = np.minimum((died[minute] + GUESS_WEIGHT * guessed) / (n + GUESS_WEIGHT), 1.0)
        hazard = np.maximum((gone[minute] - gone[minute - 1]) / np.maximum(alive, 1e-9), 0.0)
        last = np.where(n > 0, hazard, last)
    untried = 1 - np.maximum(GUESSED_HAZARD[INTERVALS:, None], last)
    gone[INTERVALS:] = 1 - (1 - gone[INTERVALS - 1]) * np.cumprod(untried, axis=0)
    # what survived so long survived every minute before
    nondecreasing: Floats = np.ascontiguousarray(np.minimum.accumulate(gone[::-1])[::-1].T)
    return nondecreasing
