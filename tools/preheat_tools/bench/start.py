"""One process of the cold-start benchmark: from its start to one verified answer, by one variant.

Run as a script, `start.py VARIANT MODEL_FOLDER PACK_FOLDER IMPORTS STEADY_ANSWERS`, so that nothing but the variant's
own imports is on its way. Prints JSON: the instants (CLOCK_MONOTONIC, s) of its phases, and later answers' ms.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from preheat import ModelHost

FUNCTION_IMPORTS = "function_imports"
"""The module beside this one, whose folder is on the path as a function's own is."""
MARKS: list[tuple[str, float]] = [("interpreter", monotonic())]


class Started:
    """What is asked later: the same question again, and a ping."""

    def __init__(self, again: Callable[[], Any] | None, ping: Callable[[], Any] | None = None) -> None:
        self.again, self.ping = again, ping


def mark(phase: str) -> None:
    """The phase that ends now."""
    MARKS.append((phase, monotonic()))


def torch_naive(model_folder: str, _pack_folder: str, imports: bool) -> Started:
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
    return Started(answer)


def onnxruntime_naive(model_folder: str, _pack_folder: str, imports: bool) -> Started:
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
    return Started(lambda: session.run(None, inputs))


def preheat_plain(model_folder: str, pack_folder: str, imports: bool) -> Started:
    """The host as it is where onnxruntime's C API does not fit."""
    return _opened(model_folder, pack_folder, imports, fast=False)


def preheat_packed(model_folder: str, pack_folder: str, imports: bool) -> Started:
    """With weights in the kernels' own layout from the first session on."""
    return _opened(model_folder, pack_folder, imports, packed=True)


def preheat_fast(model_folder: str, pack_folder: str, imports: bool) -> Started:
    """What a function writes at its top."""
    return _verified(host_of(model_folder, imports=imports), pack_folder)


def preheat_within(model_folder: str, pack_folder: str, imports: bool) -> Started:
    """With the weights in the graph's own file, as a model is usually exported; like every graph it is hashed first."""
    os.environ["PREHEAT_MODELS"] = f"{model_folder}/within"
    return _verified(host_of(model_folder, imports=imports), pack_folder)


def preheat_eager(model_folder: str, pack_folder: str, _imports: bool) -> Started:
    """With every import beside the models, boto3's too."""
    return _verified(host_of(model_folder, imports=True, deferred=()), pack_folder)


def preheat_after(model_folder: str, pack_folder: str, _imports: bool) -> Started:
    """With every import before the models, as an import usually stands."""
    __import__(FUNCTION_IMPORTS)
    return _verified(host_of(model_folder, imports=False), pack_folder)


def host_of(model_folder: str, *, imports: bool, deferred: tuple[str, ...] = ("boto3",)) -> ModelHost:
    from preheat import ModelHost

    mark("imports")
    return ModelHost.from_packs(
        model_folder,
        beside=(FUNCTION_IMPORTS,) if imports else (),
        deferred=deferred if imports else (),
    )


def opened_host(model_folder: str, *, imports: bool, **how: Any) -> ModelHost:
    """A host whose first sessions are opened otherwise than it would."""
    if how.get("fast", True):
        from preheat import ModelHost
    else:  # which would begin the C API's library
        from preheat.host import ModelHost
    from preheat.deferred import defer
    from preheat.engines import open_session
    from preheat.pack import read_packs
    from preheat.surroundings import Process

    mark("imports")
    defer(("boto3",) if imports else ())
    packs, _ = read_packs(model_folder)
    host = ModelHost(packs, Process(), lambda pack: open_session(pack, **how))
    host.initialise((FUNCTION_IMPORTS,) if imports else ())
    return host


def _opened(model_folder: str, pack_folder: str, imports: bool, **how: Any) -> Started:
    return _verified(opened_host(model_folder, imports=imports, **how), pack_folder)


def _verified(host: ModelHost, pack_folder: str) -> Started:
    """INIT has ended: the model has answered its golden question as it should, or there is no figure."""
    (served,) = host.values()
    if served.level.name != "HOT":
        raise RuntimeError(served.problem or f"the model is {served.level.name} after INIT, not HOT")
    mark("answer")
    from preheat.golden import read_golden
    from preheat.pack import read_pack

    question = read_golden(read_pack(pack_folder))[0]
    served.run(question.inputs)
    return Started(lambda: served.run(question.inputs), lambda: host.warm({}, float("inf")))


def limit(_model_folder: str, pack_folder: str, _imports: bool) -> Started:
    """Every byte of the weights once, into a buffer that stays in the CPU's cache."""
    mark("imports")
    sink = bytearray(1 << 18)
    with open(f"{pack_folder}/weights.bin", "rb", buffering=0) as file:  # noqa: PTH123 - pathlib is 3 ms
        while file.readinto(sink):
            pass
    mark("answer")
    return Started(None)


def _samples(np: Any, model_folder: str) -> tuple[dict[str, Any], Any]:
    with np.load(f"{model_folder}/samples.npz") as arrays:
        inputs = {key.removeprefix("0.in."): arrays[key] for key in arrays if key.startswith("0.in.")}
        return inputs, arrays["0.out.answer"]


def main(variant: str, model_folder: str, pack_folder: str, imports: str, steady_answers: str) -> None:
    started = globals()[variant](model_folder, pack_folder, imports == "imports")
    steady_ms = _times_ms(started.again, int(steady_answers))
    pinged_ms: list[float] = []
    if started.ping and steady_ms:
        started.ping()
        pinged_ms = _times_ms(started.again, int(steady_answers))
    import json

    sys.stdout.write(json.dumps({"marks": MARKS, "steady_ms": steady_ms, "pinged_ms": pinged_ms}))
    sys.stdout.flush()
    os._exit(0)  # what an interpreter does to end is no part of a start


def _times_ms(work: Callable[[], Any] | None, count: int) -> list[float]:
    found = []
    for _ in range(count if work else 0):
        begun = perf_counter()
        work()  # type: ignore[misc]
        found.append((perf_counter() - begun) * 1e3)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
