"""Which models the environments of a target keep ready: as its traffic says, not as its packs once guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from warmer.policy.history import MODELS, History
from warmer.policy.values import ModelSeen, Sighting

HALF_LIFE_S = 6 * 3600.0
ENOUGH = 50.0
"""Requests from which on their shares say more than the packs'."""
LONGEST_NAME = 40
HOT = "HOT"


def count(record: np.void, sightings: Sequence[Sighting], since_s: float) -> None:
    """Take the replies of one round into a target's row: who was asked for, and what each model needs."""
    seen: dict[bytes, list[ModelSeen]] = {}
    for sighting in sightings:
        for name, model in sighting.models.items():
            if 0 < len(name.encode()) <= LONGEST_NAME:
                seen.setdefault(name.encode(), []).append(model)
    if not seen:
        return
    record["model_calls"] = record["model_calls"] * 0.5 ** (since_s / HALF_LIFE_S)
    record["models_mb"] = min(sighting.models_mb for sighting in sightings)
    gone = [place for place, name in enumerate(record["models"].tolist()) if name not in seen]
    record["model_calls"][gone] = record["model_mb"][gone] = (
        0.0  # an environment is not asked for what it has not
    )
    for key, models in seen.items():
        calls = sum(model.requests for model in models)
        if (place := _place(record["models"], record["model_calls"], key, calls)) is None:
            continue
        if record["models"][place] != key:
            record["models"][place], record["model_calls"][place] = key, 0.0
        record["model_calls"][place] += calls
        record["model_load_s"][place] = max(model.load_s for model in models)
        sound = all(model.sound for model in models)
        record["model_mb"][place] = max(model.memory_mb for model in models) if sound else 0.0


def wanted(history: History) -> list[Mapping[str, str]]:
    """Levels by model for each target's next round; empty where each environment's own choice stands.

    By expected load time spared a byte (calls × load / memory) until the budget is full, as the runtime chooses by the
    shares in the packs. Where all models fit, or too little is known, there is nothing to choose.
    """
    levels: list[Mapping[str, str]] = [{}] * len(history)
    for row in np.flatnonzero(history["models_mb"] > 0).tolist():
        levels[row] = _chosen(history.columns[row])
    return levels


def _chosen(record: np.void) -> Mapping[str, str]:
    budget, sizes = float(record["models_mb"]), record["model_mb"].astype(np.float64)
    calls = record["model_calls"].astype(np.float64)
    if calls.sum() < ENOUGH or sizes.sum() <= budget:
        return {}
    worth = calls * record["model_load_s"] / np.maximum(sizes, 1e-3)
    levels: dict[str, str] = {}
    for place in np.argsort(-worth, kind="stable").tolist():
        if sizes[place] > 0 and worth[place] > 0 and sizes[place] <= budget:
            levels[bytes(record["models"][place]).decode()] = HOT
            budget -= sizes[place]
    return levels


def _place(names: NDArray[np.bytes_], calls: NDArray[np.float32], name: bytes, asked: int) -> int | None:
    """Where a model is counted: its own place, a free one, or that of the model asked least, if it was asked more."""
    for wanted_name in (name, b""):
        places = np.flatnonzero(names == wanted_name)
        if len(places):
            return int(places[0])
    least = int(calls.argmin())
    return least if len(names) == MODELS and calls[least] < asked else None
