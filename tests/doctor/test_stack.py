"""A deployed stack is looked at part by part, and what is wrong with it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from preheat_tools.doctor.findings import Finding, Grade
from preheat_tools.doctor.stack import ON_ALIAS, Deployed, snapshot_exclusions

import tests.moto_lambda
from warmer.adapters.histories import DynamoHistories
from warmer.kill_switch import Strikes
from warmer.policy.history import History
from warmer.policy.values import Target

NOW = datetime(2026, 11, 24, 13, 50, tzinfo=UTC)
A = Target("shop-recommend", "live")
BASE = "arn:aws:lambda:eu-west-1:123456789012:function"
EFS = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0"
STATEMENTS = [
    {"Effect": "Allow", "Action": list(ON_ALIAS), "Resource": f"{BASE}:{A}"},
    {
        "Effect": "Allow",
        "Action": ["lambda:GetFunctionConcurrency", "lambda:GetAlias"],
        "Resource": f"{BASE}:{A.function}",
    },
    {"Effect": "Allow", "Action": ["cloudwatch:GetMetricData", "lambda:GetAccountSettings"], "Resource": "*"},
]
Stack = Callable[..., Deployed]


@pytest.fixture
def stack(aws: boto3.Session, table: str, deploy: Any) -> Stack:
    """A sound stack, with what a test changes of it."""

    def make(
        *,
        settings: str = "{}",
        statements: Any = STATEMENTS,
        tags: dict[str, str] | None = None,
        ran: datetime | None = NOW - timedelta(minutes=4),
        state: str = "ENABLED",
    ) -> Deployed:
        deploy(A.function, tags={"preheat": "live"} if tags is None else tags)
        variables = {"WARMER_TABLE": table, "WARMER_TARGETS": str(A), "WARMER_SETTINGS": "/shop/warmer"}
        variables["WARMER_SHIFTS"] = str(A)
        deploy("shop-warmer", Environment={"Variables": variables})
        aws.client("iam").put_role_policy(
            RoleName="r",
            PolicyName="p",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )
        aws.client("ssm").put_parameter(Name="/shop/warmer", Type="String", Value=settings)
        if ran:
            dimensions = [{"Name": "FunctionName", "Value": "shop-warmer"}]
            point = {"MetricName": "Invocations", "Dimensions": dimensions, "Timestamp": ran, "Value": 1.0}
            aws.client("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=[point])
        parameters = {"Strategy": "Ping", "WarmTargets": "stack", "WarmerState": state}
        return Deployed(aws, {"WarmerFunction": "shop-warmer"}, parameters)

    return make


def problems(deployed: Deployed) -> list[str]:
    return [f"{one.about}: {one.text}" for one in looked_at(deployed) if one.grade is Grade.PROBLEM]


def notes(deployed: Deployed) -> list[str]:
    return [one.text for one in looked_at(deployed) if one.grade is Grade.NOTE]


def looked_at(deployed: Deployed) -> list[Finding]:
    return list(deployed.check(NOW))


def test_a_sound_stack_has_no_problem(stack: Stack) -> None:
    found = looked_at(stack())
    assert {one.grade for one in found} == {Grade.OK}
    assert {one.about for one in found} == {"account", "warmer", str(A), "permissions"}
    assert any("last run 4 min ago" in one.text for one in found)


def test_a_warmer_that_does_not_run_is_missed(stack: Stack) -> None:
    assert problems(stack(ran=NOW - timedelta(hours=2))) == [
        "warmer: no run within the last hour; what to do: docs/runbooks.md#warmer-silent"
    ]


def test_a_warmer_that_is_switched_off_is_not_missed(stack: Stack) -> None:
    deployed = stack(ran=None, state="DISABLED")
    assert problems(deployed) == [] and notes(deployed) == ["its schedule is off by the stack's parameters"]


@pytest.mark.parametrize("lost", [*ON_ALIAS, "lambda:GetFunctionConcurrency", "lambda:GetAlias"])
def test_a_permission_that_is_missing_is_named(stack: Stack, lost: str) -> None:
    kept = [{**s, "Action": [action for action in s["Action"] if action != lost]} for s in STATEMENTS]
    (problem,) = problems(stack(statements=[one for one in kept if one["Action"]]))
    assert f"r may not {lost} on {BASE}:{A.function}" in problem


def test_a_permission_on_another_function_is_none(stack: Stack) -> None:
    other = {**STATEMENTS[0], "Resource": f"{BASE}:other:live"}
    assert len(problems(stack(statements=[other, *STATEMENTS[1:]]))) == len(ON_ALIAS)


def test_an_open_kill_switch_is_a_problem_and_what_was_spent_is_said(
    stack: Stack, aws: boto3.Session, table: str
) -> None:
    deployed = stack()
    history = History.blank(1)
    history.columns["reached"], history.columns["spent_usd"] = 4, 1.25
    clock = NOW.timestamp
    store = DynamoHistories(aws.client("dynamodb"), table, run="r", until_s=clock() + 60, clock=clock)
    store.lease([A], now_s=clock())
    store.strike(A, Strikes(failures=3, paused_until_s=clock() + 600))
    store.save([A], history, [clock() + 60], now_s=clock())
    (problem,) = problems(deployed)
    assert problem == f"{A}: kill switch open: 3 rounds failed in a row, the next try in 600 s"


def test_a_setting_that_cannot_be_used_and_one_that_switches_off_are_told(stack: Stack) -> None:
    assert "must be a whole number" in problems(stack(settings='{"floor": "two"}'))[0]


def test_off_is_a_note(stack: Stack) -> None:
    assert notes(stack(settings='{"enabled": false}')) == ["switched off by its settings (enabled)"]


def test_no_usable_settings_at_all_is_a_problem(stack: Stack) -> None:
    (problem,) = problems(stack(settings="not json"))
    assert "/shop/warmer must be JSON" in problem


def test_a_missing_tag_is_a_note(stack: Stack) -> None:
    (note,) = notes(stack(tags={}))
    assert note.startswith("has no tag preheat=live")


def test_a_shift_under_way_is_a_note(stack: Stack, aws: boto3.Session) -> None:
    deployed = stack()
    aws.client("lambda").update_alias(
        FunctionName=A.function, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}}
    )
    assert notes(deployed) == ["a shift is under way (2 10%); both are kept warm"]


@pytest.mark.parametrize(
    ("function", "provisioned", "says"),
    [
        (
            {"EphemeralStorage": {"Size": 1024}},
            False,
            "SnapStart excludes ephemeral storage of 1024 MB, above 512",
        ),
        ({"Runtime": "python3.11"}, False, "SnapStart excludes python3.11, before python3.12"),
        ({"FileSystemConfigs": [{"Arn": EFS}]}, False, "SnapStart excludes a file system (EFS)"),
        ({}, True, "SnapStart excludes provisioned concurrency"),
    ],
)
def test_what_snapstart_excludes_is_a_problem(function: dict[str, Any], provisioned: bool, says: str) -> None:
    config = {"Runtime": "python3.13", **function}
    assert list(snapshot_exclusions("f", config, provisioned)) == [Finding(Grade.PROBLEM, "f", says)]


@pytest.mark.parametrize("config", [{"Runtime": "python3.12"}, {"PackageType": "Image"}])
def test_snapstart_alone_is_sound(config: dict[str, Any]) -> None:
    assert [one.grade for one in snapshot_exclusions("f", config, provisioned=False)] == [Grade.OK]


def test_a_full_account_is_a_problem(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = stack()
    monkeypatch.setattr(tests.moto_lambda, "ACCOUNT_CONCURRENCY", 100)
    (problem,) = problems(deployed)
    assert problem.startswith("account: 100 environments at once, 100 of them not reserved")
    monkeypatch.setattr(tests.moto_lambda, "ACCOUNT_CONCURRENCY", 10)
    assert problems(deployed) == [] and "a new account" in notes(deployed)[0]


def test_an_alias_that_is_gone_is_a_problem_and_the_rest_is_looked_at(
    stack: Stack, aws: boto3.Session
) -> None:
    deployed = stack()
    aws.client("lambda").delete_alias(FunctionName=A.function, Name="live")
    found = looked_at(deployed)
    assert any(one.grade is Grade.PROBLEM and "could not be looked at" in one.text for one in found)
    assert any(one.about == "permissions" for one in found)


class Clients:
    """A session with one client, answering by script."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def client(self, name: str) -> Any:
        assert name == self._client.meta.service_model.service_name
        return self._client


def described(**answer: Any) -> Clients:
    client = boto3.client(
        "cloudformation", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    stubber = Stubber(client)
    if answer:
        stubber.add_response("describe_stacks", {"Stacks": [answer]}, {"StackName": "shop"})
    else:
        stubber.add_client_error("describe_stacks", "ValidationError", "Stack with id shop does not exist")
    stubber.activate()
    return Clients(client)


def test_a_stack_is_found_with_its_outputs_and_parameters() -> None:
    session = described(
        StackName="shop",
        CreationTime=NOW,
        StackStatus="UPDATE_COMPLETE",
        Outputs=[{"OutputKey": "WarmerFunction", "OutputValue": "shop-warmer"}],
        Parameters=[{"ParameterKey": "Stage", "ParameterValue": "dev"}],
    )
    found = Deployed.find(session, "shop")
    assert (found.outputs, found.parameters) == ({"WarmerFunction": "shop-warmer"}, {"Stage": "dev"})


def test_a_stack_that_is_not_there_is_an_error_with_its_name() -> None:
    with pytest.raises(ClientError, match="Stack with id shop does not exist"):
        Deployed.find(described(), "shop")
