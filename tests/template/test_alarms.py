"""Which alarm watches which metric: one that the code emits, by the dimensions that it emits it with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from preheat.record import cold_start_line, quarantine_line

from tests.runtime.test_record import START
from tests.template.test_template import BRANCHES, of_type
from tests.template.translated import Template, translated
from warmer.adapters.targets import Found
from warmer.app import emf, summarise

NAMES = {
    "FunctionName": "preheat-recommend",
    "Resource": "preheat-recommend:live",
    "Warmer": "preheat-warmer",
}
WATCHED = {
    "ErrorsAlarm": ("AWS/Lambda", "Errors", "Sum"),
    "LatencyAlarm": ("AWS/Lambda", "Duration", "p99"),
    "ColdStartsAlarm": ("Preheat", "CustomerColdStarts", "Sum"),
    "QuarantineAlarm": ("Preheat", "QuarantinedModels", "Sum"),
}
AUTOMATIC = {("Errors", ("FunctionName", "Resource")), ("Duration", ("FunctionName", "Resource"))}
"""Lambda's own: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html"""


def emitted() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(metric, dimensions) of every line that the runtime and the warmer write."""
    lines = [
        cold_start_line(START, 0.0),
        quarantine_line("recommend", "a", "v", "why", 0.0),
        json.dumps(emf("warmer", summarise(0.0, Found((), {}), [], dry_run=False))),
    ]
    for line in map(json.loads, lines):
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "Preheat"
            for metric in directive["Metrics"]:
                assert metric["Name"] in line
                for dimensions in directive["Dimensions"]:
                    assert all(name in line for name in dimensions)
                    yield metric["Name"], tuple(dimensions)


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    return of_type(template, "AWS::CloudWatch::Alarm")


@pytest.mark.parametrize("parameters", BRANCHES)
def test_every_alarm_watches_what_its_page_says(parameters: dict[str, str]) -> None:
    found = {
        name: (alarm["Namespace"], alarm["MetricName"], alarm.get("Statistic") or alarm["ExtendedStatistic"])
        for name, alarm in alarms(translated(**parameters)).items()
    }
    assert found == WATCHED


def test_a_metric_that_is_watched_is_one_that_is_emitted_with_those_dimensions() -> None:
    own = set(emitted())
    for name, alarm in alarms(translated()).items():
        dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        known = AUTOMATIC if alarm["Namespace"] == "AWS/Lambda" else own
        assert (alarm["MetricName"], tuple(dimensions)) in known, name
        assert dimensions == {key: NAMES[key] for key in dimensions}, name


@pytest.mark.parametrize(
    ("parameter", "alarm"),
    [("ErrorLimit", "ErrorsAlarm"), ("LatencyLimit", "LatencyAlarm"), ("ColdStartLimit", "ColdStartsAlarm")],
)
def test_a_threshold_is_a_parameter(parameter: str, alarm: str) -> None:
    assert alarms(translated(**{parameter: "77"}))[alarm]["Threshold"] == "77"


def test_a_period_without_data_alarms_nobody_but_where_silence_is_the_alarm() -> None:
    missing = {name: alarm["TreatMissingData"] for name, alarm in alarms(translated()).items()}
    assert set(missing.values()) == {"notBreaching"}


def test_alarms_tell_the_topic_where_there_is_one() -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:ops"
    assert {tuple(a["AlarmActions"]) for a in alarms(translated(NotifyTopic=topic)).values()} == {(topic,)}
    assert not any("AlarmActions" in alarm for alarm in alarms(translated()).values())
