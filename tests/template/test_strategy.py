"""What keeps a function ready is one parameter, and what Lambda refuses is refused before anything is made."""

from __future__ import annotations

import json

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cfnlint.decode import cfn_yaml

from tests.template.test_template import BRANCHES, of_type
from tests.template.translated import TEMPLATE, holding, refusals, translated

TORCH = {"TorchImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/torch:1"}
PROVISIONED = {"Strategy": "Provisioned", "ProvisionedEnvironments": "3"}


@pytest.mark.parametrize(
    ("parameters", "provisioned", "snapshots", "schedule", "bursts", "enabled"),
    [
        pytest.param({}, None, None, "ENABLED", True, "true", id="ping"),
        pytest.param(PROVISIONED, "3", None, "DISABLED", False, "false", id="provisioned"),
        pytest.param({"Strategy": "SnapStart"}, None, "PublishedVersions", "DISABLED", False, "false", id="snapshots"),
        pytest.param({"Strategy": "Off"}, None, None, "DISABLED", False, "false", id="off"),
        pytest.param(
            {"Strategy": "SnapStart", "WarmTargets": "tagged"}, None, "PublishedVersions", "ENABLED", False, "false",
            id="snapshots-here-and-pings-elsewhere",
        ),
        pytest.param({"WarmerState": "DISABLED"}, None, None, "DISABLED", False, "true", id="stopped"),
    ],
)  # fmt: skip
def test_each_strategy_has_its_own_instrument_and_no_other(  # noqa: PLR0917
    parameters: dict[str, str],
    provisioned: str | None,
    snapshots: str | None,
    schedule: str,
    bursts: bool,
    enabled: str,
) -> None:
    resources = translated(**parameters, **TORCH)["Resources"]
    for name in ("Recommend", "RecommendTorch"):
        alias = resources[f"{name}Aliaslive"]["Properties"]
        config = alias.get("ProvisionedConcurrencyConfig", {})
        assert config.get("ProvisionedConcurrentExecutions") == provisioned
        function = resources[name]["Properties"]
        assert function.get("SnapStart", {}).get("ApplyOn") == snapshots
        assert {"Key": "preheat:enabled", "Value": enabled} in function["Tags"]
    assert resources["WarmerSchedule"]["Properties"]["State"] == schedule
    assert ("Burst" in resources) == bursts


@pytest.mark.parametrize("parameters", BRANCHES)
def test_what_is_allowed_is_not_refused(parameters: dict[str, str]) -> None:
    assert refusals(**parameters) == []


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"Strategy": "SnapStart", "Runtime": "python3.11"}, "SnapStart needs Python 3.12 or later"),
        ({"Strategy": "SnapStart", "EphemeralStorage": "1024"}, "SnapStart takes no /tmp above 512 MB"),
        ({"Strategy": "SnapStart", "ProvisionedEnvironments": "1"}, "exclude each other"),
        ({"Strategy": "Provisioned"}, "Strategy Provisioned needs a number"),
        ({"ProvisionedEnvironments": "2"}, "under Ping the number is the warmer's"),
        ({"Strategy": "Off", "ProvisionedEnvironments": "2"}, "for Strategy Provisioned alone"),
        ({"WarmerRate": "rate(5 minutes)"}, "set WarmerPeriod to the seconds between two runs"),
        ({"WarmerPeriod": "300"}, "set WarmerPeriod to 60"),
    ],
)
def test_what_lambda_refuses_is_refused_with_the_way_out(parameters: dict[str, str], says: str) -> None:
    assert any(says in refusal for refusal in refusals(**parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        {"WarmerRate": "rate(5 minutes)", "WarmerPeriod": "300"},
        {"WarmerRate": "cron(* * * * ? *)"},
        {"WarmerRate": "cron(0/15 6-22 * * ? *)", "WarmerPeriod": "900"},
        {"WarmerRate": "rate(30 days)", "WarmerState": "DISABLED"},
    ],
)
def test_a_rate_and_the_period_of_its_alarm_go_together(parameters: dict[str, str]) -> None:
    assert refusals(**parameters) == []


@pytest.mark.parametrize(
    ("parameters", "mode"),
    [
        ({}, "hot"),
        ({"Stage": "dev"}, "cold"),
        ({"Stage": "test"}, "cold"),
        ({"Stage": "staging"}, "hot"),
        ({"Stage": "dev", "Mode": "hot"}, "hot"),
        ({"Mode": "cold"}, "cold"),
    ],
)
def test_production_is_hot_and_development_cold(parameters: dict[str, str], mode: str) -> None:
    for function in ("Recommend", "RecommendTorch"):
        variables = translated(**parameters, **TORCH)["Resources"][function]["Properties"]["Environment"]
        assert variables["Variables"]["PREHEAT_MODE"] == mode


def test_the_branches_are_all_there_are() -> None:
    """Every condition of the template holds in one of them and does not in another."""
    conditions = cfn_yaml.load(str(TEMPLATE))["Conditions"]
    held = [holding(**branch.values[0]) for branch in BRANCHES]
    assert {name for name in conditions if all(name in names for names in held)} == set()
    assert conditions.keys() == set().union(*held)


@pytest.mark.parametrize("parameters", BRANCHES)
def test_every_branch_is_a_template_that_the_linter_takes(parameters: dict[str, str]) -> None:
    """After SAM's translation, with this branch's parameters and conditions put in."""
    branch = translated(**parameters)
    assert of_type(branch, "AWS::Lambda::Function")
    found = lint(json.dumps(branch), config=ManualArgs(regions=["us-east-1"], ignore_checks=["W3005"]))
    assert [str(one) for one in found] == []
