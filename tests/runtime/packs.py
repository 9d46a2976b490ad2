"""Small real packs for the runtime's tests: one matrix each, made with onnx, answered by numpy."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from preheat.frozen import replace
from preheat.manifest import FILE_NAME, GoldenSpec, Manifest, Measured, PackFile, TensorSpec, content_version

WIDTH = 4
"""Length of a question: which of four areas were visited."""


def write_pack(root: Path, name: str, *, wrong_by: float = 0.0, seed: int = 0, **changes: Any) -> Path:
    """A pack whose model multiplies `visited` by a seeded matrix; its golden answers are off by `wrong_by`."""
    folder = root / name
    folder.mkdir(parents=True)
    weights = np.random.default_rng(seed).random((WIDTH, WIDTH), dtype=np.float32)
    (folder / "model.onnx").write_bytes(_graph(weights).SerializeToString())
    golden: dict[str, Any] = {}
    for case, batch in enumerate((1, 3)):
        visited = np.random.default_rng(case).random((batch, WIDTH), dtype=np.float32)
        golden[f"{case}.in.visited"] = visited
        golden[f"{case}.out.scores"] = visited @ weights + np.float32(wrong_by)
    np.savez(folder / "golden.npz", **golden)
    rewrite_manifest(folder, _manifest(name), **changes)
    return folder


def rewrite_manifest(folder: Path, manifest: Manifest, **changes: Any) -> None:
    """Describe the files as they now are."""
    files = {
        path.name: PackFile(bytes=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.iterdir())
        if path.name != FILE_NAME
    }
    described = replace(manifest, **({"files": files, "version": content_version(files)} | changes))
    (folder / FILE_NAME).write_text(described.to_json())


def flip_a_byte(path: Path, at: int = -10) -> None:
    """What a bad copy does."""
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)


def _manifest(name: str) -> Manifest:
    return Manifest(
        name=name,
        version="",
        engine="onnxruntime",
        graph="model.onnx",
        precision="fp32",
        opset=17,
        files={},
        memory_mb=10.0,
        traffic_share=0.5,
        inputs=(TensorSpec(name="visited", type="float32", shape=("batch", WIDTH)),),
        outputs=(TensorSpec(name="scores", type="float32", shape=("batch", WIDTH)),),
        golden=GoldenSpec(file="golden.npz", cases=2, rtol=1e-4, atol=1e-5),
        measured=Measured(machine="a test", load_ms=5.0, first_answer_ms=1.0, steady_ms=0.1),
    )


def _graph(weights: np.ndarray[Any, Any]) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["visited", "weights"], ["scores"])],
        "matrix",
        [helper.make_tensor_value_info("visited", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.tobytes(), raw=True)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
