"""How old environments get, however they are pinged: undocumented, learned from what rounds find.

One that is not expected to get as old as the next round is as good as gone: where its slot is worth a new one, the new
one is made beside it, before a customer misses the old one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warmer.policy.history import AGE_BINS, AGES_S, OLDEST, History
from warmer.policy.lifetime import LONGEST_MINUTES, SHARED_WEIGHT, shared
from warmer.policy.plans import Floats, Ints
from warmer.policy.replies import Tally

HALF_LIFE_S = 24 * 3600.0
EXPECTED = 0.3
"""Share gone at an age from which on an environment is not expected to get so old. If it does all the same, the new one
was made one round too early, and no other is made for it."""
FEW = 3.0
"""Environments of one age that one round tells of: of more at once, all together count as so many."""
DOUBT = 10.0
"""In environments: an age is no end before more have been seen to end there than one round counts; nor is it one if
more have passed it, as environments that were made together and idled too long are gone together."""
LONGEST_S = (LONGEST_MINUTES + 0.5) * 60.0
"""After a longer pause nobody is missed."""
EARLIER = np.tri(OLDEST, k=-1, dtype=np.bool_)
"""Which of those remembered stand before each."""
BIN_S = np.diff(AGES_S, prepend=0.0, append=np.inf)
"""How long each bin of ages is."""
SAME_S = 2.0
"""Ages that differ by no more are one: a ping's travel, and environments that were made together."""


def learn_ages(columns: NDArray[np.void], rows: NDArray[np.int64], tally: Tally, at_s: Floats) -> None:
    """Count, by the age that each would have now, the environments of the round before that are awaited, and those
    that are gone; and remember the oldest ones of this round, which went out at `at_s`, (rounds,)."""
    since_s = np.maximum(at_s - columns["round_s"][rows], 1.0)[:, None]
    before, found = columns["ages_s"][rows].astype(np.float64), tally.ages.oldest(len(rows), 2 * OLDEST)
    known, awaited = before > 0, before + since_s
    same = known[:, :, None] & (np.abs(awaited[:, :, None] - found[:, None, :]) <= SAME_S)
    older = found >= since_s - SAME_S
    # ages are told by the environments' own clocks: until the oldest one is found as old as it should be, and once most
    # that are older than the pause are of no age that was awaited, nothing is learned
    strange = older.any(axis=1) & (2 * (older & same.any(axis=1)).sum(axis=1) < older.sum(axis=1))
    columns["ages_agree"][rows] = same[:, 0].any(axis=1) | (columns["ages_agree"][rows] & ~strange)
    # of some of one age, as many are there as are found
    together = known[:, None, :] & (np.abs(awaited[:, :, None] - awaited[:, None, :]) <= SAME_S)
    alive = same.sum(axis=2) > (together & EARLIER).sum(axis=2)
    # all that were there must have been looked for, and found or replaced; nor does age end a whole pool at once, as a
    # deployment does, or a pause that was too long
    whole = (known.sum(axis=1) > 1) & ~alive.any(axis=1)
    told = (tally.own >= columns["reached"][rows]) & ~whole & (since_s[:, 0] <= LONGEST_S)
    row, which = (known & (columns["ages_agree"][rows] & told)[:, None]).nonzero()
    age = np.searchsorted(AGES_S, awaited[row, which])
    at = row * AGE_BINS + age
    # who is awaited several times within one bin is awaited there once, and what happens to many of one age at once
    # tells little more than what happens to a few
    share = np.minimum(since_s[row, 0] / BIN_S[age], 1.0)
    few = np.minimum(FEW / np.bincount(at, minlength=1)[at], 1.0)
    kept = 0.5 ** (since_s / HALF_LIFE_S)
    for name, weights in (("age_trials", share * few), ("age_deaths", ~alive[row, which] * few)):
        more = np.bincount(at, weights, minlength=len(rows) * AGE_BINS).reshape(len(rows), AGE_BINS)
        columns[name][rows] = columns[name][rows] * kept + more
    columns["ages_s"][rows] = found[:, :OLDEST]


def aged(history: History, until_next_s: Floats, now_s: float) -> tuple[Ints, Ints]:
    """Of the environments that the last round reached: those not expected to get as old as now, and those that are
    there but not expected to get as old as they would be at the next round; both (targets,)."""
    lost, going = np.zeros(len(history), np.int64), np.zeros(len(history), np.int64)
    since_s = now_s - history["round_s"]
    first = _first_end(history["age_trials"], history["age_deaths"])
    if first == AGE_BINS:
        return lost, going
    oldest = history["ages_s"][:, 0]
    rows = np.flatnonzero((oldest > 0) & (oldest + since_s + until_next_s > AGES_S[first - 1]))
    trials, died = (shared(history[name])[rows, first:] for name in ("age_trials", "age_deaths"))
    lived = np.maximum(trials - died, 0.0)
    older = lived[:, ::-1].cumsum(axis=1)[:, ::-1] - lived
    ends = np.zeros((len(rows), AGE_BINS), np.bool_)
    ends[:, first:] = np.logical_or.accumulate((died > EXPECTED * (trials + DOUBT)) & (died > older), axis=1)
    ages_s, row = history["ages_s"][rows], np.arange(len(rows))[:, None]
    now = ages_s + since_s[rows, None]
    by_now, by_next = (
        ends[row, np.searchsorted(AGES_S, age_s)] for age_s in (now, now + until_next_s[rows, None])
    )
    # one that was found past a whole bin in which others ended is not expected to end
    passed = ends[row, np.maximum(np.searchsorted(AGES_S, ages_s) - 1, 0)]
    lives = (ages_s > 0) & ~passed
    lost[rows], going[rows] = (lives & by_now).sum(axis=1), (lives & by_next & ~by_now).sum(axis=1)
    return lost, going


def _first_end(trials: NDArray[np.float32], deaths: NDArray[np.float32]) -> int:
    """The first bin of age at which any target's environments may be expected to end; AGE_BINS where there is none.

    Most of the time there is none, and what would tell of each target need not be worked out.
    """
    most_deaths = deaths.max(axis=0) + SHARED_WEIGHT * deaths.sum(axis=0)
    least_trials = np.maximum(SHARED_WEIGHT * (trials.sum(axis=0) - trials.max(axis=0)), 0.0)
    may = most_deaths > EXPECTED * (least_trials + DOUBT)
    may[0] = False  # so young they are gone for having been idle
    return int(may.argmax()) if may.any() else AGE_BINS
