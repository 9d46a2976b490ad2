"""The demo's models started as onnxruntime is usually written, beside the host: what the packs are worth."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from preheat_tools.bench.cold_start import Cache, Variant, measure

RUNS = 3
USUAL = Variant(name="onnxruntime_naive", imports=True)
HOST = Variant(name="preheat_fast", imports=True)


@dataclass(frozen=True, slots=True)
class Start:
    """From a process's start to its first verified answer, ms, medians of RUNS; both import boto3 and Powertools."""

    usual_ms: float
    host_ms: float


def starts(packs: Path, models: Sequence[str], progress: Callable[[float, str], None]) -> Mapping[str, Start]:
    """Each model from below `packs` in fresh processes, the two ways in turn.

    The usual way is given one file with the weights within, which is how a model is usually exported; its graph is
    optimised already, so that the difference is if anything understated.
    """
    found = {}
    with tempfile.TemporaryDirectory(prefix="preheat-demo-") as scratch:
        for index, model in enumerate(models):
            folder = _prepared(packs / model, Path(scratch) / model)
            share = index / len(models)

            def say(line: str, share: float = share) -> None:
                progress(share, line)

            usual, host = measure(folder, [USUAL, HOST], Cache(), RUNS, say)
            found[model] = Start(usual_ms=usual.median_ms, host_ms=host.median_ms)
    return found


def _prepared(pack: Path, folder: Path) -> Path:
    """What `preheat_tools.bench.start` looks for: `pack/`, `naive.onnx`, `samples.npz`."""
    import numpy as np
    import onnx

    shutil.copytree(pack, folder / "pack")
    onnx.save(onnx.load(str(pack / "model.onnx")), str(folder / "naive.onnx"))
    with np.load(pack / "golden.npz") as golden:
        answer = next(name for name in golden.files if name.startswith("0.out."))
        inputs = {name: golden[name] for name in golden.files if name.startswith("0.in.")}
        np.savez(folder / "samples.npz", **inputs, **{"0.out.answer": golden[answer]})
    return folder
