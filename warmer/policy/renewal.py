"""How old environments get, however they are pinged: undocumented, learned from what rounds find.

One that is not expected to get as old as the next round is as good as gone: where its slot is worth a new one, the new
one is made beside it, before a customer misses the old one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warmer.policy.history import AGE_BINS, AGES_S, OLDEST, History
from warmer.policy.lifetime import SHARED_WEIGHT, shared
from warmer.policy.plans import Floats, Ints
from warmer.policy.replies import Tally

HALF_LIFE_S = 24 * 3600.0
EXPECTED = 0.3
"""Share gone at an age from which on an environment is not expected to get so old. If it does all the same, the new one
was made one round too early, and no other is made for it."""
DOUBT = 10.0
"""In environments: an age is no end before some have been seen to end there, as one is missed now and then; nor is it
one if more have passed it, as environments that were made together and found idle too long are gone together."""
SAME_S = 2.0
"""Ages that differ by no more are one: a ping's travel, and environments that were made together."""


def learn_ages(columns: NDArray[np.void], rows: NDArray[np.int64], tally: Tally, at_s: Floats) -> None:
    """Count, by the age that each would have now, the environments of the round before that are awaited, and those
    that are gone; and remember the oldest ones of this round, which went out at `at_s`, (rounds,)."""
    since_s = np.maximum(at_s - columns["round_s"][rows], 1.0)
    before, found = columns["ages_s"][rows].astype(np.float64), tally.ages.oldest(len(rows), OLDEST)
    awaited = before + since_s[:, None]
    same = (before > 0)[:, :, None] & (np.abs(awaited[:, :, None] - found[:, None, :]) <= SAME_S)
    older = found >= since_s[:, None] - SAME_S
    # ages are told by the environments' own clocks: where those do not agree with ours, nothing is learned
    agree = 2 * (older & same.any(axis=1)).sum(axis=1) >= older.sum(axis=1)
    columns["ages_agree"][rows] = np.where(older.any(axis=1), agree, columns["ages_agree"][rows])
    # one that a round did not look for is not missed
    told = columns["ages_agree"][rows] & (tally.sent >= columns["reached"][rows])
    row, which = ((before > 0) & told[:, None]).nonzero()
    at = row * AGE_BINS + np.searchsorted(AGES_S, awaited[row, which])
    kept = 0.5 ** (since_s[:, None] / HALF_LIFE_S)
    for name, weights in (("age_trials", None), ("age_deaths", ~same[row, which].any(axis=1))):
        more = np.bincount(at, weights, minlength=len(rows) * AGE_BINS).reshape(len(rows), AGE_BINS)
        columns[name][rows] = columns[name][rows] * kept + more
    columns["ages_s"][rows] = found


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
    lived = trials - died
    passed = lived[:, ::-1].cumsum(axis=1)[:, ::-1] - lived
    ends = np.zeros((len(rows), AGE_BINS), np.bool_)
    ends[:, first:] = np.logical_or.accumulate((died > EXPECTED * (trials + DOUBT)) & (died > passed), axis=1)
    ages_s, row = history["ages_s"][rows], np.arange(len(rows))[:, None]
    now = ages_s + since_s[rows, None]
    gone = (ages_s > 0) & ends[row, np.searchsorted(AGES_S, now)]
    soon = (ages_s > 0) & ends[row, np.searchsorted(AGES_S, now + until_next_s[rows, None])]
    lost[rows], going[rows] = gone.sum(axis=1), (soon & ~gone).sum(axis=1)
    return lost, going


def _first_end(trials: NDArray[np.float32], deaths: NDArray[np.float32]) -> int:
    """The first bin of age at which any target's environments may be expected to end; AGE_BINS where there is none.

    Most of the time there is none, and what would tell of each target need not be worked out.
    """
    most_deaths = deaths.max(axis=0) + SHARED_WEIGHT * deaths.sum(axis=0)
    least_trials = np.maximum(SHARED_WEIGHT * (trials.sum(axis=0) - trials.max(axis=0)), 0.0)
    may = most_deaths > EXPECTED * (np.maximum(least_trials, most_deaths) + DOUBT)
    may[0] = False  # so young they are gone for having been idle
    return int(may.argmax()) if may.any() else AGE_BINS
