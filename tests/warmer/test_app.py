"""The handler over its real adapters: moto for the control plane, the stand-in for the functions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.credentials import Credentials
from preheat_tools.bench.stand_in import Response, StandIn

from tests.warmer.local_lambda import serving
from warmer.adapters.invocation import LambdaEndpoint
from warmer.adapters.pings import LambdaPinger
from warmer.adapters.told import ToldColdStarts
from warmer.app import Environment, Warmer, scheduled_s, tick
from warmer.policy.values import Target
from warmer.settings import SettingError

EVENTS = Path(__file__).parents[2] / "events"
VARIABLES = {"WARMER_TABLE": "histories", "WARMER_TARGETS": "a:live,b:live", "WARMER_SETTINGS": "/warmer"}
EVENT = json.loads((EVENTS / "schedule_cycle.json").read_text())
MINUTE_LATER = {"scheduled_time": "2026-11-24T13:51:00Z"}


@dataclass
class Context:
    aws_request_id: str = "run-1"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture
def far() -> StandIn:
    return StandIn()


@pytest.fixture
def url(far: StandIn) -> Iterator[str]:
    with serving(far) as url:
        yield url


@pytest.fixture
def make(aws: boto3.Session, table: str, deploy: Any, url: str) -> Any:
    """A warmer of two deployed functions that are to have two environments whatever the policy thinks."""
    deploy("a")
    deploy("b")
    put_settings(aws, '{"floor": 2}')

    def warmer(**variables: str) -> Warmer:
        this = Warmer(Environment.of({**VARIABLES, **variables}), aws)
        this.pinger = LambdaPinger(LambdaEndpoint(url, "eu-west-1", Credentials("x", "y")))
        return this

    return warmer


def put_settings(aws: boto3.Session, text: str) -> None:
    aws.client("ssm").put_parameter(Name="/warmer", Type="String", Value=text, Overwrite=True)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def plans(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    return {line["target"]: line for line in lines(capsys) if line["event"] == "plan"}


def test_a_cycle_warms_every_target_and_logs_each_plan(
    make: Any, far: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = tick(make(), EVENT, Context())
    assert summary["looked_at"] == 2 and summary["problems"] == {}
    assert summary["pings"] > 0 and summary["reached"] == summary["pings"] == len(far.arrivals_s)
    logged = lines(capsys)
    assert [line["event"] for line in logged] == ["plan", "plan", "cycle"]
    for line in logged[:2]:
        assert line["reason"] and line["run"] == "run-1" and not line["dry_run"]
        assert {"cost_usd", "cold_starts", "cost_without_usd", "reached", "pings", "basis"} <= line.keys()


def test_the_cycle_is_of_the_instant_that_the_schedule_names(make: Any) -> None:
    assert tick(make(), EVENT, Context())["at_s"] == datetime(2026, 11, 24, 13, 50, tzinfo=UTC).timestamp()


def test_the_same_event_delivered_twice_warms_once(make: Any, far: StandIn) -> None:
    first = make()
    tick(first, EVENT, Context())
    sent = len(far.arrivals_s)
    again = make()  # another environment, which remembers nothing itself
    summary = tick(again, EVENT, Context("run-2"))
    assert len(far.arrivals_s) == sent
    assert all("duplicate delivery" in problem for problem in summary["problems"].values())


def test_an_error_in_one_target_stays_there(
    make: Any, far: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    far.misbehave = lambda function, event: Response(500, {"Message": "no"}) if function == "a" else None
    summary = tick(make(), EVENT, Context())
    assert set(summary["problems"]) == {"a:live"} and "HTTP 500" in summary["problems"]["a:live"]
    assert plans(capsys)["b:live"]["reached"] > 0


def test_a_function_that_is_gone_is_reported_and_the_other_warmed(
    make: Any, aws: boto3.Session, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.client("lambda").delete_function(FunctionName="a")
    summary = tick(make(), EVENT, Context())
    assert "configuration of a:live" in summary["problems"]["a:live"]
    assert summary["reached"] > 0
    assert any(line["event"] == "held" and line["target"] == "a:live" for line in lines(capsys))


def test_a_dry_run_logs_its_plan_and_touches_nothing(
    make: Any, far: StandIn, aws: boto3.Session, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = tick(make(WARMER_DRY_RUN="true"), EVENT, Context())
    assert summary["dry_run"] and summary["pings"] > 0
    assert far.arrivals_s == [] and aws.client("dynamodb").scan(TableName="histories")["Count"] == 0
    assert all(line["dry_run"] and line["pings"] > 0 for line in plans(capsys).values())


def test_failing_warm_ups_trip_the_kill_switch(make: Any, far: StandIn) -> None:
    asked: list[str] = []

    def misbehave(function: str, event: dict[str, Any]) -> Response | None:
        asked.append(function)
        return Response(500, {}) if function == "a" else None

    far.misbehave = misbehave
    this = make()
    start_s = scheduled_s(EVENT)
    problems = []
    for minute in range(40):
        instant = datetime.fromtimestamp(start_s + minute * 60, UTC).isoformat()
        summary = tick(this, {"scheduled_time": instant}, Context(f"run-{minute}"))
        problems += [text for target, text in summary["problems"].items() if target == "a:live"]
    stopped = ["kill switch" in problem for problem in problems]
    assert stopped[:4] == [False, False, False, True]
    assert asked.count("a") <= 3 * 4 + sum(not one for one in stopped[3:]), (
        "a paused target is tried with one ping"
    )
    assert asked.count("b") > asked.count("a")


def test_settings_that_cannot_be_used_at_all_fail_the_cycle_loudly(make: Any) -> None:
    with pytest.raises(SettingError, match="/none"):
        tick(make(WARMER_SETTINGS="/none"), EVENT, Context())


def test_the_switch_turns_it_off_and_on_at_run_time(make: Any, far: StandIn, aws: boto3.Session) -> None:
    this = make()
    put_settings(aws, '{"enabled": false}')
    summary = tick(this, EVENT, Context())
    assert summary["off"] == ["a:live", "b:live"] and far.arrivals_s == []
    put_settings(aws, '{"floor": 1}')
    assert tick(this, MINUTE_LATER, Context())["reached"] > 0


def test_a_changed_setting_holds_from_the_next_run_on(make: Any, aws: boto3.Session) -> None:
    this = make()
    tick(this, EVENT, Context())
    put_settings(aws, '{"floor": 2, "targets": {"b:live": {"floor": 6}}}')
    summary = tick(this, MINUTE_LATER, Context("run-2"))
    assert (summary["looked_at"], summary["reached"]) == (1, 6)
    assert tick(this, {"scheduled_time": "2026-11-24T13:52:00Z"}, Context("run-3"))["looked_at"] == 0


def told(aws: boto3.Session, table: str) -> dict[str, Any]:
    key = {"target": {"S": "burst#a:live"}}
    return dict(aws.client("dynamodb").get_item(TableName=table, Key=key).get("Item", {}))


def announce(aws: boto3.Session, table: str, at_s: float) -> None:
    """As the burst handler does."""
    ToldColdStarts(aws.client("dynamodb"), table).tell(Target("a", "live"), {"e1": at_s}, time.time())


def test_an_announced_cold_start_makes_its_target_due_and_is_told_once(
    make: Any, aws: boto3.Session, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    this = make(WARMER_ANNOUNCES="a:live")
    tick(this, EVENT, Context())
    assert tick(this, MINUTE_LATER, Context("run-2"))["looked_at"] == 0, "neither is due so soon"
    announce(aws, table, scheduled_s(EVENT) + 61)
    plans(capsys)
    summary = tick(this, {"scheduled_time": "2026-11-24T13:52:00Z"}, Context("run-3"))
    assert plans(capsys).keys() == {"a:live"} and summary["problems"] == {}
    assert "told" not in told(aws, table)
    assert tick(this, {"scheduled_time": "2026-11-24T13:52:30Z"}, Context("run-4"))["looked_at"] == 0


def test_what_is_announced_of_a_target_that_was_not_said_to_announce_wakes_nobody(
    make: Any, aws: boto3.Session, table: str
) -> None:
    this = make(WARMER_ANNOUNCES="b:live")
    tick(this, EVENT, Context())
    announce(aws, table, scheduled_s(EVENT) + 61)
    assert tick(this, MINUTE_LATER, Context("run-2"))["looked_at"] == 0


def test_a_dry_run_leaves_what_is_told_to_the_real_warmer(make: Any, aws: boto3.Session, table: str) -> None:
    announce(aws, table, scheduled_s(EVENT) - 5)
    summary = tick(make(WARMER_DRY_RUN="true", WARMER_ANNOUNCES="a:live"), EVENT, Context())
    assert summary["looked_at"] == 2 and "told" in told(aws, table)


@pytest.mark.parametrize(("announces", "read"), [("a:live,b:live", 1), ("a:live", 2), ("", 2)])
def test_metrics_are_only_a_check_where_every_target_announces(
    make: Any, aws: boto3.Session, announces: str, read: int
) -> None:
    reads: list[set[str]] = []

    def note(**call: Any) -> None:
        reads.append({query["Id"] for query in call["params"]["MetricDataQueries"]})

    this = make(WARMER_ANNOUNCES=announces)
    this.demand.client.meta.events.register("provide-client-params.cloudwatch.GetMetricData", note)
    for minute in (0, 17):
        instant = datetime.fromtimestamp(scheduled_s(EVENT) + minute * 60, UTC).isoformat()
        tick(this, {"scheduled_time": instant}, Context(f"run-{minute}"))
    assert len(reads) == read


def test_the_metrics_are_few_and_of_one_dimension(make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    summary = tick(make(AWS_LAMBDA_FUNCTION_NAME="stack-warmer"), EVENT, Context())
    (line,) = (line for line in lines(capsys) if "_aws" in line)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Preheat" and directive["Dimensions"] == [["Warmer"]]
    assert line["Warmer"] == "stack-warmer" and line["PingsPlanned"] == summary["pings"]
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert len(names) <= 4 and all(isinstance(line[name], int | float) for name in names)


def test_without_a_schedule_the_clock_says_when() -> None:
    for event in ({}, {"scheduled_time": "<aws.scheduler.scheduled-time>"}):
        assert abs(scheduled_s(event) - time.time()) < 5


def test_an_instant_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"scheduled_time must be ISO 8601.*was: 'noon'"):
        scheduled_s({"scheduled_time": "noon"})


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"WARMER_TABLE": ""}, "WARMER_TABLE must name"),
        ({"WARMER_DRY_RUN": "perhaps"}, "WARMER_DRY_RUN must be true or false, was: 'perhaps'"),
        ({"WARMER_TARGETS": "a"}, "WARMER_TARGETS must list function:alias"),
        ({"WARMER_ANNOUNCES": "a"}, "WARMER_ANNOUNCES must list function:alias"),
        ({"WARMER_AUTOSCALING": "on"}, "WARMER_AUTOSCALING must be move, leave or off, was: 'on'"),
    ],
)
def test_a_bad_variable_is_named(variables: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Environment.of({**VARIABLES, **variables})
