"""A function as the benchmark runs it inside awslambdaric; the variant and the folders are in its environment.

`lambda_handler.handler` answers the model's first golden question; its module's top is its INIT.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VARIANT, FOLDER = os.environ["BENCH_VARIANT"], os.environ["BENCH_FOLDER"]

if VARIANT == "onnxruntime_naive":
    __import__("function_imports")
    import numpy as np
    import onnxruntime

    SESSION = onnxruntime.InferenceSession(f"{FOLDER}/naive.onnx")
    with np.load(f"{FOLDER}/samples.npz") as arrays:
        INPUTS = {key.removeprefix("0.in."): arrays[key] for key in arrays.files if key.startswith("0.in.")}

    def answer() -> int:
        return len(SESSION.run(None, INPUTS))

elif VARIANT in ("preheat_plain", "preheat_fast"):
    from preheat_tools.bench.start import host_of, opened_host

    HOST = (
        host_of(FOLDER, imports=True)
        if VARIANT == "preheat_fast"
        else opened_host(FOLDER, imports=True, fast=False)
    )
    (SERVED,) = HOST.values()
    from preheat.golden import read_golden
    from preheat.pack import read_pack

    QUESTION = read_golden(read_pack(f"{FOLDER}/pack"))[0]

    def answer() -> int:
        return len(SERVED.run(QUESTION.inputs))

else:
    raise RuntimeError(f"BENCH_VARIANT must be a variant that runs in Lambda, was: {VARIANT!r}")


def handler(_event: Any, _context: Any) -> dict[str, int]:
    """What is measured is INIT and this first answer."""
    return {"answers": answer()}
