"""Cold starts that are expected until the next look, with the plan and without, held against what was found.

A forecast that decides is cautious: it expects more than comes, most of a target that is seldom called. So what it
expects is scaled by what has come, target by target. Of doing nothing it is found out afterwards: a slot that was
needed would have been cold where it had then not been used for longer than idle environments live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmer.policy.history import FIRST_SLOTS, LEVELS, WIDTHS, History, Some
from warmer.policy.lifetime import gone_after
from warmer.policy.plans import Floats
from warmer.policy.replies import Tally

ALWAYS = 0.998
"""A slot that was needed in every stretch may have been needed six times in each, and no more is assumed."""
HALF_LIFE_S = 24 * 3600.0
OTHERS_WEIGHT = 1.0
"""In cold starts: what all targets together have shown of the forecast is worth so many of a target's own."""


@dataclass(frozen=True, slots=True)
class Uses:
    """How slots were used in a stretch, (rows, levels): from the last use to its end, and how many uses there were."""

    ago_s: Floats
    count: Floats
    cold: Floats
    """Customers who waited for INIT all the same, (rows,)."""

    @staticmethod
    def of_rounds(tally: Tally) -> Uses:
        """As replies tell it: under the routing that keeps most idle, the environment used last is the first slot."""
        rounds = len(tally.targets)
        ago_s, count = np.zeros((rounds, len(LEVELS))), np.ones((rounds, len(LEVELS)))
        at = np.flatnonzero(np.isin(tally.last_used.slot, FIRST_SLOTS))
        row, level = tally.last_used.round[at], np.searchsorted(FIRST_SLOTS, tally.last_used.slot[at])
        ago_s[row, level], count[row, level] = tally.last_used.idle_s[at], tally.last_used.requests[at]
        return Uses(ago_s, count, np.zeros(rounds))

    @staticmethod
    def of_cold_starts(announced: Sequence[Sequence[float]], at_s: float, alive: Floats) -> Uses:
        """All slots at the last cold start; those that were there, (rows,), once before."""
        ago = np.repeat(
            np.array([[at_s - max(times)] for times in announced]).reshape(-1, 1), len(LEVELS), axis=1
        )
        there = FIRST_SLOTS[None, :] <= alive[:, None]
        return Uses(ago, np.where(there, 2.0, 1.0), np.array([len(times) for times in announced], np.float64))

    def take(self, rows: NDArray[np.bool_]) -> Uses:
        return Uses(self.ago_s[rows], self.count[rows], self.cold[rows])


def left_cold(
    history: History | Some, gone: Floats, hazard_per_s: Floats, span_s: Floats, at_s: Floats
) -> Floats:
    """Slots that, as forecast, are needed within `span_s` of `at_s` and cold were nothing ever sent, (targets, levels).

    `gone` is `lifetime.gone_after`. What came since the last stretch that was counted is not known yet: a slot may have
    been used in that time.
    """
    unknown_s = at_s - history["folded_s"]
    needed, used = (np.minimum(hazard_per_s * time_s[:, None], 1.0) for time_s in (span_s, unknown_s))
    cold = (1 - used) * _share(gone, history["idle_s"] + (unknown_s + span_s)[:, None])
    cold += used * _share(gone, np.broadcast_to(span_s[:, None], used.shape))
    expected: Floats = needed * cold * WIDTHS
    return expected


def _share(gone: Floats, age_s: Floats) -> Floats:
    """Share of environments gone at ages (targets, levels)."""
    minutes = np.clip(age_s / 60.0, 0, gone.shape[1] - 1).astype(np.int64)
    share: Floats = gone[np.arange(len(gone))[:, None], minutes]
    return share


def tally(
    columns: NDArray[np.void],
    rows: NDArray[np.int64],
    ends_s: Floats,
    needs: Floats,
    uses: Uses,
    *,
    hazard_per_s: Floats,
) -> None:
    """Count what of a stretch that is over was expected, and what doing nothing would have left of it."""
    history = Some(columns, rows)
    gone, span_s = gone_after(history), ends_s - history["folded_s"]
    expected = left_cold(history, gone, hazard_per_s, span_s, history["folded_s"])
    needed = FIRST_SLOTS[None, :] <= needs[:, None]
    often = np.minimum(hazard_per_s * span_s[:, None], ALWAYS)
    count = np.minimum(uses.count, np.maximum(-np.log1p(-often) / np.maximum(often, 1e-9), 1.0))
    first_s = (span_s[:, None] - uses.ago_s) / count
    cold = _share(gone, history["unused_s"] + np.maximum(first_s, 0.0)) * needed * WIDTHS
    beyond = FIRST_SLOTS[None, :] > history["reached"][:, None]
    kept = 0.5 ** (span_s / HALF_LIFE_S)
    for name, found in (
        ("without", np.maximum(cold.sum(axis=1), uses.cold)),
        ("without_expected", expected.sum(axis=1)),
        ("left", uses.cold),
        ("left_expected", (expected * beyond).sum(axis=1)),
    ):
        columns[name][rows] = columns[name][rows] * kept + found
    columns["unused_s"][rows] = np.where(
        needed, uses.ago_s, np.minimum(history["unused_s"] + span_s[:, None], 1e6)
    )


def scale(history: History, name: str) -> Floats:
    """What came of `without` or `left` by what was expected of it, (targets,): 1 at most, a forecast being cautious."""
    found, expected = history[name].astype(np.float64), history[f"{name}_expected"].astype(np.float64)
    others = min(1.0, (found.sum() + len(history)) / (expected.sum() + len(history)))
    scaled: Floats = np.minimum(1.0, (found + OTHERS_WEIGHT * others) / (expected + OTHERS_WEIGHT))
    return scaled
