"""How soon each slot will be needed again, from how long it has been idle; arrays are (targets, levels)."""

from __future__ import annotations

import numpy as np

from warmer.policy.history import AGE_EDGES_S, BINS, LEVELS, History
from warmer.policy.plans import Floats

PRIOR_EVENTS = 1.0
PRIOR_SPAN_S = 300.0
PRIOR_PEAK = 4.0
GUESS_HALF_LIFE_S = 24 * 3600.0
"""What is guessed of a target gives way where nobody calls it: half of it every day, then with the peak's memory."""
PRIOR_STEEPNESS = 5.0
"""A level j never needed is (peak/j)^5 as likely as one at the peak: bursts grow, but seldom by much."""
SMOOTHING_S = 20_000.0


def hazard_per_s(history: History, now_s: float) -> Floats:
    """Rate at which each level is needed next, given how long it has been idle.

    Events over exposure at the level's idle age, drawn towards the level's rate over all ages past the first bin,
    and that towards a prior that falls with the level: `PRIOR_EVENTS` in `PRIOR_SPAN_S` up to the peak seen.
    """
    events, exposure = history["events"], history["exposure_s"]
    known_s = np.where(history["first_s"] > 0, now_s - history["first_s"], 0.0)
    seen = history["peak"].astype(np.float64)
    peak = np.maximum(seen, PRIOR_PEAK * np.clip(2 * seen, 0.5 ** (known_s / GUESS_HALF_LIFE_S), 1.0))
    prior = PRIOR_EVENTS * np.minimum(1.0, (peak[:, None] / LEVELS[None, :]) ** PRIOR_STEEPNESS)
    late = events[:, :, 1:].sum(axis=2) + prior
    overall = late / (exposure[:, :, 1:].sum(axis=2) + PRIOR_SPAN_S)
    age = np.searchsorted(AGE_EDGES_S, history["idle_s"] + (now_s - history["folded_s"])[:, None])
    at = np.arange(len(history))[:, None], np.arange(len(LEVELS))[None, :], np.minimum(age, BINS - 1)
    return np.asarray((events[at] + SMOOTHING_S * overall) / (exposure[at] + SMOOTHING_S))
