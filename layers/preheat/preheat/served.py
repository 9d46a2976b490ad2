"""One model as a handler sees it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from preheat.host import ModelHost
    from preheat.manifest import Manifest
    from preheat.model import HostedModel
    from preheat.ping import Level
    from preheat.tensor import Tensor


class Served:
    """What `HOST[name]` gives."""

    def __init__(self, host: ModelHost, model: HostedModel) -> None:
        self._host, self._model = host, model

    @property
    def manifest(self) -> Manifest:
        return self._model.manifest

    @property
    def level(self) -> Level:
        return self._model.level

    @property
    def problem(self) -> str:
        """Why it is in quarantine; empty when it is sound."""
        return self._model.problem

    @property
    def packed(self) -> bool:
        """Whether it answers from a session at full speed (`preheat.engines.repack`)."""
        return self._model.packed

    def run(self, inputs: Mapping[str, Tensor | Any]) -> dict[str, Tensor]:
        """Every output by name, for Tensors or numpy arrays by input's name.

        Loads and verifies the model first where it is not hot. Raises Quarantined, NotReady, EngineError.
        """
        return self._host.answer(self._model, inputs)
