"""How long a pack takes from process start to its answer, and what memory it takes, in fresh processes."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

RUNS = 5


class MeasureError(RuntimeError):
    """A pack that does not start in a process of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Milliseconds, in order of time; `total` is from process start to the first answer. Memory is of one session."""

    start_ms: float
    library_ms: float
    load_ms: float
    first_answer_ms: float
    total_ms: float
    steady_ms: float
    memory_mb: float


def measure(folder: Path, runs: int = RUNS) -> Timing:
    """A pack as the runtime opens it, medians over fresh processes, page cache warm."""
    return _median([_run(str(folder)) for _ in range(runs)])


def measure_packed(folder: Path, runs: int = RUNS) -> Timing:
    """The same with the weights copied into the kernels' layout: what `preheat.engines.repack` decides by."""
    return _median([_run(str(folder), "--packed") for _ in range(runs)])


def compare(folder: Path, onnx_file: Path, runs: int = RUNS) -> tuple[Timing, Timing]:
    """An ONNX file with onnxruntime as usually written, and the pack made of it, their processes in turn."""
    pairs = [(_run(str(folder), str(onnx_file)), _run(str(folder))) for _ in range(runs)]
    return _median([usual for usual, _ in pairs]), _median([packed for _, packed in pairs])


def machine() -> str:
    """What the figures were measured on."""
    cpus = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (cpus.read_text().splitlines() if cpus.exists() else [])
        if line.startswith("model name")
    ]
    return f"{len(models)} x {models[0]}" if models else platform.machine()


def _median(found: Sequence[Timing]) -> Timing:
    names = [field.name for field in fields(Timing)]
    return Timing(
        **{name: round(statistics.median(getattr(run, name) for run in found), 3) for name in names}
    )


def _run(*arguments: str) -> Timing:
    command = [sys.executable, "-m", "preheat_tools.pack.probe", str(time.monotonic_ns()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise MeasureError(f"{arguments[0]} does not start in a process of its own: {reason[0]}")
    return Timing(**json.loads(done.stdout))
