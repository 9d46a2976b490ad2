"""Announced cold starts on their way through the table."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from warmer.adapters.cooldown import Cooldown
from warmer.adapters.told import DynamoColdStarts, ToldColdStarts
from warmer.policy.values import Failed, Target

A, B = Target("a", "live"), Target("b", "live")
BOTH = frozenset({A, B})
NOW_S = 1_800_000_000.0
SINCE = dict.fromkeys((A, B), 0.0)


@pytest.fixture
def client(aws: boto3.Session, table: str) -> Any:
    return aws.client("dynamodb")


@pytest.fixture
def handler(client: Any) -> ToldColdStarts:
    return ToldColdStarts(client, "histories")


def run(client: Any, **options: Any) -> DynamoColdStarts:
    return DynamoColdStarts(client, "histories", BOTH, **options)


def test_what_the_handler_tells_is_what_one_cycle_reads(client: Any, handler: ToldColdStarts) -> None:
    assert handler.tell(A, {"e2": NOW_S + 1.25, "e1": NOW_S}, NOW_S) is None
    assert handler.tell(A, {"e3": NOW_S + 2}, NOW_S) is None
    first = run(client)
    assert first.awake([A, B]) == {A}
    assert first.read(SINCE, NOW_S + 60) == {A: (NOW_S, NOW_S + 1.25, NOW_S + 2)}
    second = run(client)
    assert second.awake([A, B]) == frozenset()
    assert second.read(SINCE, NOW_S + 120) == {}


def test_a_cycle_that_reads_again_reads_the_same(client: Any, handler: ToldColdStarts) -> None:
    handler.tell(A, {"e1": NOW_S}, NOW_S)
    cycle = run(client)
    cycle.awake([A])
    assert cycle.read(SINCE, NOW_S) == cycle.read({A: 0.0}, NOW_S) == {A: (NOW_S,)}


def test_one_delivered_twice_is_one(client: Any, handler: ToldColdStarts) -> None:
    for _ in range(2):
        handler.tell(A, {"e1": NOW_S}, NOW_S)
    cycle = run(client)
    cycle.awake([A])
    assert cycle.read(SINCE, NOW_S) == {A: (NOW_S,)}


def test_what_is_told_between_the_look_and_the_lease_comes_along(
    client: Any, handler: ToldColdStarts
) -> None:
    handler.tell(A, {"e1": NOW_S}, NOW_S)
    cycle = run(client)
    cycle.awake([A])
    handler.tell(A, {"e2": NOW_S + 3}, NOW_S + 3)
    assert cycle.read(SINCE, NOW_S) == {A: (NOW_S, NOW_S + 3)}


def test_what_another_run_took_meanwhile_is_not_read_again(client: Any, handler: ToldColdStarts) -> None:
    handler.tell(A, {"e1": NOW_S}, NOW_S)
    slow, quick = run(client), run(client)
    assert slow.awake([A]) == quick.awake([A]) == {A}
    quick.read(SINCE, NOW_S)
    assert slow.read(SINCE, NOW_S) == {}


def test_only_targets_that_announce_are_asked_for(client: Any, handler: ToldColdStarts) -> None:
    handler.tell(A, {"e1": NOW_S}, NOW_S)
    assert DynamoColdStarts(client, "histories", frozenset({B})).awake([A, B]) == frozenset()


def test_a_dry_run_takes_nothing(client: Any, handler: ToldColdStarts) -> None:
    handler.tell(A, {"e1": NOW_S}, NOW_S)
    for _ in range(2):
        dry = run(client, keeps=True)
        assert dry.awake([A]) == {A}
        assert dry.read(SINCE, NOW_S) == {A: (NOW_S,)}


def test_telling_and_cooling_down_share_an_item_that_expires(client: Any, handler: ToldColdStarts) -> None:
    handler.tell(A, {"e1": NOW_S}, NOW_S)
    assert Cooldown(client, "histories").begin(A, NOW_S)
    handler.tell(A, {"e2": NOW_S}, NOW_S)
    assert not Cooldown(client, "histories").begin(A, NOW_S + 1)
    (item,) = client.scan(TableName="histories")["Items"]
    assert item["target"]["S"] == "burst#a:live" and float(item["expires_at"]["N"]) > NOW_S
    assert len(item["told"]["SS"]) == 2


def test_a_table_that_is_not_there_is_a_failure_of_each_target(aws: boto3.Session) -> None:
    client = aws.client("dynamodb")
    failed = ToldColdStarts(client, "nowhere").tell(A, {"e1": NOW_S}, NOW_S)
    assert failed is not None and "cold starts of a:live" in failed.reason
    cycle = DynamoColdStarts(client, "nowhere", BOTH)
    assert cycle.awake([A]) == frozenset()
    assert isinstance(cycle.read({A: 0.0}, NOW_S)[A], Failed)
