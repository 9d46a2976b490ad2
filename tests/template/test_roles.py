"""No role without its list, nobody but one service in each, and nobody who may call a function but who must."""

from __future__ import annotations

import pytest

from tests.template.test_template import BRANCHES, SCALABLE, TAGGED, answers_bursts, grants, listed, of_type
from tests.template.translated import Template, translated

ACCOUNT_WIDE = {
    "cloudwatch:GetMetricData",
    "lambda:GetAccountSettings",
    "tag:GetResources",
    "application-autoscaling:DescribeScalableTargets",
}
"""AWS knows no narrower resource for these:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"""
LAMBDA, CODEDEPLOY, SCHEDULER = "lambda.amazonaws.com", "codedeploy.amazonaws.com", "scheduler.amazonaws.com"
TAKEN_BY = {
    "RecommendRole": LAMBDA,
    "RecommendTorchRole": LAMBDA,
    "WarmerRole": LAMBDA,
    "WarmerScheduleRole": SCHEDULER,
    "BurstRole": LAMBDA,
    "PreflightRole": LAMBDA,
    "DeploymentRole": CODEDEPLOY,
}
SOURCES = {
    "logs.amazonaws.com": ("Burst", "RecommendLogs"),
    "events.amazonaws.com": ("Warmer", "WarmerExpect"),
}
"""Who else than the API calls a function, which one, and on whose behalf."""
READS = ("Get", "Describe", "List")
CHANGES = {
    "RecommendRole": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "RecommendTorchRole": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "WarmerRole": {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "dynamodb:UpdateItem",
        "lambda:InvokeFunction",
        "lambda:PutProvisionedConcurrencyConfig",
        "lambda:DeleteProvisionedConcurrencyConfig",
        "application-autoscaling:RegisterScalableTarget",
    },
    "WarmerScheduleRole": {"lambda:InvokeFunction"},
    "BurstRole": {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "dynamodb:UpdateItem",
        "lambda:InvokeFunction",
    },
    "PreflightRole": {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "lambda:InvokeFunction",
        "codedeploy:PutLifecycleEventHookExecutionStatus",
        "sns:Publish",
    },
    "DeploymentRole": {"lambda:InvokeFunction", "lambda:UpdateAlias"},
}
"""All that any role may change, whatever the parameters: nothing deletes a function, writes its code or a parameter."""


@pytest.fixture(params=BRANCHES)
def branch(request: pytest.FixtureRequest) -> tuple[dict[str, str], Template]:
    return request.param, translated(**request.param)


def test_every_role_is_taken_by_one_service_that_is_listed_here(
    branch: tuple[dict[str, str], Template],
) -> None:
    roles = of_type(branch[1], "AWS::IAM::Role")
    expected = TAKEN_BY.keys() - (set() if "TorchImageUri" in branch[0] else {"RecommendTorchRole"})
    assert roles.keys() == expected - (set() if answers_bursts(branch[0]) else {"BurstRole"})
    for name, role in roles.items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert (statement["Effect"], listed(statement["Action"])) == ("Allow", ["sts:AssumeRole"])
        assert {kind: listed(who) for kind, who in statement["Principal"].items()} == {
            "Service": [TAKEN_BY[name]]
        }


def test_what_changes_something_is_listed_by_role(branch: tuple[dict[str, str], Template]) -> None:
    for role in of_type(branch[1], "AWS::IAM::Role"):
        changing = {
            action
            for action, _, _ in grants(branch[1], role)
            if not action.partition(":")[2].startswith(READS)
        }
        assert changing <= CHANGES[role], role


def test_everything_has_a_resource_where_aws_knows_one(branch: tuple[dict[str, str], Template]) -> None:
    for role in of_type(branch[1], "AWS::IAM::Role"):
        for action, resource, condition in grants(branch[1], role):
            if resource == "*":
                assert action in ACCOUNT_WIDE, role
            if resource in {TAGGED, SCALABLE}:
                assert condition, f"{role}: all functions, or all targets, by nothing but a name"


def test_every_function_has_a_role_of_its_own(branch: tuple[dict[str, str], Template]) -> None:
    roles = [one["Role"]["Fn::GetAtt"][0] for one in of_type(branch[1], "AWS::Lambda::Function").values()]
    assert len(roles) == len(set(roles)) and set(roles) <= TAKEN_BY.keys()


def test_a_function_is_called_by_the_one_source_that_must(branch: tuple[dict[str, str], Template]) -> None:
    for name, one in of_type(branch[1], "AWS::Lambda::Permission").items():
        assert one["Action"] == "lambda:InvokeFunction", name
        function, source = one["FunctionName"]["Ref"], one["SourceArn"]
        if one["Principal"] == "apigateway.amazonaws.com":
            assert function in {"RecommendAliaslive", "RecommendTorchAliaslive"}
            assert source == {"Fn::Sub": "arn:aws:execute-api:us-east-1:123456789012:${Api}/*/*"}
        else:
            assert SOURCES[one["Principal"]] == (function, source["Fn::GetAtt"][0]), name
