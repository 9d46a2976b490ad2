"""Advice from an account: what moto has of a function, and the states that only Stubber can show."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner
from preheat_tools.adviser.account import Observed, observed, without
from preheat_tools.adviser.advice import Size
from preheat_tools.adviser.calibration import nearest
from preheat_tools.adviser.logs import COLD, Report, Sent, of_size, report
from preheat_tools.adviser.setup import Setup
from preheat_tools.adviser.traffic import TrafficError
from preheat_tools.cli import main
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.traces import Series, Trace

from tests.warmer.conftest import aws, deploy  # noqa: F401  (fixtures)
from tests.warmer.test_cloudwatch import METRICS
from warmer.policy.values import Demand, Failed, Target

NOW_S = 1_763_980_000.0
LIVE = Target("f", "live")
HOUR = (0,) * 56


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


def client(service: str) -> tuple[Any, Stubber]:
    made = boto3.client(service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")  # type: ignore[call-overload]
    return made, Stubber(made)


def configuration(**more: object) -> dict[str, object]:
    return {
        "FunctionName": "f",
        "MemorySize": 1769,
        "Architectures": ["arm64"],
        "Runtime": "python3.13",
        **more,
    }


def reported(memory_mb: int, duration_ms: float, cold: str = "") -> str:
    """A REPORT line as Lambda writes it."""
    return (
        f"REPORT RequestId: 8f5\tDuration: {duration_ms} ms\tBilled Duration: 10 ms\tMemory Size: {memory_mb} MB\t"
        f"Max Memory Used: 90 MB\t{cold}\n"
    )


def seen(metrics: Metrics, *answers: tuple[str, list[str]], **more: object) -> Observed:
    """`answers` are the log's, in the order of the patterns that they are to be asked by."""
    functions, asked = client("lambda")
    logs, told = client("logs")
    asked.add_response(
        "get_function_configuration", configuration(**more), {"FunctionName": "f", "Qualifier": "live"}
    )
    for pattern, lines in answers:
        told.add_response(
            "filter_log_events", {"events": [{"message": text} for text in lines]},
            {"logGroupName": "/aws/lambda/f", "filterPattern": pattern, "startTime": int((NOW_S - 14 * 86_400) * 1000)},
        )  # fmt: skip
    with asked, told:
        found = observed(LIVE, functions, metrics, logs, NOW_S, 14)
    told.assert_no_pending_responses()
    return found


def test_a_function_is_seen_by_its_metrics_and_its_log() -> None:
    metrics = Metrics(demand(0, 0, 3, *HOUR, *HOUR, 5))
    lines = [reported(1769, 9.0, f"Init Duration: {ms} ms\t") for ms in (900.0, 1100.5)]
    found = seen(metrics, (COLD, lines))
    assert metrics.since_s == NOW_S - 14 * 86_400
    assert (found.memory_mb, found.architecture, found.service_ms) == (1769, "arm64", 150.0)
    assert found.init_ms == pytest.approx(1000.25) and found.restore_ms is None and found.sizes == ()
    assert found.trace.series[0].counts.tolist() == [3, *HOUR, *HOUR, 5]  # from its first request on
    assert found.setup == Setup(runtime="python3.13")


def test_another_size_in_the_log_is_a_size_to_look_at() -> None:
    cold = [
        reported(1769, 9.0, "Init Duration: 900 ms\t"),
        reported(1024, 20.0, "Init Duration: 1500 ms\t"),
        reported(3008, 5.0, "Init Duration: 700 ms\t"),
    ]
    found = seen(
        Metrics(demand(1, *HOUR, *HOUR)),
        (COLD, cold),
        (of_size(1024), [cold[1], reported(1024, 12.0), reported(1024, 14.0)]),
        (of_size(3008), [cold[2]]),  # of no warm answer nothing is known
    )
    assert found.sizes == (Size(memory_mb=1024, init_ms=1500.0, service_ms=13.0),)
    assert found.init_ms == 900.0


def test_restores_in_the_log_are_snapstart_s_wait() -> None:
    lines = [
        reported(1769, 9.0, f"Restore Duration: {ms} ms\tBilled Restore Duration: 9 ms\t")
        for ms in (300, 500)
    ]
    on = {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    found = seen(Metrics(demand(1, *HOUR, *HOUR)), (COLD, lines), SnapStart=on)
    assert (found.restore_ms, found.init_ms, found.setup.snapstart) == (400.0, None, True)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param(reported(512, 3.5), Report(memory_mb=512, duration_ms=3.5), id="warm"),
        pytest.param(
            reported(512, 3.5, "Init Duration: 1.5 ms\t"),
            Report(memory_mb=512, duration_ms=3.5, init_ms=1.5),
            id="cold",
        ),
        pytest.param(
            '{"type":"platform.report","record":{"metrics":{"durationMs":3.5,"memorySizeMB":512,"initDurationMs":1.5}}}',
            Report(memory_mb=512, duration_ms=3.5, init_ms=1.5),
            id="as-json",
        ),
        pytest.param('{"type":"platform.report","record":{}}', None, id="json-of-another-shape"),
        pytest.param("START RequestId: 8f5", None, id="another-line"),
        pytest.param("REPORT RequestId: 8f5", None, id="cut-short"),
    ],
)
def test_report_lines_are_read_in_both_formats(line: str, found: Report | None) -> None:
    assert report(line) == found


def test_the_warmer_s_pings_are_no_traffic() -> None:
    """Ten requests of 200 ms and five pings of 20 ms, one of which is counted a minute later."""
    both = Demand(
        start_s=0.0, period_s=60.0, peak_concurrency=(2, 4, 1, 3), invocations=(4, 4, 1, 6),
        duration_s=(10 * 0.2 + 5 * 0.02) / 15,
    )  # fmt: skip
    customers = without(both, [Sent(at_s=65.0, pings=5, hold_s=0.02), Sent(at_s=9e9, pings=3, hold_s=0.02)])
    assert customers.invocations == (4, 0, 0, 6) and customers.peak_concurrency == (2, 0, 0, 3)
    assert customers.duration_s == pytest.approx(0.2)


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
        pytest.param(demand(1, 1), "2 minutes old", id="called-just-now"),
        pytest.param(Failed("500 from CloudWatch"), "500 from CloudWatch", id="metrics-fail"),
    ],
)
def test_metrics_that_say_nothing_are_told(answer: Demand | Failed, says: str) -> None:
    with pytest.raises(TrafficError, match=says):
        seen(Metrics(answer))


def test_a_log_that_may_not_be_read_leaves_init_unknown_and_says_why() -> None:
    functions, asked = client("lambda")
    logs, told = client("logs")
    asked.add_response("get_function_configuration", configuration())
    told.add_client_error("filter_log_events", "AccessDeniedException")
    with asked, told:
        found = observed(LIVE, functions, Metrics(demand(1, *HOUR, *HOUR)), logs, NOW_S)
    assert found.init_ms is None and "AccessDenied" in found.notes[-1]


@pytest.mark.parametrize(("peak", "placement"), [(1, "uniform"), (3, "mix")])
def test_concurrency_tells_how_requests_lie_in_their_minute(peak: int, placement: str) -> None:
    counts = np.zeros(1440, np.int64)
    counts[::10] = [12, 60] * 72  # bursts, which `mix` puts into 20 seconds
    found, note = nearest(
        Trace("t", (Series(name="f", pattern="", counts=counts),)),
        (peak * (counts > 0)).tolist(),
        Assumptions(service_ms=300.0, init_ms=1.0),
    )
    assert found == placement and "at once on average" in note


def test_peaks_far_above_what_is_simulated_are_told() -> None:
    trace = Trace("t", (Series(name="f", pattern="", counts=np.full(60, 5)),))
    assert "more cold starts" in nearest(trace, [40] * 60, Assumptions())[1]


@pytest.fixture
def live(aws: boto3.Session, deploy: Any) -> Target:  # noqa: F811
    """A function that was called five at a time every ten minutes of the last six hours, with a log."""
    deploy("f", MemorySize=1769, Architectures=["x86_64"])
    metrics, logs = aws.client("cloudwatch"), aws.client("logs")
    newest = time.time() // 60 * 60 - 300
    for minute in range(0, 360, 10):
        for (name, _), value in zip(METRICS, (4, 5, 120), strict=True):
            metrics.put_metric_data(
                Namespace="AWS/Lambda",
                MetricData=[
                    {
                        "MetricName": name,
                        "Dimensions": [
                            {"Name": "FunctionName", "Value": "f"},
                            {"Name": "Resource", "Value": "f:live"},
                        ],
                        "Timestamp": datetime.fromtimestamp(newest - 60 * minute, UTC),
                        "Value": value,
                    }
                ],
            )
    logs.create_log_group(logGroupName="/aws/lambda/f")
    logs.create_log_stream(logGroupName="/aws/lambda/f", logStreamName="s")
    line = reported(1769, 9.0, "Init Duration: 2500 ms\t")
    logs.put_log_events(
        logGroupName="/aws/lambda/f",
        logStreamName="s",
        logEvents=[{"timestamp": int(time.time() * 1000) - 1000, "message": line}],
    )
    return LIVE


def test_the_command_advises_on_a_function_of_an_account(live: Target, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["advise", str(live), "--html", str(tmp_path / "a.html")])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "INIT 2,500 ms and answers of 120 ms on average." in said
    assert "It is less than a day" in said and "CloudWatch saw 4 at once" in said
    assert "managed instances (not for it)" in said  # it has 1769 MB
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")


def test_a_function_whose_init_is_unknown_asks_for_it(live: Target, aws: boto3.Session) -> None:  # noqa: F811
    aws.client("logs").delete_log_group(logGroupName="/aws/lambda/f")
    result = CliRunner().invoke(main, ["advise", str(live)])
    assert result.exit_code == 1 and "Say it with --init-ms" in result.output
    assert CliRunner().invoke(main, ["advise", str(live), "--init-ms", "900"]).exit_code == 0


@pytest.mark.parametrize("command", [["advise", "f:live"], ["savings", "--log-group", "g"]])
@pytest.mark.parametrize("region", ["", "eu-west-1"], ids=["no-region", "no-credentials"])
def test_an_account_that_cannot_be_asked_is_told(
    command: list[str], region: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    if region:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1 and result.output.startswith("Error: "), result.output
    assert ("credentials" if region else "region") in result.output
