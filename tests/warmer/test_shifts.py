"""While CodeDeploy shifts an alias both of its versions are warm; when it is over the old one is let go."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import boto3
import pytest
from botocore.credentials import Credentials
from preheat_tools.bench.stand_in import StandIn

from tests.warmer.local_lambda import serving
from tests.warmer.test_app import VARIABLES, Context
from warmer.adapters.invocation import LambdaEndpoint
from warmer.adapters.pings import LambdaPinger
from warmer.adapters.shifts import SHIFTING, Routes, ShiftingPinger, ShiftingProvisioner, read_routes
from warmer.app import Environment, Warmer, tick
from warmer.fakes import EchoPinger, InstantProvisioner
from warmer.policy.values import Capacity, Failed, Round, RoundReport, Target

A, OLD, NEW = Target("a", "live"), Target("a", "1"), Target("a", "2")
CANARY = Routes({A: {"1": 0.9, "2": 0.1}})
ROUND = Round(target=A, environments=3, hold_s=0.0)


def shift(aws: boto3.Session, version: str, more: dict[str, float]) -> None:
    """As CodeDeploy does."""
    aws.client("lambda").update_alias(
        FunctionName="a",
        Name="live",
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": more},
    )


def publish(aws: boto3.Session) -> None:
    """Version 2, of other code."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", "handler = None")
    aws.client("lambda").update_function_code(FunctionName="a", ZipFile=content.getvalue(), Publish=True)


@pytest.mark.parametrize(
    ("more", "weights", "versions"),
    [
        pytest.param({}, {"1": 1.0}, (A,), id="at-rest"),
        pytest.param({"2": 0.1}, {"1": 0.9, "2": 0.1}, (OLD, NEW), id="canary"),
        pytest.param({"2": 0.7}, {"1": 0.3, "2": 0.7}, (NEW, OLD), id="mostly-shifted"),
        pytest.param({"2": 1.0}, {"2": 1.0}, (A,), id="all-of-it-by-weight"),
    ],
)
def test_the_versions_behind_an_alias_are_read_with_their_shares(
    aws: boto3.Session,
    deploy: Any,
    more: dict[str, float],
    weights: dict[str, float],
    versions: tuple[Target, ...],
) -> None:
    deploy("a")
    shift(aws, "1", more)
    routes = read_routes(aws.client("lambda"), [A])
    assert routes.weights[A] == pytest.approx(weights)
    assert routes.versions(A) == versions


def test_an_alias_that_cannot_be_read_is_pinged_as_an_alias(aws: boto3.Session) -> None:
    routes = read_routes(aws.client("lambda"), [A])
    assert "routing of a:live" in routes.problems[A].reason
    assert routes.versions(A) == (A,) and routes.mark(A) == ""


def test_a_round_goes_to_both_versions_in_full_and_is_told_as_the_larger_ones() -> None:
    echo = EchoPinger()
    report = ShiftingPinger(echo, CANARY).send([ROUND])[A]
    assert [(one.target, one.environments) for one in echo.sent] == [(OLD, 3), (NEW, 3)]
    assert isinstance(report, RoundReport) and report.sent == 6
    assert {sighting.environment.partition("/")[0] for sighting in report.sightings} == {"a:1"}


def test_a_failure_of_the_version_with_the_smaller_share_is_not_the_aliass() -> None:
    echo = EchoPinger(failures={NEW: Failed("HTTP 500")})
    assert isinstance(ShiftingPinger(echo, CANARY).send([ROUND])[A], RoundReport)
    echo.failures = {OLD: Failed("HTTP 500")}
    assert ShiftingPinger(echo, CANARY).send([ROUND])[A] == Failed("HTTP 500")


def test_an_alias_at_rest_is_pinged_through_the_alias() -> None:
    echo = EchoPinger()
    ShiftingPinger(echo, Routes({A: {"1": 1.0}})).send([ROUND])
    assert [one.target for one in echo.sent] == [A]


def test_provisioned_concurrency_is_left_alone_while_an_alias_has_weights() -> None:
    inner = InstantProvisioner({A: Capacity(requested=2, allocated=2, available=2, status="READY")})
    answer = ShiftingProvisioner(inner, CANARY).request(A, 5)
    assert isinstance(answer, Capacity) and answer.requested == 2 and SHIFTING in answer.said
    assert inner.requests == []
    assert ShiftingProvisioner(inner, Routes()).request(A, 5) != answer
    assert inner.requests == [(A, 5)]


def test_a_shift_is_met_as_it_begins_and_the_old_version_let_go_as_it_ends(
    aws: boto3.Session, table: str, deploy: Any
) -> None:
    deploy("a")
    publish(aws)
    aws.client("ssm").put_parameter(Name="/warmer", Type="String", Value=json.dumps({"floor": 2}))
    far = StandIn()

    def invoked() -> list[str]:
        heads = [head.split(b" ")[1].decode().partition("Qualifier=")[2] for head in far.heads]
        far.heads.clear()
        return sorted(set(heads))

    with serving(far) as url:
        variables = {**VARIABLES, "WARMER_TARGETS": "a:live", "WARMER_SHIFTS": "a:live"}
        this = Warmer(Environment.of(variables), aws)
        this.pinger = LambdaPinger(LambdaEndpoint(url, "eu-west-1", Credentials("x", "y")))

        def run(minute: int) -> list[str]:
            tick(this, {"scheduled_time": f"2026-11-24T13:5{minute}:00Z"}, Context(f"run-{minute}"))
            return invoked()

        assert run(0) == ["live"] and run(1) == [], "not due a minute later"
        shift(aws, "1", {"2": 0.1})
        assert run(2) == ["1", "2"], "due as the shift begins"
        shift(aws, "2", {})
        assert run(3) == ["live"], "due as it is over, and the old version is let go"
