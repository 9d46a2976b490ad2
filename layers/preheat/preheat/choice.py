"""Which models are worth the memory: pure decisions over what is known of each."""

from __future__ import annotations

from preheat.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


ROUNDING_MB = 1e-6
"""Sizes that fill a budget exactly, as 0.1 + 0.2 MB fill 0.3, differ from it in their last bits: a byte is let pass."""


class Candidate(Frozen):
    """One model, as the choice sees it."""

    name: str
    traffic_share: float
    load_ms: float
    memory_mb: float
    priority: int = 0
    required: bool = False


def worth(model: Candidate) -> float:
    """Expected load time that a resident MB spares each request, ms: traffic share × load time per byte.

    The greedy-dual rule of FaasCache (Fuerst and Sharma, ASPLOS 2021), frequency × cost / size, with the share of
    traffic known ahead instead of counted.
    """
    return model.traffic_share * model.load_ms / max(model.memory_mb, 1e-3)


def order(models: Iterable[Candidate]) -> list[Candidate]:
    """In which order models are loaded: required ones, then by priority, then by worth."""
    return sorted(models, key=lambda model: (not model.required, -model.priority, -worth(model), model.name))


def eager_set(models: Iterable[Candidate], budget_mb: float) -> list[str]:
    """Which models to load ahead of requests, in order; what does not fit is left to its first use."""
    chosen, left_mb = [], budget_mb
    for model in order(models):
        if model.memory_mb <= left_mb + ROUNDING_MB:
            chosen.append(model.name)
            left_mb -= model.memory_mb
    return chosen


def victims(resident: Iterable[Candidate], in_use: Iterable[str], need_mb: float) -> list[str] | None:
    """The models to evict until `need_mb` are free, least worth first, none in use; None where that cannot be."""
    chosen: list[str] = []
    free_mb = 0.0
    for model in reversed(order(model for model in resident if model.name not in set(in_use))):
        if free_mb >= need_mb:
            break
        chosen.append(model.name)
        free_mb += model.memory_mb
    return chosen if free_mb >= need_mb else None
