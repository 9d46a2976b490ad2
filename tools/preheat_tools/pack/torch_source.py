"""A torch module as a source: made by a factory, with weights that are read without running any code of theirs."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import pickle
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from preheat_tools.pack.golden import Answer, Arrays
from preheat_tools.pack.sources import Source, SourceError, refuse_pickle

try:
    import torch
except ImportError:
    raise SourceError(
        "a torch module needs torch: install the extra `torch` (pip install 'preheat[torch]', or make .venv/.torch)"
    ) from None

OPSET = 18


def from_module(
    module: Any, questions: Sequence[Arrays], outputs: Sequence[str], scratch: Path, opset: int = OPSET
) -> Source:
    """A module exported into `scratch`; a question's arrays are its arguments in their order.

    The first dimension of every input stays free, and so does one whose size differs between questions.
    """
    module.eval()
    graph = scratch / "exported.onnx"
    _export(module, questions, outputs, graph, opset)
    return Source(graph=graph, answer=answer_by(module, outputs))


def answer_by(module: Any, outputs: Sequence[str]) -> Answer:
    """The module as the golden questions are asked."""

    def answer(inputs: Arrays) -> Arrays:
        try:
            with torch.inference_mode():
                found = module(*(torch.from_numpy(array) for array in inputs.values()))
        except Exception as error:  # a module may raise anything
            raise SourceError(f"the module cannot answer the samples: {_last_line(error)}") from None
        found = found if isinstance(found, tuple | list) else (found,)
        if len(found) != len(outputs):
            raise SourceError(
                f"the module answers with {len(found)} tensors, --output names {len(outputs)}: {', '.join(outputs)}"
            )
        return {name: tensor.numpy() for name, tensor in zip(outputs, found, strict=True)}

    return answer


def make_module(factory: str, weights: Path | None) -> Any:
    """Call the factory, found from the current folder too, and give its module the weights."""
    name, _, attribute = factory.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = getattr(importlib.import_module(name), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise SourceError(
            f"{factory!r} must be package.module:factory, a function without arguments that returns a "
            f"torch.nn.Module: {error}"
        ) from None
    finally:
        sys.path.pop(0)
    if weights is not None:
        try:
            module.load_state_dict(read_weights(weights), strict=True)
        except RuntimeError as error:
            raise SourceError(f"{weights} does not fit {factory}: {error}") from None
    return module.eval()


def read_weights(path: Path) -> dict[str, Any]:
    """A state_dict from safetensors, or from a .pt that holds nothing but tensors."""
    if not path.is_file():
        raise SourceError(f"no weights at {path}")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except SafetensorError as error:
            raise SourceError(f"{path} is not a whole safetensors file: {error}; copy it again") from None
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError):
        refuse_pickle(path)
        raise SourceError(f"{path} holds no weights; give a .safetensors or a state_dict's .pt") from None
    if not isinstance(found, dict):
        raise SourceError(f"{path} must hold a state_dict, holds {type(found).__name__}")
    return found


def write_weights(module: Any, path: Path) -> None:
    """A module's parameters and buffers, as safetensors."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, path)


def _export(module: Any, questions: Sequence[Arrays], outputs: Sequence[str], path: Path, opset: int) -> None:
    sample = _export_sample(questions)
    with _quiet():
        try:
            program = torch.onnx.export(
                module,
                tuple(torch.from_numpy(array) for array in sample.values()),
                input_names=list(sample),
                output_names=list(outputs),
                dynamic_shapes=tuple(_free_dimensions(name, questions) for name in sample),
                opset_version=opset,
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # whatever the module raises when it is traced
            raise SourceError(
                f"torch cannot export the module to ONNX: {_last_line(error)}; try another --opset, or keep torch "
                f"with --engine torch"
            ) from None
    program.save(str(path), external_data=True)


def _export_sample(questions: Sequence[Arrays]) -> Arrays:
    """The largest question, since a size of one is taken for a constant: a lone one goes twice."""
    largest = max(questions, key=lambda arrays: sum(array.size for array in arrays.values()))
    return {
        name: np.repeat(array, 2, axis=0) if array.ndim and array.shape[0] == 1 else array
        for name, array in largest.items()
    }


def _free_dimensions(name: str, questions: Sequence[Arrays]) -> dict[int, Any]:
    """The batch, one for all inputs, and each dimension that the questions show in more sizes than one."""
    sizes = [set(column) for column in zip(*(arrays[name].shape for arrays in questions), strict=False)]
    return {
        place: torch.export.Dim("batch") if place == 0 else torch.export.Dim.DYNAMIC
        for place, found in enumerate(sizes)
        if place == 0 or len(found) > 1
    }


def _last_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporter tells of optional packages that are absent and of its own deprecations."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
