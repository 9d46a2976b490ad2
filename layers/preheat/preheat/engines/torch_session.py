"""torch, for what onnxruntime cannot run: weights mapped from safetensors, and nothing initialised twice.

A torch pack's graph is a JSON file, `{"factory": "package.module:name", "arguments": {…}}`: what makes the module is
code of the function's own, never code out of the pack. The weights are `weights.safetensors`. No pickle is read.
"""

from __future__ import annotations

import importlib
import json
from _thread import allocate_lock
from contextlib import contextmanager
from time import perf_counter

from preheat.engines import EngineError, Phases
from preheat.engines.device import CPU, torch_device
from preheat.tensor import Tensor, little_endian

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from preheat.pack import Pack

WEIGHTS_FILE = "weights.safetensors"
_BUILDING = allocate_lock()
"""One module is made at a time: `_uninitialised` changes torch's own classes and puts back what it found."""


class TorchSession:
    """A module in evaluation mode whose parameters are the mapped file itself, or its copy on a GPU."""

    def __init__(self, pack: Pack, *, device: str = CPU) -> None:
        begun = perf_counter()
        try:
            import torch
            from safetensors.torch import load_file
        except ImportError as error:
            raise EngineError(
                f"{pack.folder}: its engine torch is not installed ({error}); build the function as a container "
                f"image from functions/recommend_torch"
            ) from None
        imported = perf_counter()
        factory, arguments = _factory(pack)
        try:
            with _BUILDING, torch.device("meta"), _uninitialised(torch):
                module = factory(**arguments)
        except Exception as error:  # the function's own code may raise anything
            raise EngineError(
                f"{pack.folder}: its factory failed: {type(error).__name__}: {error}; it must make the module "
                f"from the arguments in {pack.manifest.graph} alone"
            ) from None
        try:
            module.load_state_dict(load_file(pack.path(WEIGHTS_FILE)), strict=True, assign=True)
        except Exception as error:  # safetensors and torch raise what they please at bad files
            raise EngineError(
                f"{pack.folder}: {WEIGHTS_FILE} does not fit the module: {error}; make the pack again"
            ) from None
        if unset := [
            name for name, value in (*module.named_parameters(), *module.named_buffers()) if value.is_meta
        ]:
            raise EngineError(
                f"{pack.folder}: {', '.join(unset)} are not in {WEIGHTS_FILE}: register them as persistent buffers"
            )
        self._torch: Any = torch
        self.device = torch_device(torch, device)
        self._module: Any = module.eval().to(self.device)
        self._name = pack.manifest.name
        self._inputs = [spec.name for spec in pack.manifest.inputs]
        self._outputs = [spec.name for spec in pack.manifest.outputs]
        self.packed = False
        self.phases = Phases(
            path="torch",
            library_ms=(imported - begun) * 1e3,
            session_ms=(perf_counter() - imported) * 1e3,
        )

    def run(self, inputs: Mapping[str, Tensor | Any]) -> dict[str, Tensor]:
        """See `preheat.engines.Session.run`; inputs go to the module in the manifest's order."""
        if self._module is None:
            raise EngineError(f"{self._name}: its session is closed; open it again")
        if inputs.keys() != set(self._inputs):
            raise EngineError(f"{self._name}: its inputs are {self._inputs}, was given: {sorted(inputs)}")
        try:
            with self._torch.inference_mode():
                given = [self._given(inputs[name]).to(self.device) for name in self._inputs]
                found = self._module(*given)
                answers = found if isinstance(found, tuple | list) else (found,)
                return {
                    name: Tensor.from_numpy(answer.cpu().numpy())
                    for name, answer in zip(self._outputs, answers, strict=True)
                }
        except Exception as error:  # a module may raise anything, and answer with anything
            raise EngineError(
                f"{self._name}: torch cannot answer {', '.join(self._outputs)}: {type(error).__name__}: {error}"
            ) from None

    def close(self) -> None:
        """See `preheat.engines.Session.close`."""
        self._module = None

    def _given(self, value: Tensor | Any) -> Any:
        if not isinstance(value, Tensor):
            return self._torch.from_numpy(little_endian(value))
        kind = getattr(self._torch, value.type)
        # bytearray, since torch wants memory it could write to
        return self._torch.frombuffer(bytearray(value.data), dtype=kind).reshape(value.shape)


def _factory(pack: Pack) -> tuple[Any, dict[str, Any]]:
    """What makes the module, and its arguments."""
    path = pack.path(pack.manifest.graph)
    try:
        with open(path, encoding="utf-8") as file:
            body = json.load(file)
        module, _, attribute = body["factory"].partition(":")
        return getattr(importlib.import_module(module), attribute), dict(body.get("arguments", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise EngineError(
            f"{path} must name an importable factory, "
            f'{{"factory": "package.module:name", "arguments": {{…}}}}: {error}'
        ) from None


@contextmanager
def _uninitialised(torch: Any) -> Iterator[None]:
    """Layers made within have no initial values: drawing them costs more than mapping the real ones.

    On the meta device alone, nn.Embedding's draw still imports torch's decompositions, 0.9 s.
    """
    norm, conv = torch.nn.modules.batchnorm._NormBase, torch.nn.modules.conv._ConvNd
    layers = [torch.nn.Linear, torch.nn.Bilinear, torch.nn.Embedding, torch.nn.EmbeddingBag]
    layers += [
        torch.nn.LayerNorm,
        torch.nn.GroupNorm,
        torch.nn.RNNBase,
        torch.nn.MultiheadAttention,
        norm,
        conv,
    ]
    usual = {
        (layer, name): getattr(layer, name)
        for layer in layers
        for name in _INITIALISERS
        if name in vars(layer)
    }
    for layer, name in usual:
        setattr(layer, name, lambda self: None)
    try:
        yield
    finally:
        for (layer, name), method in usual.items():
            setattr(layer, name, method)


_INITIALISERS = ("reset_parameters", "_reset_parameters")
