"""The Open Inference Protocol on a function: by events, and by tritonclient over HTTP."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from preheat import inference_protocol
from preheat.tensor import Tensor
from tritonclient.utils import InferenceServerException

from .conftest import App, Context, asking, event, get, infer

AREAS = 294
ROW = [0.0] * AREAS


def question(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "visited", "shape": [1, AREAS], "datatype": "FP32", "data": ROW} | changes]}


def answered(app: App, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    response = app.handler(event, Context())
    return response["statusCode"], json.loads(response["body"])


# ---- routes, on events as API Gateway sends them


def test_live_ready_and_the_server_itself(app: App) -> None:
    assert answered(app, event("api_live")) == (200, {"live": True})
    assert answered(app, event("api_ready")) == (200, {"ready": True})
    status, server = answered(app, event("api_v2"))
    assert (status, server["name"], server["extensions"]) == (200, "preheat", [])


def test_a_models_metadata_and_readiness_with_and_without_its_version(app: App) -> None:
    version = app.HOST["short_form"].manifest.version
    status, metadata = answered(app, event("api_model"))
    assert status == 200
    assert metadata["versions"] == [version]
    assert metadata["inputs"] == [{"name": "visited", "datatype": "FP32", "shape": [-1, AREAS]}]
    assert metadata["outputs"] == [{"name": "scores", "datatype": "FP32", "shape": [-1, AREAS]}]
    assert answered(app, get(f"/v2/models/short_form/versions/{version}")) == (200, metadata)
    assert answered(app, event("api_model_ready")) == (200, {"name": "short_form", "ready": True})
    assert answered(app, get(f"/v2/models/short_form/versions/{version}/ready"))[1]["ready"]


def test_inference_answers_the_tensor_asked_for(app: App) -> None:
    status, body = answered(app, infer(question() | {"id": "q7", "outputs": [{"name": "scores"}]}))
    assert status == 200
    assert (body["id"], body["model_name"]) == ("q7", "short_form")
    (scores,) = body["outputs"]
    assert (scores["name"], scores["datatype"], scores["shape"]) == ("scores", "FP32", [1, AREAS])
    assert math.isclose(sum(scores["data"]), 1.0, rel_tol=1e-4)


def test_data_may_be_nested_and_batched(app: App) -> None:
    flat = answered(app, infer(question(shape=[2, AREAS], data=ROW + ROW)))
    assert answered(app, infer(question(shape=[2, AREAS], data=[ROW, ROW]))) == flat
    assert flat[1]["outputs"][0]["shape"] == [2, AREAS]


def test_the_recorded_requests_are_answered(app: App) -> None:
    assert answered(app, event("api_infer"))[0] == 200


def test_a_function_url_and_an_http_api_with_a_stage_reach_the_same_routes(app: App) -> None:
    url = {"version": "2.0", "rawPath": "/v2/health/live", "requestContext": {"http": {"method": "GET"}}}
    assert answered(app, url) == (200, {"live": True})
    staged = {
        "rawPath": "/prod/v2/health/live",
        "requestContext": {"stage": "prod", "http": {"method": "GET"}},
    }
    assert answered(app, staged) == (200, {"live": True})


def test_a_base_path_of_a_custom_domain_may_come_before(app: App) -> None:
    handler = inference_protocol(app.HOST, prefix="/shop")(lambda event, context: "the handler's")
    assert handler(get("/shop/v2/health/live"), Context())["statusCode"] == 200
    assert handler(get("/shop/recommend/x"), Context()) == "the handler's"


BAD = [
    pytest.param(infer("{"), 400, "body", id="not-json"),
    pytest.param(infer("[]"), 400, "body", id="not-an-object"),
    pytest.param(infer("x" * ((1 << 20) + 1)), 413, "body", id="too-large-a-body"),
    pytest.param(infer(question(), "nobody"), 404, "model", id="unknown-model"),
    pytest.param(get("/v2/models/nobody"), 404, "model", id="metadata-of-an-unknown-model"),
    pytest.param(get("/v2/models/short_form/versions/9/ready"), 404, "version", id="unknown-version"),
    pytest.param(get("/v2/nothing"), 404, "path", id="no-such-route"),
    pytest.param(get("/v2/models/short_form/infer/more", "POST"), 404, "path", id="no-such-route-of-a-model"),
    pytest.param(get("/v2/models/short_form/infer"), 405, "method", id="infer-by-get"),
    pytest.param(get("/v2/health/live", "POST"), 405, "method", id="live-by-post"),
    pytest.param(infer({}), 422, "inputs", id="no-inputs"),
    pytest.param(infer({"inputs": [1]}), 422, "inputs", id="inputs-of-numbers"),
    pytest.param(infer(question(name="x")), 422, "inputs", id="unknown-input"),
    pytest.param(infer({"inputs": question()["inputs"] * 2}), 422, "inputs", id="an-input-twice"),
    pytest.param(infer(question(datatype="INT64")), 422, "inputs[0].datatype", id="wrong-type"),
    pytest.param(infer(question(shape=[AREAS])), 422, "inputs[0].shape", id="wrong-rank"),
    pytest.param(infer(question(shape=[1, 3], data=[1, 2, 3])), 422, "inputs[0].shape", id="wrong-width"),
    pytest.param(infer(question(shape=[0, AREAS], data=[])), 422, "inputs[0].shape", id="empty-batch"),
    pytest.param(infer(question(shape=[True, AREAS])), 422, "inputs[0].shape", id="a-size-that-is-true"),
    pytest.param(infer(question(shape="[1, 294]")), 422, "inputs[0].shape", id="a-shape-that-is-text"),
    pytest.param(infer(question(shape=[1025, AREAS])), 413, "inputs[0].shape", id="too-large-a-batch"),
    pytest.param(infer(question(data=ROW[1:])), 422, "inputs[0].data", id="too-few-values"),
    pytest.param(infer(question(data="0")), 422, "inputs[0].data", id="data-that-is-text"),
    pytest.param(infer(question(data=["0"] * AREAS)), 422, "inputs[0].data", id="values-that-are-text"),
    pytest.param(infer(question(data=[None] * AREAS)), 422, "inputs[0].data", id="values-that-are-null"),
    pytest.param(infer(question(data=[[0.0], 1])), 422, "inputs[0].data", id="nested-unevenly"),
    pytest.param(
        infer(json.dumps(question()).replace("0.0", "1e999", 1)), 422, "inputs[0].data", id="infinite"
    ),
    pytest.param(
        infer(question() | {"outputs": [{"name": "x"}]}), 422, "outputs[0].name", id="unknown-output"
    ),
    pytest.param(
        infer(question() | {"outputs": [{"name": "scores"}, {"name": "scores"}]}),
        422,
        "outputs[1].name",
        id="an-output-twice",
    ),
    pytest.param(infer(question(data=[10**400, *ROW[1:]])), 422, "inputs[0].data", id="beyond-any-float"),
    pytest.param(infer(question(data=[1e39, *ROW[1:]])), 422, "inputs[0].data", id="beyond-float32"),
    pytest.param(infer("/w==") | {"isBase64Encoded": True}, 400, "body", id="base64-of-no-utf-8"),
    pytest.param(infer(question() | {"outputs": 3}), 422, "outputs", id="outputs-a-number"),
    pytest.param(infer(question() | {"id": 3}), 422, "id", id="an-id-that-is-a-number"),
]


@pytest.mark.parametrize(("request_event", "status", "field"), BAD)
def test_bad_input_is_refused_and_reaches_no_model(
    app: App, monkeypatch: pytest.MonkeyPatch, request_event: dict[str, Any], status: int, field: str
) -> None:
    reached: list[str] = []
    monkeypatch.setattr(app.HOST, "answer", lambda model, inputs: reached.append(model.name))
    response = app.handler(request_event, Context())
    body = json.loads(response["body"])
    assert (response["statusCode"], body["status"], body["field"]) == (status, status, field)
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert body["error"].startswith(field)
    assert reached == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_answer_that_json_has_no_number_for_is_a_500(
    app: App, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    answer = {"scores": Tensor.of([value] * AREAS, "float32", (1, AREAS))}
    monkeypatch.setattr(app.HOST, "answer", lambda model, inputs: answer)
    for request in (infer(question()), asking({"visited": []})):
        status, body = answered(app, request)
        assert (status, body["status"]) == (500, 500)
        assert "scores is not finite" in body["detail"]


# ---- the real client


@pytest.fixture(scope="module")
def url(app: App) -> Iterator[str]:
    """An HTTP server that does what API Gateway does: requests into events, answers into responses."""

    class Gateway(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(b"")

        def do_POST(self) -> None:
            self.answer(self.rfile.read(int(self.headers["Content-Length"])))

        def answer(self, body: bytes) -> None:
            path = self.path.removeprefix("/live")
            request = get(path, self.command) | {"body": body.decode("latin-1") or None}
            request["headers"] = dict(self.headers.items())
            response = app.handler(request, Context())
            content = response["body"].encode()
            self.send_response(response["statusCode"])
            self.send_header("Content-Type", response["headers"]["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}/live"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def client(url: str) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(url)
    yield client
    client.close()


def visits(*columns: int) -> Any:
    row = np.zeros((1, AREAS), dtype=np.float32)
    row[0, list(columns)] = 1.0
    tensor = triton.InferInput("visited", row.shape, "FP32")
    tensor.set_data_from_numpy(row, binary_data=False)
    return tensor


def test_tritonclient_sees_the_server_and_its_models(app: App, client: triton.InferenceServerClient) -> None:
    version = app.HOST["short_form"].manifest.version
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("short_form")
    assert client.is_model_ready("short_form", version)
    assert not client.is_model_ready("nobody")
    assert client.get_server_metadata()["name"] == "preheat"
    assert client.get_model_metadata("short_form", version)["versions"] == [version]


def test_tritonclient_gets_the_models_own_answer(app: App, client: triton.InferenceServerClient) -> None:
    wanted = [triton.InferRequestedOutput("scores", binary_data=False)]
    result = client.infer("short_form", [visits(3, 8)], outputs=wanted, request_id="r1")
    row = np.zeros((1, AREAS), dtype=np.float32)
    row[0, [3, 8]] = 1.0
    expected = app.HOST["short_form"].run({"visited": row})["scores"].numpy()
    assert np.allclose(result.as_numpy("scores"), expected, rtol=1e-6)
    assert result.get_response()["id"] == "r1"
    version = app.HOST["short_form"].manifest.version
    again = client.infer("short_form", [visits(3, 8)], model_version=version)  # its default outputs
    assert np.allclose(again.as_numpy("scores"), expected, rtol=1e-6)


def test_tritonclient_is_told_why(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="no model 'nobody'"):
        client.infer("nobody", [visits()])
    short = triton.InferInput("visited", [1, 3], "FP32")
    short.set_data_from_numpy(np.zeros((1, 3), dtype=np.float32), binary_data=False)
    with pytest.raises(InferenceServerException, match=r"inputs\[0\].shape: must be \[-1, 294\]"):
        client.infer("short_form", [short])


def test_tritonclient_with_binary_tensors_is_told_to_ask_for_json(
    client: triton.InferenceServerClient,
) -> None:
    binary = triton.InferInput("visited", [1, AREAS], "FP32")
    binary.set_data_from_numpy(np.zeros((1, AREAS), dtype=np.float32))
    with pytest.raises(InferenceServerException, match="binary_data=False"):
        client.infer("short_form", [binary])
