"""`POST /recommend/{model}` and `GET /models`, on events as API Gateway sends them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from .conftest import App, Context, asking, event, get


def answered(app: App, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    response = app.handler(event, Context())
    return response["statusCode"], json.loads(response["body"])


def test_visits_lead_to_titles_with_scores(app: App) -> None:
    status, body = answered(app, asking({"visited": [1008, 1034], "k": 3}))
    assert status == 200
    scores = [item["score"] for item in body["recommendations"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert all(isinstance(item["title"], str) for item in body["recommendations"])
    assert not {item["id"] for item in body["recommendations"]} & {1008, 1034}
    assert body["model"] == "short_form"
    assert body["version"] == app.HOST["short_form"].manifest.version


def test_an_area_may_be_named_by_id_or_title(app: App) -> None:
    by_id = answered(app, asking({"visited": [1008]}))
    assert answered(app, asking({"visited": ["free downloads"]})) == by_id
    assert by_id[0] == 200


def test_a_new_user_has_visited_nothing(app: App) -> None:
    status, body = answered(app, asking({"visited": []}))
    assert (status, len(body["recommendations"])) == (200, 5)


def test_a_body_may_come_in_base64(app: App) -> None:
    text = base64.b64encode(b'{"visited": [1008]}').decode()
    assert answered(app, asking(text, isBase64Encoded=True)) == answered(app, asking({"visited": [1008]}))


def test_the_recorded_request_is_answered(app: App) -> None:
    assert answered(app, event("api_recommend"))[0] == 200


def test_the_models_are_listed_with_level_and_version(app: App) -> None:
    status, body = answered(app, event("api_models"))
    listed = {model["name"]: model for model in body["models"]}
    assert status == 200
    assert listed.keys() == app.HOST.keys()
    assert listed["short_form"]["level"] == "HOT"
    assert listed["short_form"]["version"] == app.HOST["short_form"].manifest.version


BAD = [
    pytest.param(asking("{"), 400, "body", id="not-json"),
    pytest.param(asking(""), 400, "body", id="no-body"),
    pytest.param(asking([]), 400, "body", id="not-an-object"),
    pytest.param(asking('{"visited": [NaN]}'), 400, "body", id="not-a-json-number"),
    pytest.param(asking("[" * 100_000), 400, "body", id="nested-without-end"),
    pytest.param(asking("!", isBase64Encoded=True), 400, "body", id="not-base64"),
    pytest.param(asking("/w==", isBase64Encoded=True), 400, "body", id="base64-of-no-utf-8"),
    pytest.param(asking("eyJ2aXNpdGVkIjpbXX0", isBase64Encoded=True), 400, "body", id="base64-cut-short"),
    pytest.param(asking({"visited": []}, "nobody"), 404, "model", id="unknown-model"),
    pytest.param(asking({}), 422, "visited", id="no-visits"),
    pytest.param(asking({"visited": "1008"}), 422, "visited", id="visits-not-an-array"),
    pytest.param(asking({"visited": [1008, 7]}), 422, "visited[1]", id="unknown-id"),
    pytest.param(asking({"visited": ["nowhere"]}), 422, "visited[0]", id="unknown-title"),
    pytest.param(asking({"visited": [True]}), 422, "visited[0]", id="an-area-that-is-true"),
    pytest.param(asking({"visited": [1008.5]}), 422, "visited[0]", id="an-area-that-is-a-fraction"),
    pytest.param(asking({"visited": [], "k": 0}), 422, "k", id="k-too-small"),
    pytest.param(asking({"visited": [], "k": 21}), 422, "k", id="k-too-large"),
    pytest.param(asking({"visited": [], "k": "5"}), 422, "k", id="k-a-word"),
    pytest.param(asking({"visited": [], "k": True}), 422, "k", id="k-true"),
    pytest.param(asking({"visited": [], "n": 1}), 422, "n", id="unknown-field"),
    pytest.param(asking({"visited": [1008] * 1001}), 413, "visited", id="too-many-visits"),
    pytest.param(asking('"' + "x" * (1 << 20) + '"'), 413, "body", id="too-large-a-body"),
    pytest.param(get("/nowhere"), 404, "path", id="no-such-route"),
    pytest.param(get("/recommend/short_form"), 404, "path", id="no-such-method"),
    pytest.param(event("api_ping_shaped"), 422, "preheat", id="a-forged-ping"),
]


@pytest.mark.parametrize(("request_event", "status", "field"), BAD)
def test_bad_input_is_refused_and_reaches_no_model(
    app: App, monkeypatch: pytest.MonkeyPatch, request_event: dict[str, Any], status: int, field: str
) -> None:
    reached: list[str] = []
    monkeypatch.setattr(app.HOST, "answer", lambda model, inputs: reached.append(model.name))
    response = app.handler(request_event, Context())
    body = json.loads(response["body"])
    kind = response.get("headers") or response["multiValueHeaders"]
    assert (response["statusCode"], body["status"], body["field"]) == (status, status, field)
    assert "application/problem+json" in str(kind["Content-Type"])
    assert body["title"]
    assert body["detail"]
    assert reached == []
