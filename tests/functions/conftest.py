"""The function, imported as Lambda does: from its own folder, with its settings in the environment."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from preheat import ModelHost

ROOT = Path(__file__).parents[2]
FUNCTION = ROOT / "functions/recommend"
TORCH_MODELS = ("short_form", "trending")


class Context:
    """What the handler and Powertools read of Lambda's context."""

    function_name = "recommend"
    function_version = "1"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:recommend:live"
    aws_request_id = "8ba0cd2f-6c8e-4b0d-8f3c-0a3a4b3a3b3a"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return loaded


def asking(body: object, model: str = "short_form", **changes: Any) -> dict[str, Any]:
    """A request for recommendations, as API Gateway hands it over."""
    path = {"path": f"/recommend/{model}", "pathParameters": {"model": model}}
    text = body if isinstance(body, str) else json.dumps(body)
    return event("api_recommend") | path | {"body": text} | changes


def infer(body: object, model: str = "short_form") -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return event("api_infer") | {"path": f"/v2/models/{model}/infer", "body": text}


def get(path: str, method: str = "GET") -> dict[str, Any]:
    return event("api_models") | {"path": path, "httpMethod": method, "resource": path}


def below_torch(request: dict[str, Any]) -> dict[str, Any]:
    """The request as the API's route /torch/{proxy+} hands it over."""
    if "path" not in request:  # of a function URL, which has no route before it
        return request
    path = request["path"]
    return request | {
        "path": f"/torch{path}",
        "resource": "/torch/{proxy+}",
        "pathParameters": {"proxy": path.lstrip("/")},
    }


@pytest.fixture(scope="session")
def torch_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image holds; the weights are drawn, since what they have learnt is no matter here."""
    import torch
    from preheat_tools.models import networks
    from preheat_tools.pack.torch_source import write_weights

    folder = tmp_path_factory.mktemp("torch")
    torch.manual_seed(1)
    (folder / "weights").mkdir()
    for name in TORCH_MODELS:
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


@dataclass(frozen=True, slots=True)
class App:
    """A function after its INIT, as Lambda has it: one that answers events, over its host of models."""

    HOST: ModelHost
    handler: Callable[[Any, Any], Any]


@pytest.fixture(
    scope="module", params=["recommend", pytest.param("recommend_torch", marks=pytest.mark.torch)]
)
def app(request: pytest.FixtureRequest) -> Iterator[App]:
    """Each function's `app.py` with its packs; to torch's, requests come as the API's route hands them over."""
    by_torch = request.param == "recommend_torch"
    folder = request.getfixturevalue("torch_package") if by_torch else FUNCTION
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PREHEAT_MODELS", str(folder / "models"))
        patch.setenv("POWERTOOLS_SERVICE_NAME", "recommend")
        try:
            module = importlib.import_module("app")
            assert Path(str(module.__file__)).parent == folder
            handler = module.handler
            yield App(
                module.HOST,
                (lambda event, context: handler(below_torch(event), context)) if by_torch else handler,
            )
        finally:
            for name in ("app", "recommendations", "catalogue", "networks"):
                sys.modules.pop(name, None)
