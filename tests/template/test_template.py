"""What comes out of the template, for each of its branches."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml

from tests.template.translated import TEMPLATE, Template, translated

BRANCHES = [
    pytest.param({}, id="as-shipped"),
    pytest.param({"Architecture": "arm64"}, id="arm64"),
    pytest.param({"TorchImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/torch:1"}, id="with-torch"),
    pytest.param({"WarmTargets": "tagged"}, id="by-tag"),
    pytest.param({"Strategy": "Provisioned", "ProvisionedEnvironments": "3"}, id="provisioned"),
    pytest.param({"Strategy": "SnapStart"}, id="snapshots"),
    pytest.param({"Strategy": "Off", "Stage": "dev"}, id="nothing-kept"),
    pytest.param({"ReservedConcurrency": "40", "ModelMemory": "64"}, id="reserved"),
    pytest.param({"Runtime": "python3.11", "Mode": "cold", "Stage": "dev", "Deployment": "off"}, id="local"),
    pytest.param(
        {
            "Deployment": "Linear10PercentEvery1Minute",
            "NotifyTopic": "arn:aws:sns:us-east-1:123456789012:ops",
        },
        id="linear-and-told",
    ),
    pytest.param({"Architecture": "arm64", "Strategy": "SnapStart"}, id="snapshots-on-arm64"),
    pytest.param(
        {"Architecture": "arm64", "Strategy": "Provisioned", "ProvisionedEnvironments": "1"},
        id="provisioned-on-arm64",
    ),
    pytest.param({"Architecture": "arm64", "Strategy": "Off", "WarmTargets": "tagged"}, id="pings-elsewhere"),
    pytest.param({"Packs": "s3://models/big", "PackObjects": "models/*"}, id="packs-outside"),
    pytest.param({"WarmerState": "DISABLED"}, id="stopped"),
    pytest.param({"Bursts": "false", "Metrics": "lean"}, id="lean-and-no-bursts"),
    pytest.param({"Metrics": "off"}, id="no-metrics"),
    pytest.param({"WithApi": "false"}, id="without-the-api"),
]
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:preheat-recommend"
TORCH_FUNCTION = f"{FUNCTION}-torch"
ALIAS, TORCH_ALIAS = f"{FUNCTION}:live", f"{TORCH_FUNCTION}:live"
ON_ALIAS = {
    "lambda:InvokeFunction",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:PutProvisionedConcurrencyConfig",
    "lambda:DeleteProvisionedConcurrencyConfig",
    "lambda:GetFunctionConfiguration",
}
ON_FUNCTION = {"lambda:GetFunctionConcurrency", "lambda:GetFunctionConfiguration"}
WITHOUT_RESOURCE = {
    "cloudwatch:GetMetricData",
    "lambda:GetAccountSettings",
    "application-autoscaling:DescribeScalableTargets",
}
FINDS_TAGGED = "tag:GetResources"
"""AWS names no resource for these: the only ones that may have `*`."""
TAGGED = "arn:aws:lambda:us-east-1:123456789012:function:*"
VERSIONS = f"{FUNCTION}:*"
"""Versions, whose numbers are not known before they are published: of this one function."""
HOOK = "arn:aws:lambda:us-east-1:123456789012:function:CodeDeployHook_preheat-preflight"
GROUP = (
    "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:"
    "preheat-ServerlessDeploymentApplication-*/preheat-RecommendDeploymentGroup-*"
)
"""By the names that CloudFormation makes in this stack."""
ALARMS = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"
"""What DescribeAlarms takes as its resource."""
PACKS = "arn:aws:s3:::models/*"
"""What the parameter PackObjects of its branch names."""
SCALABLE = "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/*"

BY_PATTERN = {
    VERSIONS: {
        "lambda:InvokeFunction",
        "lambda:GetFunctionConfiguration",
        "lambda:GetProvisionedConcurrencyConfig",
    },
    GROUP: {"codedeploy:PutLifecycleEventHookExecutionStatus"},
    ALARMS: {"cloudwatch:DescribeAlarms"},
    PACKS: {"s3:GetObject"},
}


@pytest.fixture(params=BRANCHES)
def branch(request: pytest.FixtureRequest) -> tuple[dict[str, str], Template]:
    return request.param, translated(**request.param)


def pings(parameters: dict[str, str]) -> bool:
    """Whether the warmer is what keeps this stack's functions ready."""
    return parameters.get("Strategy", "Ping") == "Ping"


def warms(parameters: dict[str, str]) -> bool:
    """Whether the warmer runs at all."""
    needed = pings(parameters) or parameters.get("WarmTargets") == "tagged"
    return needed and parameters.get("WarmerState") != "DISABLED"


def answers_bursts(parameters: dict[str, str]) -> bool:
    return pings(parameters) and warms(parameters) and parameters.get("Bursts") != "false"


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == kind}


def grants(template: Template, role: str) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(action, resource, condition) of everything the role may do."""
    documents = [p["PolicyDocument"] for p in template["Resources"][role]["Properties"].get("Policies", [])]
    for kind in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"):
        assert not of_type(template, kind), "all that a role may do stands in the role"
    for statement in (s for d in documents for s in d["Statement"]):
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield action, named(resource), statement.get("Condition", {})


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def named(resource: Any) -> Any:
    """A resource that can be compared: literal, or what it refers to."""
    if isinstance(resource, str):
        return resource
    ((how, what),) = resource.items()
    return how.removeprefix("Fn::").removeprefix("Get"), what if isinstance(what, str) else ".".join(what)


def test_the_warmer_may_do_what_its_page_lists_and_nothing_more(
    branch: tuple[dict[str, str], Template],
) -> None:
    parameters, template = branch
    torch, tagged = "TorchImageUri" in parameters, parameters.get("WarmTargets") == "tagged"
    allowed: set[tuple[str, Any]] = {
        (a, ("Att", "WarmerLogs.Arn")) for a in ("logs:CreateLogStream", "logs:PutLogEvents")
    }
    allowed |= {(a, ("Att", "WarmerTable.Arn")) for a in ("dynamodb:GetItem", "dynamodb:UpdateItem")}
    allowed |= {("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/preheat/warmer")}
    allowed |= {(a, "*") for a in WITHOUT_RESOURCE}
    allowed |= {("application-autoscaling:RegisterScalableTarget", SCALABLE)}
    allowed |= {("lambda:GetAlias", FUNCTION), ("lambda:InvokeFunction", VERSIONS)}
    if tagged:
        allowed |= {(FINDS_TAGGED, "*")}
        allowed |= {(a, TAGGED) for a in ON_ALIAS | ON_FUNCTION}
    else:
        allowed |= {(a, ALIAS) for a in ON_ALIAS} | {(a, FUNCTION) for a in ON_FUNCTION}
    if torch and not tagged:
        allowed |= {(a, TORCH_ALIAS) for a in ON_ALIAS} | {(a, TORCH_FUNCTION) for a in ON_FUNCTION}
    assert {(action, resource) for action, resource, _ in grants(template, "WarmerRole")} == allowed


def test_a_resource_that_is_not_named_is_bounded_by_a_condition(
    branch: tuple[dict[str, str], Template],
) -> None:
    for role in of_type(branch[1], "AWS::IAM::Role"):
        for action, resource, condition in grants(branch[1], role):
            assert "*" not in action
            if resource == TAGGED:
                assert condition == {"Null": {"aws:ResourceTag/preheat": "false"}}
            elif resource == SCALABLE:
                assert condition["StringEquals"]["application-autoscaling:service-namespace"] == "lambda"
            elif resource in BY_PATTERN:
                assert action in BY_PATTERN[resource]
            elif isinstance(resource, str) and "*" in resource:
                assert action in WITHOUT_RESOURCE | {FINDS_TAGGED}


def test_the_inference_functions_may_write_their_own_log_and_nothing_else(
    branch: tuple[dict[str, str], Template],
) -> None:
    for name in ("Recommend", "RecommendTorch"):
        if name in branch[1]["Resources"]:
            granted = {(a, r) for a, r, _ in grants(branch[1], f"{name}Role")}
            logs = ("Att", f"{name}Logs.Arn")
            packs = {("s3:GetObject", PACKS)} if name == "Recommend" and "PackObjects" in branch[0] else set()
            assert granted == {("logs:CreateLogStream", logs), ("logs:PutLogEvents", logs)} | packs


def test_bursts_are_answered_with_pings_and_one_kind_of_item(branch: tuple[dict[str, str], Template]) -> None:
    parameters, template = branch
    if not answers_bursts(parameters):
        assert "BurstRole" not in template["Resources"]
        return
    tagged = parameters.get("WarmTargets") == "tagged"
    variables = template["Resources"]["Burst"]["Properties"]["Environment"]["Variables"]
    assert variables["WARMER_TARGETS"] == ("" if tagged else "preheat-recommend:live"), "settings may be tags"
    granted = list(grants(template, "BurstRole"))
    logs = ("Att", "BurstLogs.Arn")
    expected = {(FINDS_TAGGED, "*")} if tagged else set()
    assert {(a, r) for a, r, _ in granted} == expected | {
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        ("dynamodb:UpdateItem", ("Att", "WarmerTable.Arn")),
        ("dynamodb:GetItem", ("Att", "WarmerTable.Arn")),
        ("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/preheat/warmer"),
        ("lambda:InvokeFunction", ALIAS),
    }
    (keys,) = (condition for action, _, condition in granted if action == "dynamodb:UpdateItem")
    assert keys == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["burst#*"]}}


def test_the_hook_may_judge_versions_of_recommend_and_answer_for_its_own_group(
    branch: tuple[dict[str, str], Template],
) -> None:
    logs = ("Att", "PreflightLogs.Arn")
    expected = {
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        ("dynamodb:GetItem", ("Att", "WarmerTable.Arn")),
        ("lambda:GetAlias", FUNCTION),
        ("lambda:InvokeFunction", VERSIONS),
        ("lambda:GetFunctionConfiguration", VERSIONS),
        ("codedeploy:PutLifecycleEventHookExecutionStatus", GROUP),
    }
    if topic := branch[0].get("NotifyTopic"):
        expected |= {("sns:Publish", topic)}
    assert {(a, r) for a, r, _ in grants(branch[1], "PreflightRole")} == expected


def test_codedeploy_may_move_one_alias_and_call_one_hook(branch: tuple[dict[str, str], Template]) -> None:
    assert {(a, r) for a, r, _ in grants(branch[1], "DeploymentRole")} == {
        ("lambda:GetAlias", FUNCTION),
        ("lambda:UpdateAlias", FUNCTION),
        ("lambda:GetProvisionedConcurrencyConfig", VERSIONS),
        ("lambda:InvokeFunction", HOOK),
        ("cloudwatch:DescribeAlarms", ALARMS),
    }
    (statement,) = branch[1]["Resources"]["DeploymentRole"]["Properties"]["AssumeRolePolicyDocument"][
        "Statement"
    ]
    assert statement["Principal"] == {"Service": "codedeploy.amazonaws.com"}


def test_only_recommends_log_may_announce_and_only_what_customers_waited_for() -> None:
    template = translated()
    (subscription,) = of_type(template, "AWS::Logs::SubscriptionFilter").values()
    assert subscription["FilterPattern"] == "{ $.customer_cold_start IS TRUE }"
    permission = template["Resources"]["BurstPermission"]["Properties"]
    assert permission["Principal"] == "logs.amazonaws.com" and permission["SourceAccount"] == "123456789012"
    assert permission["SourceArn"] == {"Fn::GetAtt": ["RecommendLogs", "Arn"]}


def test_the_warmer_is_told_whose_cold_starts_are_announced(branch: tuple[dict[str, str], Template]) -> None:
    variables = branch[1]["Resources"]["Warmer"]["Properties"]["Environment"]["Variables"]
    subscriptions = of_type(branch[1], "AWS::Logs::SubscriptionFilter").values()
    expected = [{"Ref": "RecommendLogs"}] if answers_bursts(branch[0]) else []
    assert [one["LogGroupName"] for one in subscriptions] == expected
    assert variables["WARMER_ANNOUNCES"] == ("preheat-recommend:live" if expected else "")


@pytest.mark.parametrize("parameters", [{"Bursts": "false"}, {"WarmerState": "DISABLED"}])
def test_bursts_can_be_left_unanswered(parameters: dict[str, str]) -> None:
    template = translated(**parameters)
    assert not [name for name in template["Resources"] if name.startswith("Burst")]
    variables = template["Resources"]["Warmer"]["Properties"]["Environment"]["Variables"]
    assert variables["WARMER_ANNOUNCES"] == ""


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ("0.001", True), ("0", True), ("0.0", True), ("12", True), ("10.5", True),
        (".5", False), ("01", False), ("00.1", False), ("1.", False), ("", False), ("-1", False), ("1e-3", False),
    ],
)  # fmt: skip
def test_the_price_of_a_cold_start_is_what_json_takes_for_a_number(given: str, allowed: bool) -> None:
    pattern = cfn_yaml.load(str(TEMPLATE))["Parameters"]["ColdStartCost"]["AllowedPattern"]
    assert bool(re.search(pattern, given)) == allowed
    if allowed:
        parameter = translated(ColdStartCost=given)["Resources"]["WarmerSettings"]["Properties"]["Value"]
        assert json.loads(parameter) == {"cold_start_cost_usd": float(given)}


def test_packs_elsewhere_are_named_and_may_be_read() -> None:
    template = translated(Packs="s3://shop/models/big", PackObjects="shop/models/*")
    variables = template["Resources"]["Recommend"]["Properties"]["Environment"]["Variables"]
    assert variables["PREHEAT_PACKS"] == "s3://shop/models/big"
    granted = {(a, r) for a, r, _ in grants(template, "RecommendRole") if a.startswith("s3:")}
    assert granted == {("s3:GetObject", "arn:aws:s3:::shop/models/*")}


def test_the_schedule_may_call_the_warmer_alone(branch: tuple[dict[str, str], Template]) -> None:
    assert {(a, r) for a, r, _ in grants(branch[1], "WarmerScheduleRole")} == {
        ("lambda:InvokeFunction", ("Att", "Warmer.Arn"))
    }


def test_no_role_takes_a_managed_policy(branch: tuple[dict[str, str], Template]) -> None:
    assert not [n for n, r in of_type(branch[1], "AWS::IAM::Role").items() if r.get("ManagedPolicyArns")]


def test_inference_functions_carry_the_tag_and_the_alias_that_it_names(
    branch: tuple[dict[str, str], Template],
) -> None:
    parameters, template = branch
    expected = {"Recommend"} | ({"RecommendTorch"} if "TorchImageUri" in parameters else set())
    tagged = {
        name: tag["Value"]
        for name, function in of_type(template, "AWS::Lambda::Function").items()
        for tag in function["Tags"]
        if tag["Key"] == "preheat"
    }
    assert tagged == dict.fromkeys(expected, "live")
    aliases = of_type(template, "AWS::Lambda::Alias")
    assert {a["FunctionName"]["Ref"]: a["Name"] for a in aliases.values()} == tagged


def test_provisioned_concurrency_is_nobodys_but_the_warmers(branch: tuple[dict[str, str], Template]) -> None:
    fixed = branch[0].get("Strategy") == "Provisioned"
    functions = [r for r in branch[1]["Resources"].values() if r["Type"].startswith("AWS::Lambda")]
    assert ("ProvisionedConcurrency" in json.dumps(functions)) == fixed


def test_nothing_is_reserved_unless_asked(branch: tuple[dict[str, str], Template]) -> None:
    parameters, template = branch
    reserved = {
        n: f.get("ReservedConcurrentExecutions")
        for n, f in of_type(template, "AWS::Lambda::Function").items()
    }
    assert reserved.pop("Recommend") == parameters.get("ReservedConcurrency")
    assert set(reserved.values()) == {None}


def test_functions_and_their_layer_are_of_the_architecture_asked_for(
    branch: tuple[dict[str, str], Template],
) -> None:
    parameters, template = branch
    architecture = parameters.get("Architecture", "x86_64")
    for function in of_type(template, "AWS::Lambda::Function").values():
        assert function["Architectures"] == [architecture]
    (inference,) = (
        v for n, v in of_type(template, "AWS::Lambda::LayerVersion").items() if n.startswith("InferenceLayer")
    )
    assert inference["CompatibleArchitectures"] == [architecture]


def test_the_torch_function_is_made_only_where_an_image_is_named(
    branch: tuple[dict[str, str], Template],
) -> None:
    parameters, template = branch
    image = parameters.get("TorchImageUri")
    made = [n for n in template["Resources"] if "Torch" in n]
    assert bool(made) == bool(image)
    if image:
        assert template["Resources"]["RecommendTorch"]["Properties"]["Code"] == {"ImageUri": image}


def test_the_warmer_is_told_what_to_warm(branch: tuple[dict[str, str], Template]) -> None:
    parameters, template = branch
    variables = template["Resources"]["Warmer"]["Properties"]["Environment"]["Variables"]
    expected = "preheat-recommend:live"
    if "TorchImageUri" in parameters:
        expected += ",preheat-recommend-torch:live"
    assert variables["WARMER_TARGETS"] == ("" if parameters.get("WarmTargets") == "tagged" else expected)


def test_the_schedule_hands_its_own_instant_over_and_forgets_a_late_tick(
    branch: tuple[dict[str, str], Template],
) -> None:
    schedule = branch[1]["Resources"]["WarmerSchedule"]["Properties"]
    assert schedule["Name"] == "preheat-warmer"  # by stack: two stacks in one account must not collide
    assert json.loads(schedule["Target"]["Input"]) == {"scheduled_time": "<aws.scheduler.scheduled-time>"}
    assert schedule["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    assert re.fullmatch(r"rate\(\d+ minutes?\)", schedule["ScheduleExpression"])


def test_one_parameter_stops_the_warmer() -> None:
    assert translated()["Resources"]["WarmerSchedule"]["Properties"]["State"] == "ENABLED"
    off = translated(WarmerState="DISABLED")
    assert off["Resources"]["WarmerSchedule"]["Properties"]["State"] == "DISABLED"


def test_every_function_logs_where_logs_are_let_go(branch: tuple[dict[str, str], Template]) -> None:
    groups = of_type(branch[1], "AWS::Logs::LogGroup")
    assert all(group["RetentionInDays"] for group in groups.values())
    for function in of_type(branch[1], "AWS::Lambda::Function").values():
        group = groups[function["LoggingConfig"]["LogGroup"]["Ref"]]
        assert group["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"


def test_the_outputs_are_those_the_tools_read(branch: tuple[dict[str, str], Template]) -> None:
    of_the_api = set() if "WithApi" in branch[0] else {"ApiUrl", "ApiId", "ApiKeyId"}
    assert branch[1]["Outputs"].keys() == of_the_api | {
        "RecommendFunction",
        "RecommendAlias",
        "WarmerFunction",
        "WarmerTableName",
    }


@pytest.mark.parametrize("part", ["Recommend", "PreheatLayer", "InferenceLayer"])
def test_new_code_or_a_new_layer_is_a_new_version(part: str) -> None:
    assert versions(translated({part: "changed"})) != versions(translated())


def versions(template: Template) -> set[str]:
    return {n for n in of_type(template, "AWS::Lambda::Version") if n.startswith("Recommend")}


def test_every_route_wants_a_key_and_every_body_is_validated() -> None:
    body = translated()["Resources"]["Api"]["Properties"]["Body"]
    assert {"/recommend/{model}", "/models", "/v2", "/v2/health/ready", "/v2/models/{model}/infer"} <= body[
        "paths"
    ].keys()
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            assert operation["security"] == [{"api_key": []}], path
            if method == "post":
                assert operation["x-amazon-apigateway-request-validator"] == "body-and-params", path
                assert operation["requestBody"]["required"], path


def test_without_the_api_nothing_of_it_is_left() -> None:
    template = translated(
        WithApi="false", TorchImageUri="123456789012.dkr.ecr.us-east-1.amazonaws.com/torch:1"
    )
    kinds = {one["Type"] for one in template["Resources"].values()}
    assert not [kind for kind in kinds if kind.startswith("AWS::ApiGateway")]
    permissions = of_type(template, "AWS::Lambda::Permission").values()
    assert not [one for one in permissions if one["Principal"] == "apigateway.amazonaws.com"]
    assert not [name for name in template["Outputs"] if name.startswith("Api")]


def test_every_route_calls_the_alias_and_one_of_the_two_functions() -> None:
    template = translated(TorchImageUri="123456789012.dkr.ecr.us-east-1.amazonaws.com/torch:1")
    called = {
        path: operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"].rpartition("/functions/")[2]
        for path, item in template["Resources"]["Api"]["Properties"]["Body"]["paths"].items()
        for operation in item.values()
    }
    assert called.pop("/torch/{proxy+}") == "${RecommendTorch.Arn}:live/invocations"
    assert len(called) == 11 and set(called.values()) == {"${Recommend.Arn}:live/invocations"}


def test_the_api_is_throttled() -> None:
    template = translated(RateLimit="7", BurstLimit="9")
    (stage,) = of_type(template, "AWS::ApiGateway::Stage").values()
    assert {(m["ThrottlingRateLimit"], m["ThrottlingBurstLimit"]) for m in stage["MethodSettings"]} == {
        ("7", "9")
    }
    (plan,) = of_type(template, "AWS::ApiGateway::UsagePlan").values()
    assert plan["Throttle"] == {"RateLimit": "7", "BurstLimit": "9"}


def test_what_the_api_itself_refuses_is_a_problem_document() -> None:
    body = translated()["Resources"]["Api"]["Properties"]["Body"]
    responses = body["x-amazon-apigateway-gateway-responses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "BAD_REQUEST_BODY", "THROTTLED"} <= responses.keys()
    for name, response in responses.items():
        kind = response["responseParameters"]["gatewayresponse.header.Content-Type"]
        assert kind == "'application/problem+json'", name
        # as API Gateway fills it in: messageString comes with its quotes, the others without
        text = response["responseTemplates"]["application/json"]
        text = text.replace("$context.error.messageString", '"said"').replace("$context.", "")
        problem = json.loads(text)
        assert problem["type"] == "about:blank" and problem["title"] and problem["detail"], name
        assert problem["detail"] == problem["error"], name
        if "statusCode" in response:
            assert str(problem["status"]) == response["statusCode"], name
