"""The recommenders of the system: which network does which duty, how it is trained, what part of traffic it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from preheat_tools.models import networks
from preheat_tools.models.msweb import WebData
from preheat_tools.models.networks import Recommender
from preheat_tools.models.training import Recipe
from preheat_tools.pack.golden import Arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One model of the system."""

    name: str
    kind: str
    network: Callable[[], Recommender]
    recipe: Recipe
    traffic_share: float


DUTIES = (
    Duty(
        name="short_form",
        kind="linear item model",
        network=networks.short_form,
        recipe=Recipe(epochs=16, peak_learning_rate=0.01, weight_decay=0.0),
        traffic_share=0.8,
    ),
    Duty(
        name="long_form",
        kind="denoising autoencoder",
        network=networks.long_form,
        recipe=Recipe(epochs=12, peak_learning_rate=0.001, weight_decay=0.05),
        traffic_share=0.15,
    ),
    Duty(
        name="premium",
        kind="transformer over the visits",
        network=networks.premium,
        recipe=Recipe(epochs=8, peak_learning_rate=0.001, weight_decay=0.05, of_one_length=True),
        traffic_share=0.03,
    ),
    Duty(
        name="new_users",
        kind="two towers",
        network=networks.new_users,
        recipe=Recipe(epochs=16, peak_learning_rate=0.003, weight_decay=0.02, forgetting=0.3),
        traffic_share=0.01,
    ),
    Duty(
        name="trending",
        kind="popularity",
        network=networks.trending,
        recipe=Recipe(epochs=6, peak_learning_rate=0.1, weight_decay=0.0),
        traffic_share=0.01,
    ),
)


def golden_questions(web: WebData) -> tuple[Arrays, ...]:
    """Seven test users, in batches of 1, 2 and 4."""
    asked = web.test.astype(np.float32)
    return tuple({"visited": asked[first:last]} for first, last in ((0, 1), (1, 3), (3, 7)))
