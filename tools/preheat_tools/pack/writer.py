"""A pack is made beside its place and put there whole: one that is half-written never replaces a good one."""

from __future__ import annotations

import errno
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import onnx
from preheat.frozen import replace
from preheat.hashes import sha256
from preheat.manifest import FILE_NAME, GoldenSpec, LaidOut, Manifest, Measured, PackFile, content_version
from preheat.pack import read_pack

from preheat_tools.pack.golden import GOLDEN_FILE, Arrays, Case, Tolerance, ask, write_golden
from preheat_tools.pack.graph import GRAPH_FILE, dense_stretches, write_graph, write_laid_out
from preheat_tools.pack.measure import Timing, machine, measure, measure_packed
from preheat_tools.pack.precision import miss_of, quantised
from preheat_tools.pack.sources import Source, SourceError, tensor_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for beside the model itself."""

    name: str
    traffic_share: float
    questions: Sequence[Arrays]
    tolerance: Tolerance = field(default_factory=Tolerance)
    precision: str = "fp32"
    priority: int = 0
    required: bool = False
    cpu: str = ""
    """The family of CPUs that a second graph is to be laid out for: this machine's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A pack that was made; misses are in tolerances, up to 1 is golden."""

    manifest: Manifest
    timing: Timing
    miss: float
    int8_miss: float | None = None
    """How far int8 was off, where it was asked for; above 1 the pack is fp32 all the same."""


def write_pack(order: Order, source: Source, folder: Path) -> Packed:
    """Pack a model into `folder`, with the golden answers of the original; SourceError leaves `folder` as it was."""
    cases = ask(source.answer, order.questions)
    with replacing(folder) as fresh, tempfile.TemporaryDirectory() as scratch:
        graph, precision, int8_miss = _in_precision(order, source, cases, Path(scratch))
        model = write_graph(graph, fresh)
        miss = miss_of(fresh / GRAPH_FILE, cases, order.tolerance)
        _must_be_golden(order, miss, "the optimised graph")
        laid_out = _laid_out(order, graph, model, cases, fresh) if order.cpu else None
        write_golden(cases, fresh)
        timing = finish(_manifest(order, model, precision, fresh, laid_out), fresh)
    return Packed(manifest=read_pack(folder).manifest, timing=timing, miss=miss, int8_miss=int8_miss)


def _laid_out(
    order: Order, graph: Path, portable: onnx.ModelProto, cases: Sequence[Case], fresh: Path
) -> LaidOut | None:
    """The graph for this machine's CPU, where the model has layouts that are a CPU's."""
    file = write_laid_out(graph, portable, fresh, order.cpu)
    if not file:
        return None
    _must_be_golden(order, miss_of(fresh / file, cases, order.tolerance), f"the graph for {order.cpu}")
    return LaidOut(family=order.cpu, graph=file)


def _must_be_golden(order: Order, miss: float, what: str) -> None:
    if miss > 1:
        raise SourceError(
            f"{order.name}: {what} is off the original by {miss:.3g} tolerances; "
            f"give a wider --rtol or --atol if that is right, else report the model"
        )


def finish(manifest: Manifest, fresh: Path) -> Timing:
    """Write the manifest, start the pack in processes of their own, and write what that took into the manifest."""
    (fresh / FILE_NAME).write_text(manifest.to_json())
    timing = measure(fresh)
    packed = measure_packed(fresh) if manifest.engine == "onnxruntime" else None
    (fresh / FILE_NAME).write_text(_with_timing(manifest, timing, packed).to_json())
    return timing


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends well, and is gone when it does not."""
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"{folder} is a file: give another --out")
    if folder.exists() and any(folder.iterdir()) and not (folder / FILE_NAME).is_file():
        raise SourceError(f"{folder} holds something other than a pack: give another --out, or empty it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise SourceError(
            f"{folder} cannot be made in {folder.parent}: {error.strerror}; give another --out"
        ) from None
    old = fresh.with_name(f"{fresh.name}.old")
    try:
        yield fresh
        fresh.chmod(0o755)
        if folder.exists():
            folder.rename(old)
        try:
            fresh.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise SourceError(
                f"no room left in {folder.parent} or {tempfile.gettempdir()}: free some, or give --out or TMPDIR"
            ) from None
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(fresh, ignore_errors=True)


def _in_precision(
    order: Order, source: Source, cases: Sequence[Case], scratch: Path
) -> tuple[Path, str, float | None]:
    """The graph to pack, its precision, and how far int8 was off where it was asked for."""
    if order.precision == "fp32":
        return source.graph, "fp32", None
    graph = quantised(source.graph, scratch)
    miss = miss_of(graph, cases, order.tolerance)
    return (graph, "int8", miss) if miss <= 1 else (source.graph, "fp32", miss)


def _manifest(
    order: Order, model: onnx.ModelProto, precision: str, folder: Path, laid_out: LaidOut | None
) -> Manifest:
    files = files_in(folder)
    return Manifest(
        name=order.name,
        version=content_version(files),
        engine="onnxruntime",
        graph=GRAPH_FILE,
        precision=precision,
        opset=next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        files=files,
        memory_mb=0.0,
        traffic_share=order.traffic_share,
        priority=order.priority,
        required=order.required,
        inputs=tuple(tensor_spec(value) for value in model.graph.input),
        outputs=tuple(tensor_spec(value) for value in model.graph.output),
        golden=golden_spec(order),
        built_with=built_with("onnx", "onnxruntime"),
        cpu=laid_out,
        read_ahead=() if laid_out else dense_stretches(folder),
    )


def files_in(folder: Path) -> dict[str, PackFile]:
    """Size and hash of each of a pack's files."""
    return {
        path.name: PackFile(bytes=path.stat().st_size, sha256=sha256(path))
        for path in sorted(folder.iterdir())
    }


def golden_spec(order: Order) -> GoldenSpec:
    """What the manifest says of the golden questions."""
    return GoldenSpec(
        file=GOLDEN_FILE,
        cases=len(order.questions),
        rtol=order.tolerance.rtol,
        atol=order.tolerance.atol,
    )


def built_with(*packages: str) -> dict[str, str]:
    """Versions of what made the pack."""
    return {name: version(name) for name in packages} | {
        "python": platform.python_version(),
        "architecture": platform.machine(),
    }


def _with_timing(manifest: Manifest, timing: Timing, packed: Timing | None) -> Manifest:
    measured = Measured(
        machine=machine(),
        load_ms=timing.load_ms,
        first_answer_ms=timing.first_answer_ms,
        steady_ms=timing.steady_ms,
    )
    if packed is not None:
        measured = replace(
            measured,
            packed_load_ms=packed.load_ms,
            packed_steady_ms=packed.steady_ms,
            packed_memory_mb=round(packed.memory_mb, 1),
        )
    return replace(manifest, memory_mb=round(timing.memory_mb, 1), measured=measured)
