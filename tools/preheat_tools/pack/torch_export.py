"""A torch module as an ONNX file, its first dimension free."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from preheat_tools.pack.golden import Answer, Arrays

OPSET = 18


def export(
    model: torch.nn.Module, sample: Arrays, outputs: Sequence[str], path: Path, opset: int = OPSET
) -> None:
    """Write the ONNX graph of a module called with `sample`'s arrays in their order; batch sizes stay free."""
    inputs = tuple(torch.from_numpy(array) for array in sample.values())
    batch = torch.export.Dim("batch")
    with _quiet():
        program = torch.onnx.export(
            model.eval(),
            inputs,
            input_names=list(sample),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            opset_version=opset,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # dynamo's exporter returns a program where the older one returns nothing
    program.save(str(path), external_data=True)


def answer_by(model: torch.nn.Module, outputs: Sequence[str]) -> Answer:
    """The module as the golden questions are asked."""

    def answer(inputs: Arrays) -> Arrays:
        with torch.inference_mode():
            found = model(*(torch.from_numpy(array) for array in inputs.values()))
        found = (found,) if isinstance(found, torch.Tensor) else found
        return {name: tensor.numpy() for name, tensor in zip(outputs, found, strict=True)}

    return answer


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
