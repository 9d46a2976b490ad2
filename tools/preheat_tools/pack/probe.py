"""One timed start, as a process of its own: `python -m preheat_tools.pack.probe STARTED_NS PACK [ONNX|--packed]`.

Opens the pack as the runtime does, or, where an ONNX file is named, that file with onnxruntime as usually written;
asks the pack's first golden question; prints one JSON object of milliseconds. Imports nothing before the engine that
it does not need.
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ANSWERS = 20


def main(started_ns: int, folder: str, onnx_file: str | None, packed: bool = False) -> dict[str, float]:
    """Phases in ms from the parent's clock at the start, steady answers, and the memory of one session in MB."""
    from preheat.golden import read_golden
    from preheat.pack import read_pack

    pack = read_pack(folder)
    inputs = read_golden(pack)[0].inputs
    begun_ms = _now_ms()
    library_ms, ask = _open_onnx(onnx_file, inputs) if onnx_file else _open_pack(pack, inputs, packed)
    loaded_ms = _now_ms()
    ask()
    answered_ms = _now_ms()
    steady_ms = sorted(_timed_ms(ask) for _ in range(ANSWERS))[ANSWERS // 2]
    # the memory of one more, so that what the engine itself takes is not counted
    before_mb = _resident_mb()
    _, another = _open_onnx(onnx_file, inputs) if onnx_file else _open_pack(pack, inputs, packed)
    another()
    return {
        "start_ms": begun_ms - started_ns / 1e6,
        "library_ms": library_ms,
        "load_ms": loaded_ms - begun_ms - library_ms,
        "first_answer_ms": answered_ms - loaded_ms,
        "total_ms": answered_ms - started_ns / 1e6,
        "steady_ms": steady_ms,
        "memory_mb": max(0.0, _resident_mb() - before_mb),
    }


def _open_pack(pack: Any, inputs: Any, packed: bool) -> tuple[float, Callable[[], Any]]:
    from preheat.engines import open_session

    session = open_session(pack, packed=packed)
    return session.phases.library_ms, lambda: session.run(inputs)


def _open_onnx(path: str, inputs: Any) -> tuple[float, Callable[[], Any]]:
    begun_ms = _now_ms()
    import onnxruntime

    library_ms = _now_ms() - begun_ms
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    session = onnxruntime.InferenceSession(path)
    return library_ms, lambda: session.run(None, arrays)


def _timed_ms(work: Callable[[], Any]) -> float:
    begun_ms = _now_ms()
    work()
    return _now_ms() - begun_ms


def _now_ms() -> float:
    """One clock for all processes of the machine (CLOCK_MONOTONIC)."""
    return time.monotonic_ns() / 1e6


def _resident_mb() -> float:
    """Resident memory of this process, mapped weights included, in MB of 10^6 bytes."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 — pathlib is no part of a start
        return next((int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith("VmRSS:")), 0.0)


if __name__ == "__main__":
    is_packed = sys.argv[3:] == ["--packed"]
    onnx = sys.argv[3] if len(sys.argv) > 3 and not is_packed else None
    found = main(int(sys.argv[1]), sys.argv[2], onnx, is_packed)
    import json

    sys.stdout.write(json.dumps(found))
