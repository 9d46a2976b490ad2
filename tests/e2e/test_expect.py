"""Warmth asked for by an event: by EventBridge's rule to the warmer, and the next cycle gives it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from preheat_tools.localcloud import deployment

from tests.e2e.conftest import ROOT, System
from tests.waiting import until

pytestmark = pytest.mark.cloud


@pytest.fixture
def expecting(deployed: System) -> System:
    """The same build once more, for what is expected stays; its schedule is as good as never."""
    cloud = deployed.cloud
    made = deployment.deploy(
        cloud,
        ROOT / "template.yaml",
        stack="expecting",
        parameters={"WarmerRate": '"rate(30 days)"', "WarmerPeriod": "3600", "Bursts": "false"},
        built=Path(cloud.folder) / "build/template.yaml",
    )
    return System(cloud, made, deployment.api_url(cloud, made), deployment.api_key(cloud, made))


def test_an_event_is_met_by_the_next_cycle(expecting: System) -> None:
    expecting.settle({"cold_start_cost_usd": 0})  # nothing would pay by itself
    assert expecting.tick()["reached"] == 0
    begin_s = expecting.cloud.now_s()
    begin, end = (
        datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
        for at_s in (begin_s, begin_s + 86_400)
    )
    detail = {"target": f"{expecting.function}:live", "from": begin, "until": end, "count": 2}
    entry = {"Source": "campaigns", "DetailType": "preheat.expect", "Detail": json.dumps(detail)}
    assert expecting.cloud.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    until(lambda: _kept(expecting))
    until(lambda: expecting.tick()["reached"] >= 2)  # a round of INITs on a busy machine may reach fewer
    assert expecting.ask()[0] == 200 and not expecting.last()["cold"]


def _kept(system: System) -> bool:
    table = system.made.outputs["WarmerTableName"]
    return "Item" in system.cloud.client("dynamodb").get_item(
        TableName=table, Key={"target": {"S": "expect#"}}
    )
