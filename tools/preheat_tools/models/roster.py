"""The recommenders of the system: which network does which duty, how it is trained, what part of traffic it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from preheat_tools.models import networks
from preheat_tools.models.networks import Recommender
from preheat_tools.models.training import Recipe


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
)
