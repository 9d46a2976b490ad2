"""A pack is made beside its place and put there whole: one that is half-written never replaces a good one."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
from preheat.frozen import replace
from preheat.manifest import (
    FILE_NAME,
    GoldenSpec,
    Manifest,
    Measured,
    PackFile,
    TensorSpec,
    content_version,
)
from preheat.pack import sha256

from preheat_tools.pack.golden import GOLDEN_FILE, Answer, Arrays, Tolerance, ask, write_golden
from preheat_tools.pack.graph import GRAPH_FILE, write_graph
from preheat_tools.pack.measure import Timing, machine, measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for beside the model itself."""

    name: str
    traffic_share: float
    questions: Sequence[Arrays]
    tolerance: Tolerance = Tolerance()  # noqa: RUF009 — frozen
    priority: int = 0
    required: bool = False


def write_pack(order: Order, source: Path, original: Answer, folder: Path) -> Manifest:
    """Pack the ONNX file `source` into `folder`, with the golden answers of the model it was made from."""
    with replacing(folder) as fresh:
        model = write_graph(source, fresh)
        write_golden(ask(original, order.questions), fresh)
        manifest = _manifest(order, model, fresh)
        (fresh / FILE_NAME).write_text(manifest.to_json())
        manifest = _with_timing(manifest, measure(fresh))
        (fresh / FILE_NAME).write_text(manifest.to_json())
    return manifest


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends well, and is gone when it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        if folder.exists():
            old = fresh.with_name(f"{fresh.name}.old")
            folder.rename(old)
            fresh.rename(folder)
            shutil.rmtree(old)
        else:
            fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _manifest(order: Order, model: onnx.ModelProto, folder: Path) -> Manifest:
    files = {
        path.name: PackFile(bytes=path.stat().st_size, sha256=sha256(path))
        for path in sorted(folder.iterdir())
    }
    return Manifest(
        name=order.name,
        version=content_version(files),
        engine="onnxruntime",
        graph=GRAPH_FILE,
        precision="fp32",
        opset=next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        files=files,
        memory_mb=0.0,
        traffic_share=order.traffic_share,
        priority=order.priority,
        required=order.required,
        inputs=tuple(_tensor_spec(value) for value in model.graph.input),
        outputs=tuple(_tensor_spec(value) for value in model.graph.output),
        golden=GoldenSpec(
            file=GOLDEN_FILE,
            cases=len(order.questions),
            rtol=order.tolerance.rtol,
            atol=order.tolerance.atol,
        ),
        built_with={name: version(name) for name in ("onnx", "onnxruntime")}
        | {"python": platform.python_version(), "architecture": platform.machine()},
    )


def _with_timing(manifest: Manifest, timing: Timing) -> Manifest:
    measured = Measured(
        machine=machine(),
        load_ms=timing.load_ms,
        first_answer_ms=timing.first_answer_ms,
        steady_ms=timing.steady_ms,
    )
    return replace(manifest, memory_mb=timing.memory_mb, measured=measured)


def _tensor_spec(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    shape = tuple(size.dim_param or size.dim_value for size in tensor.shape.dim)
    return TensorSpec(name=value.name, type=kind, shape=shape)
