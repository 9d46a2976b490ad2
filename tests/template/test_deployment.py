"""A new version of recommend: by whom it is judged, how traffic comes to it, what takes it back."""

from __future__ import annotations

from typing import Any

import pytest
from cfnlint.decode import cfn_yaml

from tests.template.test_template import ALIAS, of_type
from tests.template.translated import TEMPLATE, Template, translated
from warmer.preflight import Environment

TYPES = cfn_yaml.load(str(TEMPLATE))["Parameters"]["Deployment"]["AllowedValues"]
SHIFTS = [kind for kind in TYPES if kind != "off"]
ROLL_BACK = {"ErrorsAlarm", "LatencyAlarm", "ColdStartsAlarm", "QuarantineAlarm"}


def group(template: Template) -> dict[str, Any]:
    (one,) = of_type(template, "AWS::CodeDeploy::DeploymentGroup").values()
    return one


@pytest.mark.parametrize("kind", SHIFTS)
def test_traffic_is_shifted_as_asked_once_the_hook_has_judged(kind: str) -> None:
    template = translated(Deployment=kind)
    assert group(template)["DeploymentConfigName"] == f"CodeDeployDefault.Lambda{kind}"
    aliases = template["Resources"]
    policy = aliases["RecommendAliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert policy["BeforeAllowTrafficHook"] == {"Ref": "Preflight"}
    assert group(template)["ServiceRoleArn"] == {"Fn::GetAtt": ["DeploymentRole", "Arn"]}


def test_the_alarms_that_roll_back_are_all_there() -> None:
    template = translated()
    named = {alarm["Name"]["Ref"] for alarm in group(template)["AlarmConfiguration"]["Alarms"]}
    assert named == ROLL_BACK and named <= of_type(template, "AWS::CloudWatch::Alarm").keys()
    events = group(template)["AutoRollbackConfiguration"]["Events"]
    assert {"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"} <= set(events)


def test_off_leaves_codedeploy_out_and_the_gate_in() -> None:
    resources = translated(Deployment="off")["Resources"]
    assert not [name for name, one in resources.items() if one["Type"].startswith("AWS::CodeDeploy")]
    assert "UpdatePolicy" not in resources["RecommendAliaslive"]
    assert "Preflight" in resources  # for a pipeline of one's own, and for the local cloud


def test_the_hook_has_the_name_that_codedeploy_calls_and_the_version_it_is_to_judge() -> None:
    template = translated(DeploymentEnvironments="7", DeploymentRatio="1.2")
    hook = template["Resources"]["Preflight"]["Properties"]
    assert hook["FunctionName"] == "CodeDeployHook_preheat-preflight"
    variables = dict(hook["Environment"]["Variables"])
    (version,) = (n for n in of_type(template, "AWS::Lambda::Version") if n.startswith("RecommendVersion"))
    assert variables["PREFLIGHT_VERSION"] == {"Ref": version}
    assert variables["PREFLIGHT_TABLE"] == {"Ref": "WarmerTable"}
    given = {name: value for name, value in variables.items() if isinstance(value, str)}
    known = Environment.of({**given, "PREFLIGHT_VERSION": ALIAS.replace("live", "7")})
    assert (known.alias, known.environments, known.ratio) == ("live", 7, 1.2)


def test_the_warmer_knows_whose_alias_may_have_two_versions() -> None:
    variables = translated()["Resources"]["Warmer"]["Properties"]["Environment"]["Variables"]
    assert variables["WARMER_SHIFTS"] == "preheat-recommend:live"
