"""The graph of a pack: optimised now, so that nothing is optimised at start, with its weights in a file to map."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import onnx
import onnxruntime
from onnx.external_data_helper import set_external_data

from preheat_tools.pack.sources import SourceError

GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "weights.bin"
_SMALL_BYTES = 1024  # what is smaller stays in the graph: shapes and scalars are read while it is parsed
_LARGE_BYTES = 64 * 1024
READ_AHEAD_BYTES = 256 << 20
"""Weights that are worth reading ahead of the engine: for smaller ones it gained nothing (docs/cold-start.md)."""
_TABLES = {"Gather": (0,), "GatherElements": (0,), "GatherND": (0,), "EmbedLayerNormalization": (2, 3, 4)}
"""By operator, the inputs of which an answer takes a few rows."""
_ALIGNMENT, _LARGE_ALIGNMENT = 64, 4096  # a cache line; a page, so that a large tensor's pages are its own


def write_graph(source: Path, folder: Path) -> onnx.ModelProto:
    """Write `model.onnx` and `weights.bin` of the ONNX file `source`; returns the optimised model, weights within."""
    model = optimised(source)
    _write_split(model, folder, GRAPH_FILE, WEIGHTS_FILE, {})
    return model


def dense_stretches(folder: Path) -> tuple[tuple[int, int], ...]:
    """Where in `weights.bin` lies what every answer needs whole: (offset, length) by offset, neighbours as one.

    Nothing where it is less than READ_AHEAD_BYTES in all.
    """
    graph = onnx.load(str(folder / GRAPH_FILE), load_external_data=False).graph
    tables = {
        node.input[place]
        for node in graph.node
        for place in _TABLES.get(node.op_type, ())
        if place < len(node.input)
    }
    stretches: list[tuple[int, int]] = []
    for tensor in sorted(filter(_outside, _initializers(graph)), key=_place):
        offset, length = _place(tensor)
        if tensor.name in tables:
            continue
        first, known = stretches[-1] if stretches else (0, 0)
        if stretches and offset - first - known < _LARGE_ALIGNMENT:
            stretches[-1] = (first, offset - first + length)
        else:
            stretches.append((offset, length))
    enough = sum(length for _, length in stretches) >= READ_AHEAD_BYTES
    return tuple(stretches) if enough else ()


def write_laid_out(source: Path, portable: onnx.ModelProto, folder: Path, family: str) -> str:
    """Write `model.FAMILY.onnx` beside `model.onnx`, laid out for this machine's CPU; its name, or nothing.

    Nothing where no layout in this model is a CPU's. Weights that both graphs have lie in `weights.bin` alone.
    """
    model = optimised(source, for_this_cpu=True)
    if model.SerializeToString(deterministic=True) == portable.SerializeToString(deterministic=True):
        return ""
    graph_file, weights_file = f"model.{family}.onnx", f"weights.{family}.bin"
    _write_split(model, folder, graph_file, weights_file, _places(folder))
    if not (folder / weights_file).stat().st_size:
        (folder / weights_file).unlink()
    return graph_file


def optimised(source: Path, *, for_this_cpu: bool = False) -> onnx.ModelProto:
    """What onnxruntime makes of a graph on any CPU of the architecture, or on this one, weights within.

    EXTENDED for any, not ALL: the layout optimisations of ALL fit blocks to the vector width of the CPU at hand, and
    which one serves is not chosen on Lambda.
    """
    levels = onnxruntime.GraphOptimizationLevel
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / GRAPH_FILE
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = (
            levels.ORT_ENABLE_ALL if for_this_cpu else levels.ORT_ENABLE_EXTENDED
        )
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


def _write_split(
    model: onnx.ModelProto,
    folder: Path,
    graph_file: str,
    weights_file: str,
    known: Mapping[bytes, tuple[str, int]],
) -> None:
    """Write the graph and its weights; those that are `known`, by SHA-256, lie elsewhere already."""
    light = onnx.ModelProto()
    light.CopyFrom(model)
    with (folder / weights_file).open("wb") as weights:
        for tensor in _initializers(light.graph):
            data = tensor.raw_data
            if len(data) < _SMALL_BYTES:
                continue
            file, offset = known.get(sha256(data).digest(), ("", 0))
            if not file:
                alignment = _LARGE_ALIGNMENT if len(data) >= _LARGE_BYTES else _ALIGNMENT
                weights.write(bytes(-weights.tell() % alignment))
                file, offset = weights_file, weights.tell()
                weights.write(data)
            set_external_data(tensor, file, offset=offset, length=len(data))
            tensor.ClearField("raw_data")
    (folder / graph_file).write_bytes(light.SerializeToString(deterministic=True))


def _places(folder: Path) -> dict[bytes, tuple[str, int]]:
    """Where the portable graph's weights lie, by their SHA-256."""
    model = onnx.load(str(folder / GRAPH_FILE), load_external_data=False)
    places = {}
    with (folder / WEIGHTS_FILE).open("rb") as weights:
        for tensor in _initializers(model.graph):
            if _outside(tensor):
                offset, length = _place(tensor)
                weights.seek(offset)
                places[sha256(weights.read(length)).digest()] = (WEIGHTS_FILE, offset)
    return places


def _outside(tensor: onnx.TensorProto) -> bool:
    """Whether a tensor's bytes lie in a file beside the graph."""
    return bool(tensor.external_data)


def _place(tensor: onnx.TensorProto) -> tuple[int, int]:
    """Offset and length of such a tensor there."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    return int(entries["offset"]), int(entries["length"])


def _initializers(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Weights of the graph and of the graphs in its loops and branches."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _initializers(attribute.g)
            for inner in attribute.graphs:
                yield from _initializers(inner)
