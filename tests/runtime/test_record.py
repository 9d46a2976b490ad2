"""The cold-start record has the form that Powertools' own metrics have, and no more than four metrics."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from preheat.ping import Level, ModelReport
from preheat.record import METRICS, ColdStart, cold_start_line, quarantine_line

START = ColdStart(
    environment="e",
    function="recommend",
    version="7",
    initialization="on-demand",
    waited="customer",
    import_ms=12.0,
    load_ms=34.5,
    first_answer_ms=0.7,
    init_ms=46.5,
    models={"a": ModelReport(level=Level.HOT, version="v", load_ms=30.0, first_answer_ms=0.7)},
)


def powertools_line(capsys: pytest.CaptureFixture[str], values: dict[str, float]) -> dict[str, Any]:
    metrics = EphemeralMetrics(namespace="Preheat")
    metrics.add_dimension("FunctionName", "recommend")
    for name, value in values.items():
        metrics.add_metric(name, unit=MetricUnit(METRICS[name]), value=value)
    metrics.flush_metrics()
    loaded: dict[str, Any] = json.loads(capsys.readouterr().out)
    return loaded


def without_service(line: dict[str, Any]) -> dict[str, Any]:
    """Powertools adds a dimension of its own where a service is named."""
    line.pop("service", None)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        directive["Dimensions"] = [
            [name for name in names if name != "service"] for names in directive["Dimensions"]
        ]
    return line


def test_the_record_is_what_powertools_would_have_written_with_properties_beside(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = json.loads(cold_start_line(START, 1_700_000_000.0))
    theirs = without_service(
        powertools_line(capsys, {"ColdStarts": 1.0, "CustomerColdStarts": 1.0, "InitTime": 46.5})
    )
    assert line["_aws"]["Timestamp"] == 1_700_000_000_000
    theirs["_aws"]["Timestamp"] = line["_aws"]["Timestamp"]
    assert {name: line[name] for name in theirs} == theirs


def test_phases_models_and_who_waited_are_properties() -> None:
    line = json.loads(cold_start_line(START, 0.0))
    assert line["phases"] == {"import_ms": 12.0, "load_ms": 34.5, "first_answer_ms": 0.7}
    assert line["models"] == {"a": {"level": "HOT", "load_ms": 30.0, "first_answer_ms": 0.7}}
    assert (line["record"], line["waited"], line["initialization"]) == ("cold_start", "customer", "on-demand")
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["FunctionName"]]


def test_there_are_at_most_four_metrics() -> None:
    lines = [cold_start_line(START, 0.0), quarantine_line("recommend", "a", "v", "why", 0.0)]
    named = {
        metric["Name"]
        for line in lines
        for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }
    assert named == METRICS.keys()
    assert len(named) <= 4


@pytest.mark.parametrize(
    ("kept", "names"),
    [
        ("full", ["ColdStarts", "CustomerColdStarts", "InitTime", "QuarantinedModels"]),
        ("lean", ["CustomerColdStarts", "QuarantinedModels"]),
        ("off", []),
    ],
)
def test_one_switch_emits_less_and_the_log_keeps_all(kept: str, names: list[str]) -> None:
    texts = (
        cold_start_line(START, 0.0, kept),
        quarantine_line("recommend", "a", "v", "why", 0.0, kept),
    )
    lines = [json.loads(text) for text in texts]
    told = [
        metric["Name"]
        for line in lines
        if "_aws" in line
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    ]
    assert told == names
    assert lines[0]["InitTime"] == [46.5] and lines[0]["customer_cold_start"] is True
    assert lines[1]["QuarantinedModels"] == [1.0]


def test_a_record_is_one_line() -> None:
    assert "\n" not in cold_start_line(START, 0.0)
