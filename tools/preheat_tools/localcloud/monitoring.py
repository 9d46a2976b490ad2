"""CloudWatch on virtual time: datapoints appear when they are due, and faults are met."""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import Any

from preheat_tools.localcloud.clock import Clock, CompressedTime
from preheat_tools.localcloud.faults import Faults
from preheat_tools.localcloud.measures import Metrics
from preheat_tools.localcloud.stack import Expected, Stack

EXPECTS = (
    Expected("services.cloudwatch:time"),
    Expected("services.cloudwatch:handle_request", "0e8a6c92a0"),
    Expected("services.cloudwatch:_get_metric_data", "bf6a8e1132"),
    Expected("services.cloudwatch:_evict_old_metrics", "cf47bc1522"),
    Expected("services.cloudwatch:_error", "9852285b57"),
)

_failing: ContextVar[str] = ContextVar("preheat_failing_queries", default="")


def install(stack: Stack, clock: Clock, metrics: Metrics, faults: Faults) -> None:
    """Virtual time for every timestamp that CloudWatch makes itself; what is not due yet is not shown."""
    cloudwatch = stack.cloudwatch
    cloudwatch.time = CompressedTime(clock)
    theirs, get_metric_data = cloudwatch.handle_request, cloudwatch._get_metric_data

    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        metrics.show_due()
        fault = faults.meeting("cloudwatch", body or b"")
        if fault is not None and fault.status:
            cbor = "cbor" in headers.get("content-type", "")
            text = "injected by the local cloud (/_preheat/fault)"
            return cloudwatch._error("InternalServiceFault", text, fault.status, not cbor, cbor)
        token = _failing.set(fault.match if fault is not None else "")
        try:
            return await theirs(method, path, headers, body, query)
        finally:
            _failing.reset(token)

    def get(params: Any, data: Any, is_cbor: Any, is_json: Any = False) -> Any:
        if match := _failing.get():
            data = {**data, "MetricDataQueries": [_failed(q, match) for q in data["MetricDataQueries"]]}
        return get_metric_data(params, data, is_cbor, is_json)

    cloudwatch.handle_request, cloudwatch._get_metric_data = handle, get


def _failed(query: dict[str, Any], match: str) -> dict[str, Any]:
    """A query that names the target, as one that CloudWatch answers `InternalError` (ministack: expressions)."""
    if match not in json.dumps(query, default=str):
        return query
    return {"Id": query["Id"], "Label": query.get("Label", query["Id"]), "Expression": "injected"}
