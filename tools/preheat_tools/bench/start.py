"""One process of the cold-start benchmark: from its start to one verified answer, by one variant.

Run as a script, `start.py VARIANT MODEL_FOLDER PACK_FOLDER IMPORTS STEADY_ANSWERS`, so that nothing but the variant's
own imports is on its way. Prints JSON: the instants (CLOCK_MONOTONIC, s) of its phases, and later answers' ms.
"""

from __future__ import annotations

import sys
from time import monotonic, perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from preheat import ModelHost

    Again = Callable[[], Any] | None

FUNCTION_IMPORTS = "function_imports"
"""The module beside this one, whose folder is on the path as a function's own is."""
MARKS: list[tuple[str, float]] = [("interpreter", monotonic())]


def mark(phase: str) -> None:
    """The phase that ends now."""
    MARKS.append((phase, monotonic()))


def torch_naive(model_folder: str, _pack_folder: str, imports: bool) -> Again:
    if imports:
        __import__(FUNCTION_IMPORTS)
    import json

    import numpy as np
    import torch

    from preheat_tools.bench import modules

    mark("imports")
    with open(f"{model_folder}/model.json") as file:  # noqa: PTH123 - pathlib is 3 ms
        module = getattr(modules, json.load(file)["factory"])()
    module.load_state_dict(torch.load(f"{model_folder}/state.pt"))
    module.eval()
    mark("load")
    inputs, expected = _samples(np, model_folder)
    tensors = [torch.from_numpy(array) for array in inputs.values()]

    def answer() -> Any:
        with torch.no_grad():
            return module(*tensors).numpy()

    found = answer()
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-4)
    mark("answer")
    return answer


def onnxruntime_naive(model_folder: str, _pack_folder: str, imports: bool) -> Again:
    if imports:
        __import__(FUNCTION_IMPORTS)
    import numpy as np
    import onnxruntime

    mark("imports")
    session = onnxruntime.InferenceSession(f"{model_folder}/naive.onnx")
    mark("load")
    inputs, expected = _samples(np, model_folder)
    (found,) = session.run(None, inputs)
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-4)
    mark("answer")
    return lambda: session.run(None, inputs)


def preheat_plain(model_folder: str, pack_folder: str, imports: bool) -> Again:
    return _verified(host_of(model_folder, fast=False, imports=imports), pack_folder)


def preheat_fast(model_folder: str, pack_folder: str, imports: bool) -> Again:
    return _verified(host_of(model_folder, fast=True, imports=imports), pack_folder)


def host_of(model_folder: str, *, fast: bool, imports: bool) -> ModelHost:
    """What a function writes at its top; or the host as it is where onnxruntime's C API does not fit."""
    if fast:
        from preheat import ModelHost

        mark("imports")
        return ModelHost.from_packs(
            model_folder,
            beside=(FUNCTION_IMPORTS,) if imports else (),
            deferred=("boto3",) if imports else (),
        )
    from preheat.deferred import defer
    from preheat.engines import open_session
    from preheat.host import ModelHost
    from preheat.pack import read_packs
    from preheat.surroundings import Process

    mark("imports")
    packs, _ = read_packs(model_folder)
    host = ModelHost(packs, Process(), lambda pack: open_session(pack, fast=False))
    defer(("boto3",) if imports else ())
    host.initialise((FUNCTION_IMPORTS,) if imports else ())
    return host


def _verified(host: ModelHost, pack_folder: str) -> Again:
    """INIT has ended: the model has answered its golden question as it should, or answers no other."""
    mark("answer")
    from preheat.golden import read_golden
    from preheat.pack import read_pack

    (served,) = host.values()
    question = read_golden(read_pack(pack_folder))[0]
    served.run(question.inputs)
    return lambda: served.run(question.inputs)


def limit(_model_folder: str, pack_folder: str, _imports: bool) -> Again:
    """Every byte of the weights once, into a buffer that stays in the CPU's cache."""
    mark("imports")
    sink = bytearray(1 << 18)
    with open(f"{pack_folder}/weights.bin", "rb", buffering=0) as file:  # noqa: PTH123 - pathlib is 3 ms
        while file.readinto(sink):
            pass
    mark("answer")
    return None


def _samples(np: Any, model_folder: str) -> tuple[dict[str, Any], Any]:
    with np.load(f"{model_folder}/samples.npz") as arrays:
        inputs = {key.removeprefix("0.in."): arrays[key] for key in arrays if key.startswith("0.in.")}
        return inputs, arrays["0.out.answer"]


def main(variant: str, model_folder: str, pack_folder: str, imports: str, steady_answers: str) -> None:
    again = globals()[variant](model_folder, pack_folder, imports == "imports")
    steady_ms = []
    for _ in range(int(steady_answers) if again else 0):
        begun = perf_counter()
        again()
        steady_ms.append((perf_counter() - begun) * 1e3)
    import json
    import os

    sys.stdout.write(json.dumps({"marks": MARKS, "steady_ms": steady_ms}))
    sys.stdout.flush()
    os._exit(0)  # what an interpreter does to end is no part of a start


if __name__ == "__main__":
    main(*sys.argv[1:])
