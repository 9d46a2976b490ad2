"""The payloads in events/ are what the template's own wiring sends."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from preheat.ping import Level, Ping

from tests.template.translated import translated
from warmer.expectations import DETAIL_TYPE, FIELDS

EVENTS = Path(__file__).parents[2] / "events"
OF_THE_API = sorted(EVENTS.glob("api_*.json"))


def payload(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def test_the_ping_is_one_of_the_wire_contract() -> None:
    event = payload("warmup_ping")
    ping = Ping.from_event(event)
    assert ping.to_event() == event
    assert ping.models == {"short_form": Level.HOT, "long_form": Level.CACHED}


def test_the_schedules_event_has_the_fields_of_the_schedules_input() -> None:
    schedule = translated()["Resources"]["WarmerSchedule"]["Properties"]
    event = payload("schedule_cycle")
    assert event.keys() == json.loads(schedule["Target"]["Input"]).keys()
    assert datetime.fromisoformat(event["scheduled_time"]).utcoffset() is not None


def test_what_is_expected_reaches_the_warmer_by_a_rule_of_its_own_targets() -> None:
    resources, event = translated()["Resources"], payload("expect")
    rule = resources["WarmerExpect"]["Properties"]
    pattern = rule["EventPattern"]
    assert event["detail-type"] in pattern["detail-type"] and event["detail-type"] == DETAIL_TYPE
    assert event["detail"]["target"] in pattern["detail"]["target"]
    assert event["detail"].keys() == FIELDS
    assert pattern["source"] == [{"anything-but": {"prefix": "aws."}}]
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["Warmer", "Arn"]}
    permission = resources["WarmerExpectPermission"]["Properties"]
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == {"Fn::GetAtt": ["WarmerExpect", "Arn"]}
    assert (
        "detail"
        not in translated(WarmTargets="tagged")["Resources"]["WarmerExpect"]["Properties"]["EventPattern"]
    )


@pytest.mark.parametrize("file", OF_THE_API, ids=lambda file: file.stem)
def test_an_api_event_comes_by_a_route_that_the_template_has(file: Path) -> None:
    event = json.loads(file.read_text())
    routes = translated()["Resources"]["Api"]["Properties"]["Body"]["paths"]
    assert event["httpMethod"].lower() in routes[event["resource"]]
    path = event["resource"].format(**event["pathParameters"] or {})
    assert event["path"] == path and event["requestContext"]["path"] == f"/prod{path}"
    assert event["requestContext"]["resourcePath"] == event["resource"]
    if event["body"] is not None:
        json.loads(event["body"])


def test_every_event_is_on_the_page() -> None:
    page = (EVENTS / "README.md").read_text()
    for file in EVENTS.glob("*.json"):
        assert f"`{file.name}`" in page or (file.name.startswith("api_") and "`api_*.json`" in page), (
            file.name
        )
