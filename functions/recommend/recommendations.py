"""What the function answers beside the inference protocol, with Powertools' REST resolver."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from catalogue import Catalogue
from preheat import ModelHost
from preheat.api_event import api_request, parsed
from preheat.inference_json import finite_values
from preheat.problems import CONTENT_TYPE, FAILURES, Problem, problem_of
from preheat.tensor import Tensor

MOST_RECOMMENDED = 20
MOST_VISITED = 1000
DEFAULT_K = 5

CATALOGUE = Catalogue.read(Path(__file__).with_name("areas.json"))


def resolver(host: ModelHost) -> APIGatewayRestResolver:
    """The routes over a host's models."""
    app = APIGatewayRestResolver()

    @app.post("/recommend/<model>")
    def recommend(model: str) -> dict[str, Any]:
        served = host[model]
        request = api_request(app.current_event.raw_event)
        visited, k = _question(request.body if request else b"")
        scores = finite_values("scores", served.run({"visited": _row(visited)})["scores"])
        best = sorted(set(range(len(scores))) - set(visited), key=lambda column: -scores[column])[:k]
        return {
            "model": model,
            "version": served.manifest.version,
            "recommendations": [
                {**CATALOGUE.areas[column]._asdict(), "score": round(scores[column], 6)} for column in best
            ],
        }

    @app.get("/models")
    def models() -> dict[str, Any]:
        shares = {name: served.manifest.traffic_share for name, served in host.items()}
        return {
            "models": [
                {"name": name, "version": report.version, "level": report.level.name}
                | {"traffic_share": shares.get(name, 0.0), "problem": report.problem}
                for name, report in host.report().items()
            ]
        }

    @app.not_found
    def no_route(_error: Exception) -> Response[str]:
        event = app.current_event
        return _refused(Problem(404, f"no such route: {event.http_method} {event.path:.100}", "path"))

    @app.exception_handler([Problem, *FAILURES])
    def refused(failure: Exception) -> Response[str]:
        return _refused(problem_of(failure))

    @app.exception_handler(Exception)
    def failed(failure: Exception) -> Response[str]:
        traceback.print_exception(failure, file=sys.stderr)
        return _refused(Problem(500, "the request failed; its traceback is in the function's log"))

    return app


def _question(body: bytes) -> tuple[list[int], int]:
    """The columns of the areas visited and how many are wanted; Problem 400, 413 or 422 names the field."""
    question = parsed(body)
    if not isinstance(question, dict):
        raise Problem(400, "the body must be an object", "body")
    if unknown := sorted(question.keys() - {"visited", "k"}):
        raise Problem(422, "no such field; there are visited and k", unknown[0][:60])
    visited = question.get("visited")
    if not isinstance(visited, list):
        raise Problem(422, f"must be an array of areas, was: {visited!r:.60}", "visited")
    if len(visited) > MOST_VISITED:
        raise Problem(413, f"may name {MOST_VISITED} areas, was: {len(visited)}", "visited")
    k = question.get("k", DEFAULT_K)
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST_RECOMMENDED:
        raise Problem(422, f"must be a whole number from 1 to {MOST_RECOMMENDED}, was: {k!r:.60}", "k")
    return CATALOGUE.columns(visited), k


def _row(columns: list[int]) -> Tensor:
    """One user's visits, float32 (1, areas)."""
    row = [0.0] * len(CATALOGUE.areas)
    for column in columns:
        row[column] = 1.0
    return Tensor.of(row, "float32", (1, len(row)))


def _refused(problem: Problem) -> Response[str]:
    return Response(
        status_code=problem.status, content_type=CONTENT_TYPE, body=json.dumps(problem.document())
    )
