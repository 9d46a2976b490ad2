"""A function as the benchmark runs it inside awslambdaric; the variant and the folders are in its environment.

`lambda_handler.handler` answers the model's first golden question; its module's top is its INIT.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VARIANT, FOLDER = os.environ["BENCH_VARIANT"], os.environ["BENCH_FOLDER"]
PACK = f"{FOLDER}/pack"

if VARIANT == "onnxruntime_naive":
    import boto3
    import numpy as np
    import onnxruntime
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

    _ = boto3, Logger, Metrics, APIGatewayRestResolver
    SESSION = onnxruntime.InferenceSession(f"{FOLDER}/naive.onnx")
    with np.load(f"{FOLDER}/samples.npz") as arrays:
        INPUTS = {key.removeprefix("0.in."): arrays[key] for key in arrays.files if key.startswith("0.in.")}

    def answer() -> int:
        return len(SESSION.run(None, INPUTS))

elif VARIANT in ("preheat_plain", "preheat_fast"):
    from preheat.engines import begin_library
    from preheat.engines.beside import open_beside

    if VARIANT == "preheat_fast":
        begin_library()
    from preheat.golden import difference, read_golden
    from preheat.pack import read_pack

    found = read_pack(PACK)
    opening = open_beside(found, fast=VARIANT == "preheat_fast")
    question = read_golden(found)[0]
    SESSION = opening.session()
    wrong = difference(question.answers, SESSION.run(question.inputs), found.manifest.golden)
    if wrong:
        raise RuntimeError(wrong)

    def answer() -> int:
        return len(SESSION.run(question.inputs))

else:
    raise RuntimeError(f"BENCH_VARIANT must be a variant that runs in Lambda, was: {VARIANT!r}")


def handler(_event: Any, _context: Any) -> dict[str, int]:
    """What is measured is INIT and this first answer."""
    return {"answers": answer()}
