"""How long a pack takes to load and answer, and what memory it takes: each run in a process of its own.

Run as `python -m preheat_tools.pack.measure FOLDER` it is that process, and prints one JSON object.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RUNS = 5
_STEADY_ANSWERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Milliseconds after the engine's import, medians over processes; memory is what the process grew by at most."""

    load_ms: float
    first_answer_ms: float
    steady_ms: float
    memory_mb: float


def measure(folder: Path, runs: int = RUNS) -> Timing:
    """Medians over fresh processes, page cache warm."""
    found = [_run(folder) for _ in range(runs)]
    return Timing(
        load_ms=round(statistics.median(run.load_ms for run in found), 2),
        first_answer_ms=round(statistics.median(run.first_answer_ms for run in found), 2),
        steady_ms=round(statistics.median(run.steady_ms for run in found), 3),
        memory_mb=round(statistics.median(run.memory_mb for run in found), 1),
    )


def machine() -> str:
    """What the figures were measured on."""
    cpus = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (cpus.read_text().splitlines() if cpus.exists() else [])
        if line.startswith("model name")
    ]
    return f"{len(models)} x {models[0]}" if models else platform.machine()


def _run(folder: Path) -> Timing:
    command = [sys.executable, "-m", "preheat_tools.pack.measure", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"measuring {folder} failed: {done.stderr.strip().splitlines()[-1:] or done.returncode}"
        )
    return Timing(**json.loads(done.stdout))


def _time_this_process(folder: Path) -> Timing:
    import onnxruntime
    from preheat.golden import read_golden
    from preheat.pack import read_pack

    pack = read_pack(folder)
    question = {name: tensor.numpy() for name, tensor in read_golden(pack)[0].inputs.items()}
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for entry, value in pack.manifest.session.items():
        options.add_session_config_entry(entry, value)

    def load() -> Any:
        graph = pack.path(pack.manifest.graph)
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    load_ms, session = _timed(load)
    answers_ms = [_timed(lambda: session.run(None, question))[0] for _ in range(1 + _STEADY_ANSWERS)]
    # the memory of one more, so that what the engine itself takes is not counted
    before_mb = _resident_mb()
    another = load()
    another.run(None, question)
    return Timing(
        load_ms=load_ms,
        first_answer_ms=answers_ms[0],
        steady_ms=statistics.median(answers_ms[1:]),
        memory_mb=_resident_mb() - before_mb,
    )


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return (time.perf_counter() - start) * 1e3, result


def _resident_mb() -> float:
    """Resident memory of this process, mapped weights included, in MB of 10^6 bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_time_this_process(Path(sys.argv[1])))))
