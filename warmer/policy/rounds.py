"""What a round of pings found: environments in use, made anew and gone; the network's jitter, INIT, lifetimes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from warmer.policy.history import INTERVALS
from warmer.policy.plans import Bools, Floats
from warmer.policy.replies import Tally

LIFETIME_HALF_LIFE = 200.0
"""In environments awaited: what is known of lifetimes is as good as the last few hundred of them."""
FORGET_RATE_S = 3600.0
NEWEST_WEIGHT = 0.1


def absorb_rounds(columns: NDArray[np.void], rows: NDArray[np.int64], tally: Tally, at_s: Floats) -> Floats:
    """What rounds that went out at `at_s`, (rounds,), found; answers the need since each one's round before, nan where
    it cannot be told."""
    own, used, served, made, init_s = tally.own, tally.used, tally.served, tally.made, tally.init_s
    sent, spread_s = tally.sent, tally.spread_s
    since_s = np.maximum(at_s - columns["round_s"][rows], 1.0)
    had = columns["reached"][rows].astype(np.float64)
    expected = np.minimum(had, own)
    gone = np.maximum(expected - (own - made), 0)
    _learn_lifetime(columns, rows, since_s, np.maximum(expected - used, 0), gone)
    known = (own > 0) & (since_s < FORGET_RATE_S)
    kept = np.where(known, 0.5 ** (since_s / FORGET_RATE_S), 1.0)
    columns["rate_s"][rows] = columns["rate_s"][rows] * kept + served / since_s * (1 - kept)
    # the mean of an exponential delay is e/2 of its mean deviation
    _learn(columns["jitter_s"], rows, spread_s * math.e / 2, (sent > 2) & (spread_s > 0))
    _learn(columns["init_s"], rows, init_s / np.maximum(made, 1), init_s > 0)
    # where announcements have told of a part of the time already, use since the last round says nothing of the rest,
    # and most of it is the queue that INIT made
    told = columns["folded_s"][rows] > columns["round_s"][rows]
    columns["round_s"][rows] = at_s
    return np.where((had > 0) & ~told, np.minimum(used, served), np.nan)


def _learn_lifetime(
    columns: NDArray[np.void], rows: NDArray[np.int64], since_s: Floats, awaited: Floats, gone: Floats
) -> None:
    """Of the environments that the round before reached, `awaited` stayed idle and `gone` are no more."""
    usable = (awaited + gone > 0) & (since_s < INTERVALS * 60)
    some, minutes = rows[usable], np.minimum(INTERVALS - 1, np.round(since_s[usable] / 60)).astype(np.int64)
    awaited, gone = awaited[usable], gone[usable]
    kept = 0.5 ** (awaited / LIFETIME_HALF_LIFE)
    columns["trials"][some, minutes] = columns["trials"][some, minutes] * kept + np.maximum(awaited, gone)
    columns["deaths"][some, minutes] = columns["deaths"][some, minutes] * kept + gone


def _learn(column: NDArray[np.float32], rows: NDArray[np.int64], seen: Floats, known: Bools) -> None:
    """A running mean, begun by the first value."""
    old = column[rows]
    mean = np.where(old > 0, (1 - NEWEST_WEIGHT) * old + NEWEST_WEIGHT * seen, seen)
    column[rows] = np.where(known, mean, old)


def note_rounds(columns: NDArray[np.void], rows: NDArray[np.int64], tally: Tally, at_s: Floats) -> None:
    """Remember rounds that went out at `at_s`, (rounds,), one by one."""
    for name, values in (
        ("rounds_s", at_s),
        ("rounds_found", tally.found),
        ("rounds_sent", tally.sent),
        ("rounds_used", tally.used),
    ):
        past = columns[name][rows]
        past[:, 1:] = past[:, :-1].copy()
        past[:, 0] = values
        columns[name][rows] = past
