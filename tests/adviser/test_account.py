"""Advice from an account: what moto has of a function, and the states that only Stubber can show."""

from __future__ import annotations

from collections.abc import Mapping

import boto3
import pytest
from botocore.stub import Stubber
from preheat_tools.adviser.traffic import TrafficError, observed

from warmer.policy.values import Demand, Failed, Target

NOW_S = 1_763_980_000.0
LIVE = Target("f", "live")


class Metrics:
    """A DemandSource that answers what it was given."""

    def __init__(self, answer: Demand | Failed) -> None:
        self.answer, self.since_s = answer, 0.0

    def read(self, since_s: Mapping[Target, float], now_s: float) -> Mapping[Target, Demand | Failed]:
        (self.since_s,) = since_s.values()
        return {LIVE: self.answer}


def demand(*counts: int) -> Demand:
    return Demand(
        start_s=NOW_S - 3600, period_s=60.0, peak_concurrency=counts, invocations=counts, duration_s=0.15
    )


def client(service: str) -> tuple[object, Stubber]:
    made = boto3.client(service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    return made, Stubber(made)


def configuration() -> dict[str, object]:
    return {"FunctionName": "f", "MemorySize": 1769, "Architectures": ["arm64"]}


def test_a_function_is_seen_by_its_metrics_and_its_log() -> None:
    functions, asked = client("lambda")
    logs, told = client("logs")
    asked.add_response(
        "get_function_configuration", configuration(), {"FunctionName": "f", "Qualifier": "live"}
    )
    told.add_response(
        "filter_log_events",
        {
            "events": [
                {"message": f"REPORT RequestId: x Duration: 9 ms\tInit Duration: {ms} ms"}
                for ms in (900.0, 1100.5)
            ]
        },
    )
    metrics = Metrics(demand(0, 0, 3, 0, 5))
    with asked, told:
        seen = observed(LIVE, functions, metrics, logs, NOW_S, 14)
    assert metrics.since_s == NOW_S - 14 * 86_400
    assert (seen.memory_mb, seen.architecture, seen.service_ms) == (1769, "arm64", 150.0)
    assert seen.init_ms == pytest.approx(1000.25)
    assert seen.trace.series[0].counts.tolist() == [3, 0, 5]  # from its first request on


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("ResourceNotFoundException", "none of that name"),
        ("AccessDeniedException", "GetFunctionConfiguration"),
    ],
)
def test_a_function_that_cannot_be_read_is_told(code: str, says: str) -> None:
    functions, asked = client("lambda")
    asked.add_client_error("get_function_configuration", code)
    with asked, pytest.raises(TrafficError, match=says):
        observed(LIVE, functions, Metrics(demand(1)), None, NOW_S)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(demand(0, 0), "no invocations of f:live", id="nobody-called"),
        pytest.param(Failed("500 from CloudWatch"), "500 from CloudWatch", id="metrics-fail"),
    ],
)
def test_metrics_that_say_nothing_are_told(answer: Demand | Failed, says: str) -> None:
    functions, asked = client("lambda")
    asked.add_response("get_function_configuration", configuration())
    with asked, pytest.raises(TrafficError, match=says):
        observed(LIVE, functions, Metrics(answer), None, NOW_S)


def test_a_log_that_may_not_be_read_leaves_init_unknown() -> None:
    functions, asked = client("lambda")
    logs, told = client("logs")
    asked.add_response("get_function_configuration", configuration())
    told.add_client_error("filter_log_events", "AccessDeniedException")
    with asked, told:
        assert observed(LIVE, functions, Metrics(demand(1)), logs, NOW_S).init_ms is None
