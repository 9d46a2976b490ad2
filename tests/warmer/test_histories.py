"""Leases and rows on a DynamoDB table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from warmer.adapters.histories import KEPT_S, Due, DynamoHistories
from warmer.kill_switch import Strikes
from warmer.policy.history import History
from warmer.policy.values import Failed, Target

A, B = Target("a", "live"), Target("b", "live")
NOW_S = 1_800_000_000.0


@dataclass
class Clock:
    at_s: float = 5_000.0

    def __call__(self) -> float:
        return self.at_s


@dataclass
class Runs:
    """Runs of the warmer on one table and one wall clock."""

    client: Any
    clock: Clock = field(default_factory=Clock)
    count: int = 0

    def next(self, *, lasts_s: float = 100.0) -> DynamoHistories:
        self.count += 1
        until_s = self.clock() + lasts_s
        return DynamoHistories(self.client, "histories", f"run-{self.count}", until_s, self.clock)

    def item(self, target: Target) -> dict[str, Any]:
        answer = self.client.get_item(TableName="histories", Key={"target": {"S": str(target)}})
        return dict(answer.get("Item", {}))


@pytest.fixture
def runs(aws: boto3.Session, table: str) -> Runs:
    return Runs(aws.client("dynamodb"))


def knowing(rate_s: float) -> History:
    history = History.blank(1)
    history.columns["rate_s"] = rate_s
    return history


def test_what_one_run_saved_the_next_one_loads(runs: Runs) -> None:
    first = runs.next()
    assert first.lease([A], NOW_S).held == (A,)
    assert first.load([A]).history["rate_s"].tolist() == [0.0]
    assert first.save([A], knowing(2.5), [NOW_S + 60], NOW_S) == {}
    second = runs.next()
    assert second.lease([A], NOW_S + 60).held == (A,)
    assert second.load([A]).history["rate_s"].tolist() == [2.5]


def test_an_item_is_small_and_has_a_time_to_live(runs: Runs) -> None:
    run = runs.next()
    run.lease([A], NOW_S)
    run.save([A], knowing(1.0), [NOW_S + 60], NOW_S)
    item = runs.item(A)
    assert len(item["history"]["B"]) < 1000
    assert float(item["expires_at"]["N"]) == runs.clock() + KEPT_S
    assert "lease_by" not in item


def test_an_expired_item_is_as_good_as_none_though_it_is_still_there(runs: Runs) -> None:
    run = runs.next()
    run.lease([A], NOW_S)
    run.save([A], knowing(1.0), [NOW_S + 60], NOW_S)
    runs.clock.at_s += KEPT_S
    later = runs.next()
    later.lease([A], NOW_S + KEPT_S)
    assert later.load([A]).history["rate_s"].tolist() == [0.0]


def test_of_two_overlapping_runs_one_gets_the_target(runs: Runs) -> None:
    first, second = runs.next(), runs.next()
    assert first.lease([A], NOW_S).held == (A,)
    other = second.lease([A, B], NOW_S + 60)
    assert other.held == (B,)
    assert other.refused == {A: Failed("another run holds it")}


def test_a_lease_ends_with_the_run_that_died_holding_it(runs: Runs) -> None:
    runs.next(lasts_s=100).lease([A], NOW_S)
    runs.clock.at_s += 101
    assert runs.next().lease([A], NOW_S + 60).held == (A,)


def test_a_run_that_lost_its_lease_overwrites_nothing(runs: Runs) -> None:
    slow, quick = runs.next(lasts_s=10), runs.next()
    slow.lease([A], NOW_S)
    runs.clock.at_s += 11
    quick.lease([A], NOW_S + 60)
    quick.save([A], knowing(7.0), [NOW_S + 120], NOW_S + 60)
    unsaved = slow.save([A], knowing(1.0), [NOW_S + 60], NOW_S)
    assert "another run has it now" in unsaved[A].reason
    last = runs.next()
    last.lease([A], NOW_S + 120)
    assert last.load([A]).history["rate_s"].tolist() == [7.0]


def test_a_duplicate_delivery_is_refused(runs: Runs) -> None:
    first = runs.next()
    first.lease([A], NOW_S)
    first.save([A], knowing(1.0), [NOW_S], NOW_S)
    again = runs.next().lease([A], NOW_S)
    assert again.held == () and "duplicate delivery" in again.refused[A].reason


def test_a_target_that_is_not_due_is_in_neither(runs: Runs) -> None:
    first = runs.next()
    first.lease([A], NOW_S)
    first.save([A], knowing(1.0), [NOW_S + 300], NOW_S)
    leases = runs.next().lease([A], NOW_S + 60)
    assert leases.held == () and leases.refused == {}


def test_a_target_that_something_was_told_of_is_due_whatever_its_next_look_says(runs: Runs) -> None:
    due: dict[Target, Due] = {}
    first = DynamoHistories(runs.client, "histories", "1", 9_999, runs.clock, due)
    first.lease([A, B], NOW_S)
    for target in (A, B):
        first.save([target], knowing(1.0), [NOW_S + 300], NOW_S)
    woken = DynamoHistories(runs.client, "histories", "2", 9_999, runs.clock, due, frozenset({A}))
    assert woken.lease([A, B], NOW_S + 60).held == (A,)


def test_a_told_target_is_still_one_runs_at_a_time_and_once_an_instant(runs: Runs) -> None:
    awake = frozenset({A})
    first = DynamoHistories(runs.client, "histories", "1", 9_999, runs.clock)
    first.lease([A], NOW_S)
    other = DynamoHistories(runs.client, "histories", "2", 9_999, runs.clock, awake=awake)
    assert other.lease([A], NOW_S + 60).refused == {A: Failed("another run holds it")}
    first.save([A], knowing(1.0), [NOW_S + 300], NOW_S)
    again = DynamoHistories(runs.client, "histories", "3", 9_999, runs.clock, awake=awake)
    assert "duplicate delivery" in again.lease([A], NOW_S).refused[A].reason


def run_under(runs: Runs, settings: str, due: dict[Target, Due] | None = None) -> DynamoHistories:
    return DynamoHistories(
        runs.client,
        "histories",
        settings,
        9_999,
        runs.clock,
        {} if due is None else due,
        settings={A: settings},
    )


def test_a_target_whose_settings_changed_is_due_at_once(runs: Runs) -> None:
    due: dict[Target, Due] = {}
    first = run_under(runs, "floor 1", due)
    first.lease([A], NOW_S)
    first.save([A], knowing(1.0), [NOW_S + 300], NOW_S)
    assert run_under(runs, "floor 1", due).lease([A], NOW_S + 60).held == ()
    assert run_under(runs, "floor 1").lease([A], NOW_S + 60).held == ()
    changed = run_under(runs, "floor 2", due)
    assert changed.lease([A], NOW_S + 60).held == (A,)
    changed.save([A], knowing(1.0), [NOW_S + 300], NOW_S + 60)
    assert run_under(runs, "floor 2", due).lease([A], NOW_S + 120).held == ()
    assert run_under(runs, "floor 1").lease([A], NOW_S + 120).held == (A,), "back again is a change too"


def test_an_item_of_before_settings_were_kept_waits_for_its_next_look(runs: Runs) -> None:
    first = runs.next()
    first.lease([A], NOW_S)
    first.save([A], knowing(1.0), [NOW_S + 300], NOW_S)
    runs.client.update_item(
        TableName="histories", Key={"target": {"S": str(A)}}, UpdateExpression="REMOVE fingerprint"
    )
    assert run_under(runs, "floor 1").lease([A], NOW_S + 60).held == ()


def test_what_is_known_to_be_not_due_costs_no_write(runs: Runs) -> None:
    due: dict[Target, Due] = {}
    first = DynamoHistories(runs.client, "histories", "1", 9_999, runs.clock, due)
    first.lease([A], NOW_S)
    first.save([A], knowing(1.0), [NOW_S + 300], NOW_S)
    assert due == {A: Due(NOW_S + 300, "")}
    unreachable: Any = None
    second = DynamoHistories(unreachable, "histories", "2", 9_999, runs.clock, due)
    assert second.lease([A], NOW_S + 60).held == ()


def test_what_was_leased_and_not_saved_is_let_go(runs: Runs) -> None:
    first = runs.next()
    first.lease([A, B], NOW_S)
    first.save([A], knowing(1.0), [NOW_S + 60], NOW_S)
    first.release()
    assert "lease_by" not in runs.item(B)
    assert runs.next().lease([A, B], NOW_S + 60).held == (A, B)


def test_strikes_are_kept_with_the_row(runs: Runs) -> None:
    first = runs.next()
    first.lease([A], NOW_S)
    first.strike(A, Strikes(failures=4, paused_until_s=NOW_S + 900))
    first.save([A], knowing(1.0), [NOW_S + 60], NOW_S)
    second = runs.next()
    second.lease([A], NOW_S + 60)
    assert second.strikes(A) == Strikes(failures=4, paused_until_s=NOW_S + 900)


def test_a_table_that_is_not_there_holds_every_target(aws: boto3.Session) -> None:
    store = DynamoHistories(aws.client("dynamodb"), "nowhere", "run", 1e12)
    leases = store.lease([A, B], NOW_S)
    assert leases.held == () and set(leases.refused) == {A, B}
    assert "lease of a:live" in leases.refused[A].reason
    assert set(store.load([A]).failed) == {A}
