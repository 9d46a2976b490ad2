"""Warmth asked for ahead of time: checked, kept until it is over, and a floor from shortly before on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.credentials import Credentials
from preheat_tools.bench.stand_in import StandIn

from tests.warmer.local_lambda import serving
from tests.warmer.test_app import VARIABLES, Context
from warmer.adapters.expected import DynamoExpected
from warmer.adapters.invocation import LambdaEndpoint
from warmer.adapters.pings import LambdaPinger
from warmer.app import Environment, Warmer, tick
from warmer.expectations import MOST, Expected, ExpectError, parse
from warmer.policy.limits import AHEAD_S, next_edge_s, window_floor
from warmer.policy.values import Configured, Expectation, Failed, Objective, Target, Window

EVENT = json.loads((Path(__file__).parents[2] / "events" / "expect.json").read_text())
A = Target("preheat-recommend", "live")
FROM_S = datetime(2026, 11, 27, 18, tzinfo=UTC).timestamp()
NOW_S = FROM_S - 86_400.0
TOLD = Expectation(from_s=FROM_S, until_s=FROM_S + 7200, floor=20)


def event(**changes: Any) -> dict[str, Any]:
    return {**EVENT, "detail": {**EVENT["detail"], **changes}}


def test_the_event_in_the_folder_is_understood() -> None:
    assert parse(EVENT, [A], NOW_S) == Expected(A, TOLD)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({**EVENT, "detail": None}, "detail must have count, from, target, until"),
        (event(color="red"), "and nothing else"),
        (event(target="other:live"), r"one that is kept warm \(preheat-recommend:live\), was: 'other:live'"),
        (event(target=["x"]), "target must be one"),
        (event(count=0), "count must be a whole number, 1 to 10000, was: 0"),
        (event(count=True), "was: True"),
        (event(count="20"), "was: '20'"),
        (event(count=10_001), "was: 10001"),
        (event(**{"from": "noon"}), "from must be ISO 8601 with its zone, .* was: 'noon'"),
        (event(until="2026-11-27T20:00:00"), "until must be ISO 8601 with its zone"),
        (event(until=5), "until must be ISO 8601"),
        (event(until="2026-11-27T18:00:00Z"), "until must be after from"),
        (event(**{"from": "2026-11-20T18:00:00Z", "until": "2026-11-20T19:00:00Z"}), "until must lie ahead"),
        (event(until="2026-12-24T18:00:00Z"), "at most 7 days apart"),
        (event(**{"from": "2027-11-27T18:00:00Z", "until": "2027-11-27T19:00:00Z"}), "from must be within 90 days"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ExpectError, match=says):
        parse(given, [A], NOW_S)


def configured(**objective: Any) -> Configured:
    return Configured(target=A, objective=Objective(expected=(TOLD,), **objective))


@pytest.mark.parametrize(
    ("at_s", "floor", "edge_s"),
    [
        pytest.param(NOW_S, 0, FROM_S - AHEAD_S, id="a-day-before"),
        pytest.param(FROM_S - AHEAD_S, 20, FROM_S + 7200, id="shortly-before"),
        pytest.param(FROM_S + 7199, 20, FROM_S + 7200, id="to-its-end"),
        pytest.param(FROM_S + 7200, 0, float("inf"), id="over"),
    ],
)
def test_it_is_a_floor_from_shortly_before_to_its_end(at_s: float, floor: int, edge_s: float) -> None:
    assert window_floor(configured(), at_s) == floor
    assert next_edge_s(configured(), at_s) == edge_s


def test_the_larger_of_a_window_and_what_is_expected_holds() -> None:
    always = Window(days=frozenset(range(7)), from_minute=0, until_minute=1440, floor=30)
    assert window_floor(configured(windows=(always,)), FROM_S) == 30
    assert window_floor(configured(windows=(replace(always, floor=3),)), FROM_S) == 20


def test_what_is_delivered_twice_is_one_and_what_is_over_is_forgotten(aws: boto3.Session, table: str) -> None:
    store = DynamoExpected(aws.client("dynamodb"), table)
    assert store.read(NOW_S) == {}
    later = Expected(A, replace(TOLD, from_s=FROM_S + 9000, until_s=FROM_S + 9100))
    for one in (Expected(A, TOLD), Expected(A, TOLD), later):
        assert store.add(one, NOW_S) is None
    assert store.read(NOW_S) == {A: (TOLD, later.expectation)}
    assert store.read(FROM_S + 7200) == {A: (later.expectation,)}
    store.add(Expected(A, replace(TOLD, until_s=FROM_S + 9999)), FROM_S + 9500)
    (item,) = aws.client("dynamodb").scan(TableName=table)["Items"]
    assert len(item["expected"]["SS"]) == 1


def test_two_events_at_one_time_are_both_kept(aws: boto3.Session, table: str) -> None:
    client = aws.client("dynamodb")
    store, other = DynamoExpected(client, table), Expected(A, replace(TOLD, floor=5))
    came = []

    def between(**_: Any) -> None:
        if not came:
            came.append(store)
            store.add(other, NOW_S)

    client.meta.events.register("before-call.dynamodb.UpdateItem", between)
    assert store.add(Expected(A, TOLD), NOW_S) is None
    known = store.read(NOW_S)
    assert not isinstance(known, Failed) and set(known[A]) == {TOLD, other.expectation}


def test_there_is_a_most(aws: boto3.Session, table: str) -> None:
    store = DynamoExpected(aws.client("dynamodb"), table)
    answers = [store.add(Expected(A, replace(TOLD, floor=n + 1)), NOW_S) for n in range(MOST + 1)]
    assert answers[:MOST] == [None] * MOST and isinstance(answers[MOST], Failed)


def test_an_event_makes_its_target_due_and_warm_ahead_of_time(
    aws: boto3.Session, table: str, deploy: Any
) -> None:
    deploy("preheat-recommend")
    aws.client("ssm").put_parameter(
        Name="/warmer", Type="String", Value=json.dumps({"cold_start_cost_usd": 0, "ceiling": 8})
    )
    with serving(StandIn()) as url:
        this = Warmer(Environment.of({**VARIABLES, "WARMER_TARGETS": str(A)}), aws)
        this.pinger = LambdaPinger(LambdaEndpoint(url, "eu-west-1", Credentials("x", "y")))

        def run(at_s: float) -> dict[str, Any]:
            instant = datetime.fromtimestamp(at_s, UTC).isoformat()
            return tick(this, {"scheduled_time": instant}, Context(f"run-{at_s}"))

        assert run(FROM_S - 600)["pings"] < 8
        assert "problems" not in this.expect(EVENT, FROM_S - 580)
        assert run(FROM_S - 540)["pings"] < 8
        summary = run(FROM_S - 120)
        assert summary["pings"] == summary["reached"] == 8, "as many as the ceiling allows"
        assert run(FROM_S + 7200)["pings"] < 8


def test_what_is_refused_is_said_and_a_dry_run_keeps_nothing(
    aws: boto3.Session, table: str, deploy: Any
) -> None:
    deploy("preheat-recommend")
    aws.client("ssm").put_parameter(Name="/warmer", Type="String", Value="{}")
    variables = {**VARIABLES, "WARMER_TARGETS": str(A)}
    refused = Warmer(Environment.of(variables), aws).expect(event(count=-1), NOW_S)
    assert "count must be" in refused["problems"][0]
    dry = Warmer(Environment.of({**variables, "WARMER_DRY_RUN": "true"}), aws).expect(EVENT, NOW_S)
    assert "problems" not in dry
    assert aws.client("dynamodb").scan(TableName=table)["Count"] == 0


def test_where_the_table_cannot_be_read_what_was_known_holds(
    aws: boto3.Session, table: str, deploy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy("preheat-recommend")
    aws.client("ssm").put_parameter(Name="/warmer", Type="String", Value="{}")
    this = Warmer(Environment.of({**VARIABLES, "WARMER_TARGETS": str(A)}), aws)
    this.expected = {A: (TOLD,)}
    aws.client("dynamodb").delete_table(TableName=table)
    tick(this, {"scheduled_time": "2026-11-27T17:00:00Z"}, Context())
    assert this.expected == {A: (TOLD,)}
    assert '"event": "expect", "problems"' in capsys.readouterr().out
