"""Which alarm watches which metric: one that the code emits, by the dimensions that it emits it with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml
from preheat.record import cold_start_line, quarantine_line
from preheat_tools.metric_math import evaluate

from tests.runtime.test_record import START
from tests.template.test_template import BRANCHES, of_type, warms
from tests.template.translated import TEMPLATE, Template, translated
from warmer.adapters.targets import Found
from warmer.app import summarise
from warmer.gate import Verdict
from warmer.metrics import emf
from warmer.policy.outcomes import Outcome
from warmer.policy.values import Prices, Reason, Target
from warmer.preflight import Environment, _record

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
    "ObjectiveAlarm": ("Preheat", "CustomerColdStarts", "Sum", "AWS/Lambda", "Invocations", "Sum"),
    "WarmerSilentAlarm": ("AWS/Lambda", "Invocations", "Sum"),
    "BudgetAlarm": ("Preheat", "BudgetUsed", "Maximum"),
    "ProvisionedFailedAlarm": ("Preheat", "ProvisionedFailed", "Sum"),
}
OF_THE_WARMER = {"WarmerSilentAlarm", "BudgetAlarm", "ProvisionedFailedAlarm"}
METRIC_USD, ALARM_USD = 0.30, 0.10
"""A month, us-east-1, an alarm for each metric that it watches: https://aws.amazon.com/cloudwatch/pricing/"""
OWN, BY_ALIAS = ("FunctionName",), ("FunctionName", "Resource")
AUTOMATIC = {
    *((name, OWN) for name in ("Duration", "Invocations")),
    *((name, BY_ALIAS) for name in ("Duration", "Invocations", "Errors", "ConcurrentExecutions")),
    *((f"ProvisionedConcurren{name}", BY_ALIAS) for name in ("tExecutions", "cyUtilization")),
}
"""Lambda's own: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html"""


def emitted(kept: str = "full") -> Iterator[tuple[str, tuple[str, ...]]]:
    """(metric, dimensions) of every line that the runtime and the warmer write."""
    spent = Outcome(target=Target("a", "live"), at_s=0.0, reason=Reason.BUDGET, budget_used=0.9)
    lines = [
        cold_start_line(START, 0.0, kept),
        quarantine_line("recommend", "a", "v", "why", 0.0, kept),
        json.dumps(emf("warmer", summarise(0.0, Found((), {}), [spent], dry_run=False), kept)),
    ]
    for line in map(json.loads, lines):
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            assert directive["Namespace"] == "Preheat"
            for metric in directive["Metrics"]:
                assert metric["Name"] in line
                for dimensions in directive["Dimensions"]:
                    assert all(name in line for name in dimensions)
                    yield metric["Name"], tuple(dimensions)


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    return of_type(template, "AWS::CloudWatch::Alarm")


def watched(alarm: dict[str, Any]) -> Iterator[tuple[str, str, tuple[dict[str, str], ...], str]]:
    """(namespace, metric, dimensions, statistic) of each metric that an alarm watches."""
    if "Metrics" not in alarm:
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        yield alarm["Namespace"], alarm["MetricName"], tuple(alarm["Dimensions"]), statistic
    for stat in (query["MetricStat"] for query in alarm.get("Metrics", ()) if "MetricStat" in query):
        metric = stat["Metric"]
        yield metric["Namespace"], metric["MetricName"], tuple(metric["Dimensions"]), stat["Stat"]


@pytest.mark.parametrize("parameters", BRANCHES)
def test_every_alarm_watches_what_its_page_says(parameters: dict[str, str]) -> None:
    found = {
        name: tuple(part for space, metric, _, stat in watched(alarm) for part in (space, metric, stat))
        for name, alarm in alarms(translated(**parameters)).items()
    }
    assert found == {
        name: said
        for name, said in WATCHED.items()
        if (warms(parameters) or name not in OF_THE_WARMER)
        and (parameters.get("Metrics") != "off" or said[0] != "Preheat")
    }


def test_a_metric_that_is_watched_is_one_that_is_emitted_with_those_dimensions() -> None:
    own = set(emitted(kept="lean"))  # the least that is emitted where these alarms are
    for name, alarm in alarms(translated(Metrics="lean")).items():
        for space, metric, named, _ in watched(alarm):
            dimensions = {one["Name"]: one["Value"] for one in named}
            known = AUTOMATIC if space == "AWS/Lambda" else own
            assert (metric, tuple(dimensions)) in known, name
            warmers = "preheat-warmer" if name in OF_THE_WARMER else "preheat-recommend"
            assert dimensions == {key: {**NAMES, "FunctionName": warmers}[key] for key in dimensions}, name


@pytest.mark.parametrize(
    ("parameter", "alarm"),
    [
        ("ErrorLimit", "ErrorsAlarm"),
        ("LatencyLimit", "LatencyAlarm"),
        ("ColdStartLimit", "ColdStartsAlarm"),
        ("ColdStartPercent", "ObjectiveAlarm"),
    ],
)
def test_a_threshold_is_a_parameter(parameter: str, alarm: str) -> None:
    assert alarms(translated(**{parameter: "77"}))[alarm]["Threshold"] == "77"


@pytest.mark.parametrize(
    ("cold", "invocations", "percent"),
    [
        pytest.param(5, 10, 0.0, id="a-quiet-night"),
        pytest.param(6, 10, 60.0, id="more-than-a-few"),
        pytest.param(300, 100_000, 0.3, id="many-of-many"),
    ],
)
def test_the_objective_is_a_share_of_the_invocations_once_there_are_a_few(
    cold: float, invocations: float, percent: float
) -> None:
    alarm = alarms(translated(ColdStartsAnHour="5"))["ObjectiveAlarm"]
    (expression,) = (one["Expression"] for one in alarm["Metrics"] if one.get("ReturnData"))
    identifiers = [one["Id"] for one in alarm["Metrics"] if "MetricStat" in one]
    series = dict(zip(identifiers, ({0.0: cold}, {0.0: invocations}), strict=True))
    assert evaluate(expression, series, period_s=3600, until_s=3600) == {0.0: pytest.approx(percent)}


def test_a_period_without_data_alarms_nobody_but_where_silence_is_the_alarm() -> None:
    missing = {name: alarm["TreatMissingData"] for name, alarm in alarms(translated()).items()}
    assert missing.pop("WarmerSilentAlarm") == "breaching"
    assert missing.pop("BudgetAlarm") == "ignore"  # no target with a budget was looked at
    assert set(missing.values()) == {"notBreaching"}


def test_the_warmer_is_missed_after_three_cycles() -> None:
    alarm = alarms(translated(WarmerRate="rate(5 minutes)", WarmerPeriod="300"))["WarmerSilentAlarm"]
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Threshold"]) == ("300", 3, 1)


def test_a_warmer_that_is_switched_off_is_not_missed() -> None:
    for parameters in ({"WarmerState": "DISABLED"}, {"Strategy": "Off"}):
        assert not OF_THE_WARMER & alarms(translated(**parameters)).keys()


@pytest.mark.parametrize("metrics", ["full", "lean", "off"])
def test_one_switch_emits_less_and_its_price_is_what_the_parameter_says(metrics: str) -> None:
    template = translated(Metrics=metrics)
    for function, variable in (("Recommend", "PREHEAT_METRICS"), ("Warmer", "WARMER_METRICS")):
        variables = template["Resources"][function]["Properties"]["Environment"]["Variables"]
        assert variables[variable] == metrics
    watches = sum(len(list(watched(alarm))) for alarm in alarms(template).values())
    usd = METRIC_USD * len(set(emitted(metrics))) + ALARM_USD * watches
    says = cfn_yaml.load(str(TEMPLATE))["Parameters"]["Metrics"]["Description"]
    (said,) = re.findall(rf"{metrics} - [^;]*?\(\$(\d+\.\d\d)", says)
    assert usd == pytest.approx(float(said))
    assert ("Dashboard" in template["Resources"]) == (metrics == "full")


def test_no_function_emits_more_than_four() -> None:
    by_dimension: dict[tuple[str, ...], set[str]] = {}
    for name, dimensions in emitted():
        by_dimension.setdefault(dimensions, set()).add(name)
    assert {dimensions: len(names) for dimensions, names in by_dimension.items()} == {
        ("FunctionName",): 4,
        ("Warmer",): 4,
    }


def test_the_rollback_without_own_metrics_is_by_lambdas() -> None:
    (group,) = of_type(translated(Metrics="off"), "AWS::CodeDeploy::DeploymentGroup").values()
    named = {alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]}
    assert named == {"ErrorsAlarm", "LatencyAlarm"}


def widgets(**parameters: str) -> list[dict[str, Any]]:
    (board,) = of_type(translated(**parameters), "AWS::CloudWatch::Dashboard").values()
    body = board["DashboardBody"]
    text = body if isinstance(body, str) else body["Fn::Sub"]
    return list(json.loads(text)["widgets"])


def test_the_dashboard_has_its_six_pictures_and_only_metrics_that_there_are() -> None:
    own, titles = set(emitted()), []
    for widget in widgets():
        properties = widget["properties"]
        titles.append(properties["title"])
        for row in properties.get("metrics", ()):
            if isinstance(row[0], dict):
                continue
            namespace, name, *rest = [part for part in row if isinstance(part, str)]
            dimensions = dict(zip(rest[::2], rest[1::2], strict=True))
            known = AUTOMATIC if namespace == "AWS/Lambda" else own
            assert (name, tuple(dimensions)) in known, row
    assert len(titles) == 6


def test_every_expression_of_the_dashboard_is_of_rows_beside_it() -> None:
    for widget in widgets():
        rows = widget["properties"].get("metrics", [])
        identifiers = {row[-1]["id"] for row in rows if "id" in row[-1]}
        for row in rows:
            if isinstance(row[0], dict):
                assert set(re.findall(r"[a-z]+", row[0]["expression"])) <= identifiers


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_the_dashboards_prices_are_those_of_the_policy(architecture: str) -> None:
    prices, text = Prices.of(architecture), json.dumps(widgets(Architecture=architecture))
    assert f"/ 1024 * {prices.on_demand_gb_s:.10f}" in text
    assert f"/ 1024 * {prices.provisioned_gb_s:.10f}" in text
    assert f"calls * {prices.request:.7f}" in text


def test_the_dashboard_asks_the_logs_for_fields_that_are_logged() -> None:
    outcome = Outcome(target=Target("a", "live"), at_s=0.0, reason=Reason.FLOOR, levels={"m": {"HOT": 2}})
    record = outcome.to_record()
    queries = [w["properties"]["query"] for w in widgets() if w["type"] == "log"]
    models, deployments = sorted(queries, key=lambda query: "preflight" in query)
    assert record["event"] == "plan" and {"target", "reached", "levels"} <= record.keys()
    served = {folder.name for folder in (TEMPLATE.parent / "functions/recommend/models").iterdir()}
    assert set(re.findall(r"levels\.(\w+)\.HOT", models)) == served
    environment = Environment.of({"PREFLIGHT_VERSION": "f:1"})
    logged = _record(environment, Verdict(doubts=(), table=()))
    fields = deployments.partition("fields ")[2].partition(" |")[0].split(", ")
    assert {name.partition(".")[0] for name in fields} <= logged.keys() | {"@timestamp"}


def test_alarms_tell_the_topic_where_there_is_one() -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:ops"
    assert {tuple(a["AlarmActions"]) for a in alarms(translated(NotifyTopic=topic)).values()} == {(topic,)}
    assert not any("AlarmActions" in alarm for alarm in alarms(translated()).values())
