"""The torch function, put together as its image is, in a process of its own: the same contract, no pickle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import TORCH_MODELS, asking, below_torch, event, get, infer

pytestmark = pytest.mark.torch


def answers(package: Path, *events: Any) -> list[dict[str, Any]]:
    """INIT in a fresh interpreter that sees the package and what is installed, then one event after another."""
    script = f"""
import json, sys
sys.path[:0] = [{str(package)!r}]
import preheat
assert preheat.__file__.startswith({str(package)!r})
class Context:
    function_name, function_version, memory_limit_in_mb = "recommend-torch", "1", 1769
    invoked_function_arn, aws_request_id = "arn:aws:lambda:eu-west-1:1:function:recommend-torch:live", "r"
    def get_remaining_time_in_millis(self): return 29000
from app import handler
for line in sys.stdin:
    print("#answer", json.dumps(handler(json.loads(line), Context())), flush=True)
"""
    variables = {"PATH": "/usr/bin:/bin", "LAMBDA_TASK_ROOT": str(package), "POWERTOOLS_SERVICE_NAME": "r"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="\n".join(map(json.dumps, events)),
        env=variables,
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line[8:]) for line in done.stdout.splitlines() if line.startswith("#answer ")]


def test_it_keeps_the_contract_of_recommend(torch_package: Path) -> None:
    ping = event("warmup_ping")
    ping["preheat"] |= {"release_at_ms": 0, "models": {"short_form": "HOT"}}
    question = {"visited": [1008, 1034], "k": 3}
    pinged, asked, models, wrong, unknown = answers(
        torch_package,
        ping,
        below_torch(asking(question)),
        below_torch(get("/models")),
        below_torch(asking({"visited": [1008], "k": 0})),
        below_torch(asking(question, model="nobody")),
    )
    assert pinged["preheat"]["models"]["short_form"]["level"] == "HOT"
    body = json.loads(asked["body"])
    assert asked["statusCode"] == 200 and len(body["recommendations"]) == 3
    assert not {one["id"] for one in body["recommendations"]} & set(question["visited"])
    assert {one["name"] for one in json.loads(models["body"])["models"]} == set(TORCH_MODELS)
    assert wrong["statusCode"] == 422 and unknown["statusCode"] == 404


def test_it_answers_the_inference_protocol_with_the_golden_answer(torch_package: Path) -> None:
    import numpy as np

    golden = np.load(torch_package / "models/short_form/golden.npz")
    visited, expected = golden["0.in.visited"], golden["0.out.scores"]
    tensor = {"name": "visited", "datatype": "FP32", "shape": list(visited.shape), "data": visited.tolist()}
    metadata, inferred = answers(
        torch_package, below_torch(get("/v2/models/short_form")), below_torch(infer({"inputs": [tensor]}))
    )
    assert json.loads(metadata["body"])["platform"] == "torch_fp32"
    (output,) = json.loads(inferred["body"])["outputs"]
    np.testing.assert_allclose(np.ravel(output["data"]), expected.ravel(), rtol=1e-4, atol=1e-7)


def test_a_weight_that_was_changed_is_never_served(torch_package: Path) -> None:
    weights = torch_package / "models/short_form/weights.safetensors"
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    try:
        refused, other = answers(
            torch_package,
            below_torch(asking({"visited": [1008]})),
            below_torch(asking({"visited": [1008]}, model="trending")),
        )
    finally:
        weights.write_bytes(sound)
    assert refused["statusCode"] == 503 and "weights.safetensors" in json.loads(refused["body"])["detail"]
    assert other["statusCode"] == 200


def test_no_pack_holds_a_pickle(torch_package: Path) -> None:
    kinds = {file.suffix for file in (torch_package / "models").rglob("*") if file.is_file()}
    assert kinds <= {".json", ".safetensors", ".npz"}
