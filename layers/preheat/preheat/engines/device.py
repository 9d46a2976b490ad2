"""Whether models run on a GPU: PREHEAT_DEVICE=cuda, for images on hosts that have one (Lambda managed instances).

Where there is none to be had, models run on the CPU, and one line says why. Levels are per process: a host's processes
each put their own copy on the device. Written to onnxruntime's and torch's documentation; not run on a GPU yet.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CPU, CUDA = "cpu", "cuda"
PROVIDER = "CUDAExecutionProvider"
"""https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html"""
_SAID: set[str] = set()


def onnxruntime_has_cuda() -> bool:
    """Whether the onnxruntime that is installed was built for CUDA; where not, that is said once."""
    try:
        import onnxruntime
    except ImportError:
        return False  # its session says so, with what to do
    found = onnxruntime.get_available_providers()
    if PROVIDER in found:
        return True
    runs_on_cpu(f"this onnxruntime has no {PROVIDER} (it has {', '.join(found)}): install onnxruntime-gpu")
    return False


def torch_device(torch: Any, wanted: str) -> str:
    """`cuda` where it is wanted and torch finds one; else `cpu`, and why is said once."""
    if wanted != CUDA:
        return CPU
    if torch.cuda.is_available():
        return CUDA
    runs_on_cpu("torch finds no CUDA device")
    return CPU


def runs_on_cpu(reason: str) -> None:
    """One line on stderr a reason and process."""
    if reason not in _SAID:
        _SAID.add(reason)
        sys.stderr.write(f"preheat: PREHEAT_DEVICE=cuda, but models run on the CPU: {reason}\n")
