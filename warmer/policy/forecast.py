"""How soon each slot will be needed again: three simple forecasters, mixed for each target by how wrong each has been.

By how long the slot has been idle (within hours), by how often it was needed in the last days, by the hour of the day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from warmer.policy.history import AGE_EDGES_S, BINS, HOURS, LEVELS, History, Some
from warmer.policy.plans import Floats, Ints

PRIOR_EVENTS = 1.5
PRIOR_SPAN_S = 300.0
PRIOR_PEAK = 4.0
GUESS_HALF_LIFE_S = 24 * 3600.0
"""What is guessed of a target gives way where nobody calls it: half of it every day, then with the peak's memory."""
PRIOR_STEEPNESS = 8.0
"""A level j never needed is (peak/j)^8 as likely as one at the peak: bursts grow, but seldom by much."""
SMOOTHING_S = 20_000.0


HOUR_SMOOTHING_S = 7200.0
FAVOUR = np.array([0.7, 0.02, 0.28])
"""What each forecaster is trusted before it has been judged."""
STERNNESS = 4.0
"""A forecaster twice as wrong as the best is trusted a sixteenth as much."""


def hazard_per_s(history: History, now_s: float) -> Floats:
    """Rate at which each level is needed next, (targets, levels): the forecasters' rates by how each is trusted."""
    return mixed_per_s(history, rates_per_s(history, np.full(len(history), now_s)))


def mixed_per_s(history: History | Some, rates_per_s: Floats) -> Floats:
    """The forecasters' rates (forecasters, targets, levels) by how each is trusted, (targets, levels)."""
    mixed: Floats = np.einsum("tf,ftl->tl", trust(history), rates_per_s)
    return mixed


def trust(history: History | Some) -> Floats:
    """Weight of each forecaster, (targets, forecasters); a target's add up to 1."""
    loss = history["loss"].astype(np.float64) + 1.0
    weight = FAVOUR * (loss.min(axis=1, keepdims=True) / loss) ** STERNNESS
    shares: Floats = weight / weight.sum(axis=1, keepdims=True)
    return shares


def rates_per_s(history: History | Some, at_s: Floats) -> Floats:
    """Rate at which each level is needed at instants (targets,): by forecaster, (forecasters, targets, levels).

    Events over exposure: at the level's idle age, drawn towards the level's rate over all ages past the first bin, and
    that towards a prior that falls with the level (`PRIOR_EVENTS` in `PRIOR_SPAN_S` up to the peak seen); over the last
    days, drawn towards the same prior; in this hour of the day, drawn towards the rate by idle age.
    """
    prior = _prior_events(history, at_s)
    events, exposure = np.ascontiguousarray(history["events"]), np.ascontiguousarray(history["exposure_s"])
    overall = (_past_first_bin(events) + prior) / (_past_first_bin(exposure) + PRIOR_SPAN_S)
    at = at_age(history["idle_s"] + (at_s - history["folded_s"])[:, None])
    by_age = (events.reshape(-1)[at] + SMOOTHING_S * overall) / (exposure.reshape(-1)[at] + SMOOTHING_S)
    by_days = (history["day_events"] + prior) / (history["day_exposure_s"][:, None] + PRIOR_SPAN_S)
    hour = hour_of(at_s)
    by_hour = (history.at("hour_events", hour) + HOUR_SMOOTHING_S * by_age) / (
        history.at("hour_exposure_s", hour)[:, None] + HOUR_SMOOTHING_S
    )
    return np.stack([by_age, by_days, by_hour])


def at_age(idle_s: Floats) -> Ints:
    """Where each level's bin of idle age is, (targets, levels), in a column (targets, levels, bins) laid flat."""
    age = np.searchsorted(AGE_EDGES_S, idle_s)
    age += np.arange(0, idle_s.size * BINS, BINS).reshape(idle_s.shape)
    return age


def _past_first_bin(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum over the bins of idle age but the first, (targets, levels)."""
    total = table[:, :, 1] + table[:, :, 2]
    for age in range(3, BINS):
        total += table[:, :, age]
    return total


def hour_of(at_s: Floats) -> Ints:
    """Hour of the day, UTC, 0 to 23."""
    return (at_s // 3600 % HOURS).astype(np.int64)


def _prior_events(history: History | Some, at_s: Floats) -> Floats:
    known_s = np.where(history["first_s"] > 0, at_s - history["first_s"], 0.0)
    seen = history["peak"].astype(np.float64)
    peak = np.maximum(seen, PRIOR_PEAK * np.clip(2 * seen, 0.5 ** (known_s / GUESS_HALF_LIFE_S), 1.0))
    events: Floats = PRIOR_EVENTS * np.minimum(1.0, (peak[:, None] / LEVELS[None, :]) ** PRIOR_STEEPNESS)
    return events
