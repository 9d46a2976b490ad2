"""The graph of a pack: optimised now, so that nothing is optimised at start, with its weights in a file to map."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnxruntime
from onnx.external_data_helper import set_external_data

from preheat_tools.pack.sources import SourceError

GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "weights.bin"
_SMALL_BYTES = 1024  # what is smaller stays in the graph: shapes and scalars are read while it is parsed
_LARGE_BYTES = 64 * 1024
_ALIGNMENT, _LARGE_ALIGNMENT = 64, 4096  # a cache line; a page, so that a large tensor's pages are its own


def write_graph(source: Path, folder: Path) -> onnx.ModelProto:
    """Write `model.onnx` and `weights.bin` of the ONNX file `source`; returns the optimised model, weights within."""
    model = optimised(source)
    _write_split(model, folder)
    return model


def optimised(source: Path) -> onnx.ModelProto:
    """What onnxruntime makes of a graph on any CPU of the architecture, weights within.

    EXTENDED, not ALL: the layout optimisations of ALL fit blocks to the vector width of the CPU at hand, and which
    one serves is not chosen on Lambda.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / GRAPH_FILE
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(path)
        # in a file beside the graph, since a graph alone is limited to 2 GB
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", WEIGHTS_FILE
        )
        try:
            onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            raise SourceError(
                f"onnxruntime cannot write the optimised graph of {source} to {scratch}: {error}; see that there is "
                f"room for twice its size in memory and there, or set TMPDIR"
            ) from None
        return onnx.load(str(path))


def _write_split(model: onnx.ModelProto, folder: Path) -> None:
    light = onnx.ModelProto()
    light.CopyFrom(model)
    with (folder / WEIGHTS_FILE).open("wb") as weights:
        for tensor in _initializers(light.graph):
            data = tensor.raw_data
            if len(data) < _SMALL_BYTES:
                continue
            alignment = _LARGE_ALIGNMENT if len(data) >= _LARGE_BYTES else _ALIGNMENT
            weights.write(bytes(-weights.tell() % alignment))
            set_external_data(tensor, WEIGHTS_FILE, offset=weights.tell(), length=len(data))
            weights.write(data)
            tensor.ClearField("raw_data")
    (folder / GRAPH_FILE).write_bytes(light.SerializeToString(deterministic=True))


def _initializers(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Weights of the graph and of the graphs in its loops and branches."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _initializers(attribute.g)
            for inner in attribute.graphs:
                yield from _initializers(inner)
