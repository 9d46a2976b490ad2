"""A deployment, from the built package to the last step of the shift, by the real hook and real workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from preheat_tools.localcloud.canary import Canary, Shift, package
from preheat_tools.localcloud.commands import local

from tests.e2e.conftest import CUSTOMERS, System, requests
from tests.waiting import until

pytestmark = pytest.mark.cloud

FIVE_MINUTES = Shift.of("Canary10Percent5Minutes")


@pytest.fixture(autouse=True)
def calm(canary: Canary) -> None:
    """No alarm of an earlier deployment, which would stop this one at its first step."""
    until(lambda: not canary.alarms())


@pytest.fixture
def good(copy: Path) -> bytes:
    """Other code, the same models."""
    (copy / "note.txt").write_text(str(copy))
    return package(copy)


def test_a_good_version_takes_over_and_no_customer_waits_for_init(
    shipped: System, canary: Canary, good: bytes, customers: Callable[[], list[int]]
) -> None:
    before = int(shipped.last()["sequence"])

    outcome = canary.deploy(good, FIVE_MINUTES)

    assert outcome.stopped == ""
    assert outcome.report.startswith("PASSED")
    until(lambda: requests(shipped, before)[-1]["version"] == outcome.new)
    asked = requests(shipped, before)
    assert {one["version"] for one in asked} == {outcome.old, outcome.new}
    assert [one for one in asked if one["cold"]] == []
    assert set(customers()) == {200}


def test_errors_while_traffic_shifts_roll_back(
    shipped: System, canary: Canary, good: bytes, customers: Callable[[], list[int]]
) -> None:
    alarm = f"{shipped.made.stack}-errors"
    before = int(shipped.last()["sequence"])
    told: list[str] = []

    def fail(line: str) -> None:
        told.append(line)
        if "10 %" in line:  # what only customers find: the hook has been content
            shipped.cloud.client("lambda").invoke(
                FunctionName=shipped.function, Qualifier="live", Payload=b'{"httpMethod": 1}'
            )

    outcome = Canary(shipped.cloud, shipped.made, fail).deploy(good, FIVE_MINUTES)

    assert outcome.stopped == f"alarm {alarm}"
    assert told[-1].endswith(f"version {outcome.old} has all requests")
    after = int(shipped.last()["sequence"])
    until(lambda: len(requests(shipped, after)) > CUSTOMERS)
    assert {one["version"] for one in requests(shipped, after)[CUSTOMERS:]} == {outcome.old}
    assert [one for one in requests(shipped, before) if one["cold"]] == []


def test_the_command_says_what_happened(shipped: System, canary: Canary, deployed: System) -> None:
    told = CliRunner().invoke(
        local,
        ["--folder", shipped.cloud.folder, "deploy", "--stack", shipped.made.stack, "--canary=AllAtOnce"],
    )
    assert told.exit_code == 0, told.output
    assert "by a stand-in" in told.output
    assert "BeforeAllowTraffic: Succeeded" in told.output and "PASSED" in told.output


def test_a_shift_that_codedeploy_does_not_know_is_refused(shipped: System) -> None:
    told = CliRunner().invoke(
        local,
        ["--folder", shipped.cloud.folder, "deploy", "--stack", shipped.made.stack, "--canary=Slowly"],
    )
    assert told.exit_code == 2 and "a shift is AllAtOnce" in told.output
