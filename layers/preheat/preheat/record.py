"""The cold-start record: one line of CloudWatch's embedded metric format, written by hand.

Powertools would cost 44 ms of imports for it; a test holds the form against Powertools' own output. Phases and models
are properties, searchable in the log; metrics are four, since each is billed by the month.
"""

from __future__ import annotations

from preheat.frozen import Frozen
from preheat.life import CUSTOMER, NOBODY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from preheat.ping import ModelReport

NAMESPACE = "Preheat"
METRICS = {
    "ColdStarts": "Count",
    "CustomerColdStarts": "Count",
    "InitTime": "Milliseconds",
    "QuarantinedModels": "Count",
}
KEPT = {
    "full": frozenset(METRICS),
    "lean": frozenset({"CustomerColdStarts", "QuarantinedModels"}),  # what alarms watch
    "off": frozenset[str](),
}
"""What PREHEAT_METRICS allows, and which metrics each keeps; the values stay in the log line as properties."""


class ColdStart(Frozen):
    """How one environment came to be; times in ms."""

    environment: str
    function: str
    version: str
    initialization: str
    waited: str
    """`customer`, `ping` or `nobody`: INIT was done before any invocation came."""
    import_ms: float
    """From the start of the process until the host began."""
    load_ms: float
    """All models of INIT together, side by side."""
    first_answer_ms: float
    """The slowest first golden answer among them."""
    init_ms: float
    models: Mapping[str, ModelReport]


def cold_start_line(start: ColdStart, now_s: float, kept: str = "full") -> str:
    """The record of an environment. Only one that a customer waited for has the property `customer_cold_start`,
    for a subscription filter to match: `{ $.customer_cold_start IS TRUE }`."""
    customer = start.waited == CUSTOMER
    values = {
        "ColdStarts": float(start.waited != NOBODY),
        "CustomerColdStarts": float(customer),
        "InitTime": start.init_ms,
    }
    marker = {"customer_cold_start": True} if customer else {}
    properties = {
        "record": "cold_start",
        **marker,
        "waited": start.waited,
        "environment": start.environment,
        "version": start.version,
        "initialization": start.initialization,
        "phases": {
            "import_ms": start.import_ms,
            "load_ms": start.load_ms,
            "first_answer_ms": start.first_answer_ms,
        },
        "models": {name: _model(report) for name, report in start.models.items()},
    }
    return _line(start.function, now_s, values, properties, kept)


def quarantine_line(  # noqa: PLR0917
    function: str, model: str, version: str, reason: str, now_s: float, kept: str = "full"
) -> str:
    """A model that failed, in INIT or later."""
    properties = {"record": "quarantine", "model": model, "version": version, "reason": reason}
    return _line(function, now_s, {"QuarantinedModels": 1.0}, properties, kept)


def _line(
    function: str, now_s: float, values: Mapping[str, float], properties: Mapping[str, Any], kept: str
) -> str:
    import json

    metrics = [{"Name": name, "Unit": METRICS[name]} for name in values if name in KEPT[kept]]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": metrics}
    head = {"Timestamp": int(now_s * 1e3), "CloudWatchMetrics": [directive]}
    body = {
        **({"_aws": head} if metrics else {}),
        "FunctionName": function,
        **properties,
        **{name: [round(value, 3)] for name, value in values.items()},
    }
    return json.dumps(body, separators=(",", ":"))


def _model(report: ModelReport) -> dict[str, Any]:
    times = {"load_ms": report.load_ms, "first_answer_ms": report.first_answer_ms}
    return {"level": report.level.name, **times} | ({"problem": report.problem} if report.problem else {})
