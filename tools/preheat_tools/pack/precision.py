"""int8 weights, kept only where the golden answers stay within tolerance."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnxruntime

from preheat_tools.pack.golden import Answer, Arrays, Case, Tolerance, worst_miss
from preheat_tools.pack.sources import SourceError

PRECISIONS = ("fp32", "int8")


def quantised(graph: Path, scratch: Path) -> Path:
    """The graph with int8 weights, one scale a channel: one a tensor lets answers drift."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = scratch / "int8.onnx"
    try:
        with _quiet():
            quantize_dynamic(
                graph, path, per_channel=True, weight_type=QuantType.QInt8, use_external_data_format=False
            )
    except Exception as error:  # onnxruntime's quantiser raises what it meets
        raise SourceError(f"{graph} cannot be quantised: {error}; keep --precision fp32") from None
    return path


def miss_of(graph: Path, cases: Sequence[Case], tolerance: Tolerance) -> float:
    """How far the graph's worst answer is off, in tolerances."""
    return worst_miss(cases, session_answer(graph), tolerance)


def session_answer(graph: Path) -> Answer:
    """A graph as stock onnxruntime answers, nothing optimised further."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def answer(inputs: Arrays) -> Arrays:
        try:
            return dict(zip(names, session.run(names, dict(inputs)), strict=True))
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            raise SourceError(
                f"the graph made for the pack cannot answer the samples: {error}; where shapes vary, let the samples "
                f"show every dimension that does in two sizes"
            ) from None

    return answer


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser asks for a pre-processing that the optimised graph has had."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
