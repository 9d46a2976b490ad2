"""The function, imported as Lambda does: from its own folder, with its settings in the environment."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FUNCTION = ROOT / "functions/recommend"


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


@pytest.fixture(scope="module")
def app() -> Iterator[ModuleType]:
    """`functions/recommend/app.py` with the committed packs, its INIT done."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FUNCTION))
        patch.setenv("PREHEAT_MODELS", str(FUNCTION / "models"))
        patch.setenv("POWERTOOLS_SERVICE_NAME", "recommend")
        try:
            yield importlib.import_module("app")
        finally:
            for name in ("app", "recommendations", "catalogue"):
                sys.modules.pop(name, None)
