"""Small ONNX models for the tests, made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def dense(
    path: Path, *, rows: int = 64, columns: int = 32, batch: str | int = "batch", seed: int = 0
) -> Path:
    """y = relu(x @ w + b), weights within the file."""
    draw = np.random.default_rng(seed)
    weights = {
        "w": draw.standard_normal((rows, columns)).astype(np.float32),
        "b": draw.standard_normal(columns).astype(np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Add", ["xw", "b"], ["xwb"]),
        helper.make_node("Relu", ["xwb"], ["y"]),
    ]
    return save(path, nodes, {"x": [batch, rows]}, {"y": [batch, columns]}, weights)


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[str | int]],
    outputs: dict[str, list[str | int]],
    weights: dict[str, np.ndarray],
) -> Path:
    """A float32 model of these nodes."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(path))
    return path
