"""CodeDeploy's names of shifts, and what the stand-in watches."""

from __future__ import annotations

import pytest
from preheat_tools.localcloud.canary import ALARMS, Shift

from tests.template.translated import translated


@pytest.mark.parametrize(
    ("name", "percent", "wait_s"),
    [
        pytest.param("AllAtOnce", (), 0.0, id="all-at-once"),
        pytest.param("Canary10Percent5Minutes", (10,), 300.0, id="canary"),
        pytest.param("Linear10PercentEvery1Minute", (10, 20, 30, 40, 50, 60, 70, 80, 90), 60.0, id="linear"),
        pytest.param("Linear40PercentEvery3Minutes", (40, 80), 180.0, id="that-does-not-divide"),
    ],
)
def test_a_shift_by_its_name(name, percent, wait_s):
    assert Shift.of(name) == Shift(percent=percent, wait_s=wait_s)


@pytest.mark.parametrize("name", ["", "Canary", "Canary0Percent5Minutes", "Canary100Percent5Minutes", "off"])
def test_what_is_no_shift_is_refused(name):
    with pytest.raises(ValueError, match="a shift is AllAtOnce"):
        Shift.of(name)


def test_the_alarms_are_those_that_the_template_rolls_back_by():
    group = translated()["Resources"]["RecommendDeploymentGroup"]["Properties"]
    assert {one["Name"]["Ref"] for one in group["AlarmConfiguration"]["Alarms"]} == set(ALARMS)
