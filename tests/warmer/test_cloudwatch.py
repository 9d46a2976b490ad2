"""Demand from CloudWatch: gaps are zeros, failures stay with their target."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from warmer.adapters.cloudwatch import METRICS, CloudWatchDemand
from warmer.policy.values import Demand, Failed, Target

NOW_S = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC).timestamp()
END_S = datetime(2026, 11, 24, 11, 58, tzinfo=UTC).timestamp()
A, B = Target("a", "live"), Target("b", "live")


def put(client: Any, target: Target, minute: int, *values: float) -> None:
    """Values are peak concurrency, invocations and mean duration in ms."""
    dimensions = [
        {"Name": "FunctionName", "Value": target.function},
        {"Name": "Resource", "Value": str(target)},
    ]
    at = datetime.fromtimestamp(END_S + minute * 60 + 5, UTC)
    for (name, _), value in zip(METRICS, values, strict=True):
        client.put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[{"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value}],
        )


def test_a_minute_without_datapoints_is_a_zero(aws: boto3.Session) -> None:
    client = aws.client("cloudwatch")
    put(client, A, -4, 3, 10, 200)
    put(client, A, -2, 1, 30, 400)
    put(client, B, -1, 7, 7, 100)
    answers = CloudWatchDemand(client).read({A: END_S - 240, B: END_S - 240}, NOW_S)
    assert answers[A] == Demand(
        start_s=END_S - 240,
        period_s=60.0,
        peak_concurrency=(3, 0, 1, 0),
        invocations=(10, 0, 30, 0),
        duration_s=pytest.approx(0.35),
    )
    assert isinstance(b := answers[B], Demand) and b.peak_concurrency == (0, 0, 0, 7)


def test_minutes_that_are_not_complete_yet_are_left_for_the_next_read(aws: boto3.Session) -> None:
    client = aws.client("cloudwatch")
    put(client, A, 0, 9, 9, 9)
    answer = CloudWatchDemand(client).read({A: END_S - 60}, NOW_S)[A]
    assert isinstance(answer, Demand) and answer.peak_concurrency == (0,)


class Fake:
    """A CloudWatch that answers as `answer` says, and keeps what it was asked."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.answer = answer
        self.calls: list[dict[str, Any]] = []

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        self.calls.append(dict(request))
        return self.answer(request)


def complete(request: dict[str, Any], **more: Any) -> dict[str, Any]:
    results = [
        {"Id": query["Id"], "Timestamps": [], "Values": [], "StatusCode": "Complete"} | more
        for query in request["MetricDataQueries"]
    ]
    return {"MetricDataResults": results}


def read(fake: Any, targets: list[Target], since_s: float = END_S - 120) -> Any:
    return CloudWatchDemand(fake).read(dict.fromkeys(targets, since_s), NOW_S)


def test_nothing_is_asked_where_no_minute_is_new() -> None:
    fake = Fake(complete)
    answer = read(fake, [A], since_s=NOW_S)[A]
    assert fake.calls == [] and isinstance(answer, Demand) and answer.peak_concurrency == ()


def test_a_call_asks_for_at_most_500_metrics() -> None:
    fake = Fake(complete)
    targets = [Target(f"f{i}", "live") for i in range(400)]
    answers = read(fake, targets)
    assert [len(call["MetricDataQueries"]) for call in fake.calls] == [498, 498, 204]
    assert all(isinstance(answers[target], Demand) for target in targets)


def test_a_long_past_is_asked_for_in_calls_within_the_datapoint_limit() -> None:
    fake = Fake(complete)
    targets = [Target(f"f{i}", "live") for i in range(5)]
    read(fake, targets, since_s=END_S - 14 * 86_400)
    assert [len(call["MetricDataQueries"]) for call in fake.calls] == [3] * 5


def test_pages_are_followed_and_a_partial_page_is_not_a_failure() -> None:
    at = datetime.fromtimestamp(END_S - 60, UTC)

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if "NextToken" not in request:
            return complete(request, StatusCode="PartialData") | {"NextToken": "2"}
        return complete(request, Timestamps=[at], Values=[4.0])

    fake = Fake(answer)
    demand = read(fake, [A])[A]
    assert len(fake.calls) == 2 and fake.calls[1]["NextToken"] == "2"
    assert isinstance(demand, Demand) and demand.peak_concurrency == (0, 4)


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
def test_a_result_that_is_not_complete_fails_its_target_only(status: str) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        page = complete(request)
        page["MetricDataResults"][0]["StatusCode"] = status
        page["MetricDataResults"][0]["Messages"] = [{"Code": "x", "Value": "try later"}]
        return page

    answers = read(Fake(answer), [A, B])
    assert answers[A] == Failed(f"GetMetricData answered {status} for ConcurrentExecutions try later")
    assert isinstance(answers[B], Demand)


def test_a_result_that_is_missing_fails_its_target() -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        page = complete(request)
        return {"MetricDataResults": page["MetricDataResults"][:-1]}

    answers = read(Fake(answer), [A, B])
    assert isinstance(answers[A], Demand) and "Missing" in answers[B].reason


def refusing(functions: set[str], code: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        asked = {q["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for q in request["MetricDataQueries"]}
        if asked & functions:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetMetricData")
        return complete(request)

    return answer


def test_one_target_that_breaks_its_batch_spoils_nobody_elses_answer() -> None:
    fake = Fake(refusing({"f77"}, "InternalServiceFault"))
    targets = [Target(f"f{i}", "live") for i in range(160)]
    answers = read(fake, targets)
    assert [t for t in targets if isinstance(answers[t], Failed)] == [Target("f77", "live")]
    assert len(fake.calls) <= 17


def test_an_outage_is_not_hammered() -> None:
    targets = [Target(f"f{i}", "live") for i in range(160)]
    fake = Fake(refusing({t.function for t in targets}, "InternalServiceFault"))
    answers = read(fake, targets)
    assert all(isinstance(answers[target], Failed) for target in targets)
    assert len(fake.calls) <= 41


def test_an_error_of_the_caller_is_not_looked_for_among_the_targets() -> None:
    fake = Fake(refusing({"a"}, "AccessDenied"))
    answers = read(fake, [A, B])
    assert isinstance(answers[A], Failed) and isinstance(answers[B], Failed) and len(fake.calls) == 1


def test_a_500_from_cloudwatch_itself_holds_the_target() -> None:
    client = boto3.client(
        "cloudwatch",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with Stubber(client) as stub:
        stub.add_client_error("get_metric_data", "InternalServiceFault", http_status_code=500)
        answer = read(client, [A])[A]
    assert isinstance(answer, Failed) and "InternalServiceFault" in answer.reason
