"""Targets by tag and by list."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from warmer.adapters.targets import Catalogue, Found, parse_targets
from warmer.policy.values import Failed, FunctionFacts, Target
from warmer.settings import SettingError

A, B = Target("a", "live"), Target("b", "live")
NOW_S = 1_800_000_000.0


def catalogue(aws: boto3.Session, listed: tuple[Target, ...] = (), parameter: str = "") -> Catalogue:
    return Catalogue(
        aws.client("lambda"),
        aws.client("resourcegroupstaggingapi"),
        aws.client("ssm"),
        parameter,
        listed,
    )


def targets(found: Found) -> set[Target]:
    return {configured.target for configured in found.configured}


def put(aws: boto3.Session, text: str) -> None:
    aws.client("ssm").put_parameter(Name="/warmer", Value=text, Type="String", Overwrite=True)


def test_functions_with_the_tag_are_found_with_their_facts(aws: boto3.Session, deploy: Any) -> None:
    deploy("a", tags={"preheat": "live", "preheat:floor": "3", "team": "x"})
    deploy("b")
    found = catalogue(aws).find(NOW_S)
    (configured,) = found.configured
    assert configured.target == A and configured.objective.floor == 3
    assert configured.facts == FunctionFacts(memory_mb=2048, architecture="arm64")


def test_more_functions_than_a_page_holds_are_found(aws: boto3.Session, deploy: Any) -> None:
    for i in range(60):
        deploy(f"f{i}", tags={"preheat": "live"})
    assert len(catalogue(aws).find(NOW_S).configured) == 60


def test_a_tag_may_name_several_aliases(aws: boto3.Session, deploy: Any) -> None:
    deploy("a", tags={"preheat": "live beta"})
    aws.client("lambda").create_alias(FunctionName="a", Name="beta", FunctionVersion="1")
    assert targets(catalogue(aws).find(NOW_S)) == {A, Target("a", "beta")}


def test_listed_targets_are_taken_as_they_are(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    deploy("b", tags={"preheat": "live"})
    assert targets(catalogue(aws, parse_targets("WARMER_TARGETS", "a:live")).find(NOW_S)) == {A}


def test_a_bad_setting_holds_its_target_and_no_other(aws: boto3.Session, deploy: Any) -> None:
    deploy("a", tags={"preheat": "live", "preheat:floor": "many"})
    deploy("b", tags={"preheat": "live"})
    found = catalogue(aws).find(NOW_S)
    assert targets(found) == {B}
    assert "floor (tag preheat:floor) must be" in found.held[A].reason


def test_a_tag_that_names_no_alias_is_reported(aws: boto3.Session, deploy: Any) -> None:
    deploy("a", tags={"preheat": "$LATEST"})
    (held,) = catalogue(aws).find(NOW_S).held.values()
    assert "must be the alias to keep warm, was: '$LATEST'" in held.reason


def test_a_function_that_is_not_there_is_held(aws: boto3.Session, deploy: Any) -> None:
    deploy("b")
    found = catalogue(aws, (A, B)).find(NOW_S)
    assert targets(found) == {B} and isinstance(found.held[A], Failed)


def test_settings_change_at_run_time(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    here = catalogue(aws, (A,), "/warmer")
    floors = []
    for text in ('{"floor": 1}', '{"floor": 2, "targets": {"a:live": {"floor": 5}}}'):
        put(aws, text)
        floors.append(here.find(NOW_S).configured[0].objective.floor)
    assert floors == [1, 5]


def test_a_target_that_is_switched_off_is_neither_looked_at_nor_held(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    put(aws, '{"enabled": false}')
    found = catalogue(aws, (A,), "/warmer").find(NOW_S)
    assert found == Found((), {}, (A,))


def test_a_parameter_nothing_of_which_can_be_used_stops_the_cycle_with_the_reason(
    aws: boto3.Session, deploy: Any
) -> None:
    deploy("a")
    with pytest.raises(SettingError, match=r"parameter /warmer \(WARMER_SETTINGS\) cannot be read"):
        catalogue(aws, (A,), "/warmer").find(NOW_S)
    put(aws, "{")
    with pytest.raises(SettingError, match="must be JSON"):
        catalogue(aws, (A,), "/warmer").find(NOW_S)


def test_facts_are_asked_for_once_an_hour(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    here = catalogue(aws, (A,))
    sizes = []
    for hours in (0, 0.5, 1.1):
        sizes.append(here.find(NOW_S + hours * 3600).configured[0].facts.memory_mb)
        client = aws.client("lambda")
        client.update_function_configuration(FunctionName="a", MemorySize=4096)
        client.update_alias(
            FunctionName="a", Name="live", FunctionVersion=client.publish_version(FunctionName="a")["Version"]
        )
    assert sizes == [2048, 2048, 4096]


@pytest.mark.parametrize("text", ["a", "a:", "a:live:x", "a live", "a:$LATEST"])
def test_a_list_that_cannot_be_read_says_how_it_is_written(text: str) -> None:
    with pytest.raises(ValueError, match="WARMER_TARGETS must list function:alias"):
        parse_targets("WARMER_TARGETS", text)
