"""The Open Inference Protocol (KServe's version 2) over a host's models, for any function by one line.

@answers_pings(HOST)
@inference_protocol(HOST)
def handler(event, context): ...
"""

from __future__ import annotations

from functools import wraps

from preheat.api_event import api_request, json_response, parsed
from preheat.inference_json import input_tensors, output_json, output_names, tensor_metadata
from preheat.ping import Level
from preheat.problems import FAILURES, Problem, problem_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from preheat.api_event import ApiRequest
    from preheat.host import ModelHost
    from preheat.served import Served

    Handler = Callable[[Any, Any], Any]

BINARY_HEADER = "inference-header-content-length"
"""Sent with tensors in binary: the protocol's binary tensor data extension."""
SERVER = {"name": "preheat", "version": "0.1.0", "extensions": []}


def inference_protocol(host: ModelHost, prefix: str = "") -> Callable[[Handler], Handler]:
    """Decorate a Lambda handler: requests below /v2 are answered here, all others by the handler.

    `prefix` is what a custom domain's base path mapping puts before it, as `/shop`.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def answering(event: Any, context: Any) -> Any:
            request = api_request(event, prefix)
            if request is None or (request.path != "/v2" and not request.path.startswith("/v2/")):
                return handler(event, context)
            try:
                return json_response(*answer(host, request))
            except (Problem, *FAILURES) as failure:
                problem = problem_of(failure)
                return json_response(problem.status, problem.document())

        return answering

    return decorate


def answer(host: ModelHost, request: ApiRequest) -> tuple[int, dict[str, Any]]:
    """Status and body of one of the protocol's routes; raises Problem and what the host raises."""
    match request.path.strip("/").split("/")[1:]:
        case []:
            _only("GET", request)
            return 200, SERVER
        case ["health", "live"]:
            _only("GET", request)
            return 200, {"live": True}
        case ["health", "ready"]:
            _only("GET", request)
            return _ready(host)
        case ["models", name, *rest]:
            return _model_route(host, name, rest, request)
    raise Problem(404, f"no such route: {request.path:.100}", "path")


def _model_route(
    host: ModelHost, name: str, rest: list[str], request: ApiRequest
) -> tuple[int, dict[str, Any]]:
    model = host[name]
    if rest[:1] == ["versions"] and len(rest) > 1:
        if rest[1] != model.manifest.version:
            raise Problem(404, f"{name} has version {model.manifest.version}, was: {rest[1]:.60}", "version")
        rest = rest[2:]
    match rest:
        case []:
            _only("GET", request)
            return 200, _metadata(model)
        case ["ready"]:
            _only("GET", request)
            return _model_ready(name, model)
        case ["infer"]:
            _only("POST", request)
            return 200, _infer(name, model, request)
    raise Problem(404, f"no such route: {request.path:.100}", "path")


def _only(method: str, request: ApiRequest) -> None:
    if request.method != method:
        raise Problem(405, f"{request.path:.100} takes {method}, was: {request.method}", "method")


def _ready(host: ModelHost) -> tuple[int, dict[str, Any]]:
    if unready := host.unready():
        reasons = "; ".join(f"{name}: {reason}" for name, reason in unready.items())
        return 503, Problem(503, reasons).document() | {"ready": False}
    return 200, {"ready": True}


def _model_ready(name: str, model: Served) -> tuple[int, dict[str, Any]]:
    if model.problem or model.level < Level.HOT:
        reason = model.problem or f"{model.level.name}, not HOT: its first request will make it so"
        return 503, Problem(503, reason, "model").document() | {"name": name, "ready": False}
    return 200, {"name": name, "ready": True}


def _metadata(model: Served) -> dict[str, Any]:
    manifest = model.manifest
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": f"{manifest.engine}_{manifest.precision}",
        "inputs": [tensor_metadata(spec) for spec in manifest.inputs],
        "outputs": [tensor_metadata(spec) for spec in manifest.outputs],
    }


def _infer(name: str, model: Served, request: ApiRequest) -> dict[str, Any]:
    if BINARY_HEADER in request.headers:
        raise Problem(400, "tensors must be JSON: ask your client for it (binary_data=False)", "body")
    body = parsed(request.body)
    inputs = input_tensors(body, model.manifest)
    wanted = output_names(body, model.manifest)
    if not isinstance(body.get("id", ""), str):
        raise Problem(422, f"must be a string, was: {body['id']!r:.60}", "id")
    outputs = model.run(inputs)
    answer = {
        "model_name": name,
        "model_version": model.manifest.version,
        "outputs": [output_json(output, outputs[output]) for output in wanted],
    }
    return answer | ({"id": body["id"]} if "id" in body else {})
