"""The torch function, put together as its image is, in a process of its own: the same contract, no pickle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, asking, event, get, infer

pytestmark = pytest.mark.torch

MODELS = ("short_form", "trending")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image holds; the weights are drawn, since what they have learnt is no matter here."""
    import torch
    from preheat_tools.models import networks
    from preheat_tools.pack.torch_source import write_weights

    folder = tmp_path_factory.mktemp("torch")
    torch.manual_seed(1)
    (folder / "weights").mkdir()
    for name in MODELS:
        module = getattr(networks, name)()
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
        write_weights(module, folder / "weights" / f"{name}.safetensors")
    make = [sys.executable, "-m", "preheat_tools.models.torch_packs"]
    subprocess.run([*make, "--weights", folder / "weights", "--out", folder / "packs"], cwd=ROOT, check=True)
    into = folder / "package"
    package = ["make", "-s", "package", f"INTO={into}", f"PACKS={folder / 'packs'}"]
    subprocess.run(package, cwd=ROOT / "functions/recommend_torch", check=True)
    return into


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


def below_torch(request: dict[str, Any]) -> dict[str, Any]:
    """The request as the API's route /torch/{proxy+} hands it over."""
    path = request["path"]
    return request | {
        "path": f"/torch{path}",
        "resource": "/torch/{proxy+}",
        "pathParameters": {"proxy": path.lstrip("/")},
    }


def test_it_keeps_the_contract_of_recommend(package: Path) -> None:
    ping = event("warmup_ping")
    ping["preheat"] |= {"release_at_ms": 0, "models": {"short_form": "HOT"}}
    question = {"visited": [1008, 1034], "k": 3}
    pinged, asked, models, wrong, unknown = answers(
        package,
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
    assert {one["name"] for one in json.loads(models["body"])["models"]} == set(MODELS)
    assert wrong["statusCode"] == 422 and unknown["statusCode"] == 404


def test_it_answers_the_inference_protocol_with_the_golden_answer(package: Path) -> None:
    import numpy as np

    golden = np.load(package / "models/short_form/golden.npz")
    visited, expected = golden["0.in.visited"], golden["0.out.scores"]
    tensor = {"name": "visited", "datatype": "FP32", "shape": list(visited.shape), "data": visited.tolist()}
    metadata, inferred = answers(
        package, below_torch(get("/v2/models/short_form")), below_torch(infer({"inputs": [tensor]}))
    )
    assert json.loads(metadata["body"])["platform"] == "torch_fp32"
    (output,) = json.loads(inferred["body"])["outputs"]
    np.testing.assert_allclose(np.ravel(output["data"]), expected.ravel(), rtol=1e-4, atol=1e-7)


def test_a_weight_that_was_changed_is_never_served(package: Path) -> None:
    weights = package / "models/short_form/weights.safetensors"
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    try:
        refused, other = answers(
            package,
            below_torch(asking({"visited": [1008]})),
            below_torch(asking({"visited": [1008]}, model="trending")),
        )
    finally:
        weights.write_bytes(sound)
    assert refused["statusCode"] == 503 and "weights.safetensors" in json.loads(refused["body"])["detail"]
    assert other["statusCode"] == 200


def test_no_pack_holds_a_pickle(package: Path) -> None:
    kinds = {file.suffix for file in (package / "models").rglob("*") if file.is_file()}
    assert kinds <= {".json", ".safetensors", ".npz"}
