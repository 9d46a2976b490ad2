"""The memory that all loaded models share, and who gives way for whom."""

from __future__ import annotations

from preheat.choice import ROUNDING_MB, victims

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from preheat.model import HostedModel


class NotReady(RuntimeError):
    """A sound model that cannot be served now; the text says why."""


class Memory:
    """A budget over the models of one environment. Its caller holds the host's lock."""

    def __init__(self, models: Iterable[HostedModel], budget_mb: float) -> None:
        self._models = {model.name: model for model in models}
        self._budget_mb = budget_mb

    def free_mb(self) -> float:
        """What the models that hold memory leave; below zero where they hold more than the budget."""
        return self._budget_mb - sum(model.memory_mb for model in self._models.values() if model.holds_memory)

    def take(self, model: HostedModel, keep: Iterable[str] = ()) -> None:
        """Make room for a model that is to be loaded, by evicting those worth least.

        None that is in use nor any of `keep`; NotReady, and nothing evicted, where that is not enough.
        """
        if model.holds_memory or model.problem:
            return
        need_mb = model.memory_mb - self.free_mb()
        if need_mb > ROUNDING_MB:
            self._evict(model, set(keep), need_mb)
        model.holds_memory = True

    def _evict(self, model: HostedModel, keep: set[str], need_mb: float) -> None:
        resident = [other for other in self._models.values() if other.holds_memory]
        busy = {other.name for other in resident if other.in_use or other.name in keep}
        chosen = victims((other.candidate() for other in resident), busy, need_mb)
        if chosen is None:
            raise NotReady(
                f"{model.name} needs {model.memory_mb:g} MB; the budget of {self._budget_mb:g} MB "
                f"(PREHEAT_MEMORY_MB) has no room beside {', '.join(sorted(busy)) or 'nothing'}"
            )
        for name in chosen:
            self._models[name].unload()
