"""A page for each alarm, and commands on it that do what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cfnlint.decode import cfn_yaml

from tests.template.test_alarms import alarms, emitted, watched, widgets
from tests.template.translated import TEMPLATE, translated
from warmer.policy.values import Target
from warmer.settings import parse_document, settings_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "runbooks.md").read_text()
MONITORING = (DOCS / "monitoring.md").read_text()
HEADINGS = {line.removeprefix("## ") for line in PAGE.splitlines() if line.startswith("## ")}
PARAMETERS = cfn_yaml.load(str(TEMPLATE))["Parameters"]


def test_every_alarm_has_its_section_and_names_it() -> None:
    for name, alarm in alarms(translated()).items():
        heading = alarm["AlarmName"].removeprefix("preheat-")
        assert heading in HEADINGS, name
        assert alarm["AlarmDescription"].endswith(f"docs/runbooks.md#{heading}"), name
        section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        for space, metric, _, _ in watched(alarm):
            assert f"`{metric}`" in section and f"`{space}`" in section, name


def test_off_in_one_command_is_a_parameter_and_a_setting_that_there_are() -> None:
    commands = re.findall(r"put-parameter --overwrite --name (\S+) --value '([^']+)'", PAGE)
    ((name, value),) = commands
    parameter = translated()["Resources"]["WarmerSettings"]["Properties"]
    assert parameter["Name"] == name
    settings = settings_of(Target("f", "live"), parse_document(value, name), {}, name, now_s=0.0)
    assert not settings.enabled


def test_off_for_good_stops_schedule_and_bursts() -> None:
    (value,) = re.findall(r"make deploy SETTINGS=WarmerState=(\w+)", PAGE)
    resources = translated(WarmerState=value)["Resources"]
    assert resources["WarmerSchedule"]["Properties"]["State"] == "DISABLED"
    assert "Burst" not in resources and "WarmerSilentAlarm" not in resources


def test_a_repair_past_a_sounding_alarm_is_one_that_the_template_takes() -> None:
    for name, value in re.findall(r"make deploy SETTINGS=(\w+)=(\w+)", PAGE):
        assert value in PARAMETERS[name]["AllowedValues"]
    (value,) = re.findall(r"make deploy SETTINGS=Deployment=(\w+)", PAGE)
    alias = translated(Deployment=value)["Resources"]["RecommendAliaslive"]
    assert "UpdatePolicy" not in alias


@pytest.mark.parametrize("page", ["runbooks.md", "monitoring.md", "warmer.md"])
def test_links_between_headings_lead_somewhere(page: str) -> None:
    text = (DOCS / page).read_text()
    for file, anchor in re.findall(r"\]\((\w+\.md)?#([\w-]+)\)", text):
        lines = (DOCS / (file or page)).read_text().splitlines()
        titles = {line.lstrip("# ").lower() for line in lines if line.startswith("#")}
        assert anchor in {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles}, anchor


@pytest.mark.parametrize("page", [PAGE, MONITORING], ids=["runbooks", "monitoring"])
def test_parameters_that_a_page_names_are_the_templates(page: str) -> None:
    named = set(re.findall(r"`([A-Z][A-Za-z]+)[`=]", page))
    metrics = {name for name, _ in emitted()} | {"Errors", "Duration", "Invocations"}
    said = {"State", "HOT", "Preheat", "FunctionName", "Warmer"}
    assert named - metrics - said <= PARAMETERS.keys()


def test_every_picture_of_the_dashboard_is_explained_and_is_in_the_drawn_one() -> None:
    drawn = (DOCS / "dashboard.svg").read_text()
    for widget in widgets():
        title = widget["properties"]["title"]
        assert f"| {title} |" in MONITORING and f">{title}<" in drawn


def test_the_prices_on_the_page_are_those_of_the_parameter() -> None:
    for metrics in ("full", "lean", "off"):
        (row,) = (line for line in MONITORING.splitlines() if line.startswith(f"| `{metrics}` |"))
        price = row.rstrip("| ").rpartition("$")[2]
        assert f"${price}" in json.dumps(PARAMETERS["Metrics"]["Description"]).partition(f"{metrics} - ")[2]
