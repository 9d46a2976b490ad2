"""What a pack can be made from, opened: an ONNX file, a folder with one and its external data, or a torch module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from preheat.manifest import TensorSpec

from preheat_tools.pack.golden import Answer, Arrays

PICKLED = (".pt", ".pth", ".bin", ".pkl", ".ckpt")


class SourceError(ValueError):
    """A model no pack can be made from; the text says what was given and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model as an ONNX file, and the answers of the original it stands for."""

    graph: Path
    answer: Answer


def open_onnx(path: Path) -> Source:
    """An ONNX file whose answers are those of onnxruntime with every optimisation off."""
    graph = _onnx_file(path)
    session = _unoptimised(graph)
    names = [output.name for output in session.get_outputs()]

    def answer(inputs: Arrays) -> Arrays:
        try:
            return dict(zip(names, session.run(names, dict(inputs)), strict=True))
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            raise SourceError(f"{graph} cannot answer the samples: {_first_line(error)}") from None

    return Source(graph=graph, answer=answer)


def input_specs(graph: Path) -> tuple[TensorSpec, ...]:
    """What the model takes, as its graph declares it."""
    model = onnx.load(str(graph), load_external_data=False)
    initial = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in initial]
    if not given:
        raise SourceError(f"{graph} takes no inputs, so its answer never changes: export it with its inputs")
    return tuple(tensor_spec(value) for value in given)


def tensor_spec(value: Any) -> TensorSpec:
    """A declared input or output; a dimension without a name is called after its place."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape") or not tensor.elem_type:
        raise SourceError(f"{value.name}: inputs and outputs must be tensors of a declared type and rank")
    kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    shape = [
        size.dim_param or size.dim_value or f"{value.name}_{place}"
        for place, size in enumerate(tensor.shape.dim)
    ]
    return TensorSpec(name=value.name, type=kind, shape=tuple(shape))


def in_opset(graph: Path, opset: int, scratch: Path) -> Path:
    """The graph in another version of the operator set, in a new file."""
    try:
        model = onnx.version_converter.convert_version(onnx.load(str(graph)), opset)
    except Exception as error:  # the converter raises RuntimeError, ValueError and its own
        raise SourceError(f"{graph} has no form in opset {opset}: {_first_line(error)}") from None
    converted = scratch / f"opset{opset}.onnx"
    onnx.save(model, str(converted), save_as_external_data=True, location="opset.weights")
    return converted


def refuse_pickle(path: Path) -> None:
    """A whole pickled module runs whatever code it holds when it is opened: SourceError with the way out."""
    if path.suffix in PICKLED:
        raise SourceError(
            f"{path} is a pickle, which runs code when opened. Give the code that makes the module, "
            f"and its weights alone: `preheat pack package.module:factory --weights {path.stem}.safetensors`, saved by "
            f"`safetensors.torch.save_file(model.state_dict(), '{path.stem}.safetensors')`"
        )


def _onnx_file(path: Path) -> Path:
    refuse_pickle(path)
    if path.is_dir():
        found: Sequence[Path] = sorted(path.glob("*.onnx"))
        if not found:
            raise SourceError(f"{path} holds no .onnx file: name the file, or a folder with one")
        if len(found) > 1:
            raise SourceError(
                f"{path} must hold one .onnx file, holds {len(found)}: {', '.join(file.name for file in found)}; "
                f"name the file itself"
            )
        return found[0]
    if not path.is_file():
        raise SourceError(
            f"no model at {path}: give an ONNX file, a folder with one, or a torch module as package.module:factory"
        )
    return path


def _unoptimised(graph: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnx.load(str(graph), load_external_data=False)
    except Exception as error:  # protobuf's DecodeError is not public
        raise SourceError(f"{graph} is not an ONNX model: {_first_line(error)}; export it again") from None
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        raise SourceError(_cannot_open(graph, _first_line(error))) from None


def _cannot_open(graph: Path, reason: str) -> str:
    """onnxruntime tells apart by text alone; either way the reason itself is shown."""
    return (
        f"onnxruntime {onnxruntime.__version__} cannot open {graph}: {reason}. An operator or opset that it lacks: "
        f"export with another --opset, or keep torch with --engine torch. External data that is missing or cut "
        f"short: copy the model's folder again, whole"
    )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
