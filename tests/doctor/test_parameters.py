"""Parameters are judged before a deployment as CloudFormation will judge them, and priced."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from preheat_tools.doctor import parameters
from preheat_tools.doctor.command import doctor
from preheat_tools.doctor.costs import MONTH_S, fixed_costs
from preheat_tools.doctor.findings import Grade
from preheat_tools.simulator.assumptions import Assumptions

from tests.template.test_alarms import ALARM_USD, METRIC_USD, alarms, emitted, watched
from tests.template.test_template import BRANCHES
from tests.template.translated import refusals, translated
from warmer.policy.values import Prices

TEMPLATE = parameters.load(Path(__file__).parents[2] / "template.yaml")


def problems(**given: str) -> list[str]:
    found = parameters.check(TEMPLATE, given)
    return [one.text for one in found if one.grade is Grade.PROBLEM]


@pytest.mark.parametrize("given", BRANCHES)
def test_what_the_template_takes_is_no_problem(given: dict[str, str]) -> None:
    assert problems(**given) == []


@pytest.mark.parametrize(
    "given",
    [
        {"Strategy": "SnapStart", "Runtime": "python3.11", "EphemeralStorage": "1024"},
        {"Strategy": "SnapStart", "ProvisionedEnvironments": "3"},
        {"Strategy": "Provisioned"},
        {"ProvisionedEnvironments": "3"},
    ],
)
def test_exclusions_are_those_of_the_templates_rules(given: dict[str, str]) -> None:
    assert problems(**given) == refusals(**given) != []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"Stratgy": "Ping"}, "Stratgy is no parameter of the template"),
        ({"Strategy": "Pings"}, "Strategy must be one of Ping, Provisioned, SnapStart, Off, was: 'Pings'"),
        ({"Memory": "64"}, "Memory must be a number, 128 to 10240, was: '64'"),
        ({"Memory": "much"}, "was: 'much'"),
        ({"ColdStartCost": ".5"}, "ColdStartCost must match"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(given: dict[str, str], says: str) -> None:
    assert any(says in problem for problem in problems(**given))


def costs(**given: str) -> dict[str, float]:
    every = parameters.with_defaults(TEMPLATE, {"Memory": "2048", **given})
    return {cost.what: cost.usd for cost in fixed_costs(every)}


def test_provisioned_environments_are_priced_by_the_month() -> None:
    found = costs(Strategy="Provisioned", ProvisionedEnvironments="3", Metrics="off")
    assert found.pop("3 provisioned environments") == pytest.approx(3 * 2 * 730 * 3600 * 0.0000041667)
    assert found == {"0 metrics, 2 alarms": pytest.approx(0.2)}, "no warmer runs"
    arm = costs(Strategy="Provisioned", ProvisionedEnvironments="3", Architecture="arm64")
    assert arm["3 provisioned environments"] == pytest.approx(3 * 2 * MONTH_S * 0.0000033334)


def test_a_stage_that_keeps_nothing_costs_next_to_nothing() -> None:
    assert costs(Strategy="Off", Metrics="off") == {"0 metrics, 2 alarms": pytest.approx(0.2)}


@pytest.mark.parametrize("metrics", ["full", "lean", "off"])
def test_metrics_and_alarms_are_priced_as_the_template_has_them(metrics: str) -> None:
    (usd,) = (usd for what, usd in costs(Metrics=metrics).items() if "alarms" in what)
    watches = sum(len(list(watched(one))) for one in alarms(translated(Metrics=metrics)).values())
    assert usd == pytest.approx(METRIC_USD * len(set(emitted(metrics))) + ALARM_USD * watches)


def test_the_warmers_runs_are_priced_as_the_simulator_prices_them() -> None:
    (runs,) = (usd for what, usd in costs().items() if "runs of the warmer" in what)
    assumed, prices = Assumptions(), Prices()
    each = 0.5 * assumed.warmer_run_ms / 1000 * prices.on_demand_gb_s + prices.request + assumed.scheduler_usd
    assert each * 43_800 < runs < 1.5 * each * 43_800


def test_the_command_says_what_is_wrong_and_exits_by_it() -> None:
    bad = CliRunner().invoke(doctor, ["-p", "Strategy=Provisioned"])
    assert bad.exit_code == 1 and "PROBLEM parameters: Strategy Provisioned needs a number" in bad.output
    good = CliRunner().invoke(doctor, ["-p", "Stage=dev", "-p", "Strategy=Off"])
    assert good.exit_code == 0 and "Stage dev, a month" in good.output
