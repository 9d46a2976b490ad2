"""The cycle: what happens to a target stays with that target."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from warmer.cycle import run_cycle
from warmer.fakes import EchoPinger, InstantProvisioner, MemoryStore, ScriptedDemand
from warmer.policy.history import VERSION, History
from warmer.policy.plans import Batch, Plans
from warmer.policy.preheat import Preheat
from warmer.policy.values import (
    Capacity,
    Configured,
    Demand,
    Facts,
    Failed,
    Reason,
    Round,
    RoundReport,
    Target,
    Terms,
)
from warmer.ports import Ports

NOW_S = 1_700_000_000.0
A, B = Target("a", "live"), Target("b", "live")
BOTH = [Configured(target=A), Configured(target=B)]


@dataclass
class World:
    demand: ScriptedDemand = field(default_factory=ScriptedDemand)
    provisioner: InstantProvisioner = field(default_factory=InstantProvisioner)
    pinger: EchoPinger = field(default_factory=EchoPinger)
    store: MemoryStore[History] = field(default_factory=lambda: MemoryStore(History.stack))

    def ports(self) -> Ports[History]:
        return Ports(
            demand=self.demand, provisioner=self.provisioner, pinger=self.pinger, histories=self.store
        )


def busy(peak: int, now_s: float = NOW_S, minutes: int = 60) -> Demand:
    return Demand(
        start_s=now_s - 120 - 60 * minutes,
        period_s=60.0,
        peak_concurrency=(peak,) * minutes,
        invocations=(peak * 3,) * minutes,
        duration_s=0.2,
    )


def test_a_busy_target_is_pinged_and_its_outcome_is_one_json_line() -> None:
    world = World(demand=ScriptedDemand({A: busy(4)}))
    (outcome,) = run_cycle(BOTH[:1], world.ports(), Preheat(), NOW_S)
    assert world.pinger.sent[0].target == A and world.pinger.sent[0].environments >= 4
    line = json.loads(json.dumps(outcome.to_record()))
    assert line["target"] == "a:live" and line["reached"] == line["pings"] >= 4
    assert line["cold_starts_without"] >= line["cold_starts"]
    assert "\n" not in json.dumps(line)


def test_metrics_that_cannot_be_read_hold_one_target_and_leave_the_others_alone() -> None:
    world = World(demand=ScriptedDemand({A: Failed("500 from CloudWatch"), B: busy(2)}))
    outcomes = {o.target: o for o in run_cycle(BOTH, world.ports(), Preheat(), NOW_S)}
    assert outcomes[A].reason is Reason.UNKNOWN
    assert outcomes[A].problems == ("demand: 500 from CloudWatch",)
    assert outcomes[A].provisioned is None
    assert outcomes[B].reason is not Reason.UNKNOWN and outcomes[B].problems == ()


def test_a_history_that_cannot_be_read_leaves_its_target_alone() -> None:
    world = World()
    world.store.unreadable[A] = Failed("table throttled")
    outcomes = run_cycle(BOTH, world.ports(), Preheat(), NOW_S)
    assert [o.target for o in outcomes] == [A, B]
    assert outcomes[0].problems == ("table throttled",)
    assert A not in {r.target for r in world.pinger.sent}


def test_a_duplicate_delivery_does_nothing() -> None:
    world = World(demand=ScriptedDemand({A: busy(4)}))
    run_cycle(BOTH[:1], world.ports(), Preheat(), NOW_S)
    sent = len(world.pinger.sent)
    (again,) = run_cycle(BOTH[:1], world.ports(), Preheat(), NOW_S)
    assert len(world.pinger.sent) == sent
    assert again.reason is Reason.UNKNOWN and "duplicate" in again.problems[0]


def test_a_target_that_another_run_holds_is_left_to_it() -> None:
    world = World()
    world.store.lease([A], NOW_S - 1)
    outcomes = {o.target: o for o in run_cycle(BOTH, world.ports(), Preheat(), NOW_S)}
    assert "another run" in outcomes[A].problems[0]
    assert outcomes[B].problems == ()


def test_a_target_is_not_looked_at_before_its_time() -> None:
    world = World(demand=ScriptedDemand({A: busy(4)}))
    (first,) = run_cycle(BOTH[:1], world.ports(), Preheat(), NOW_S)
    assert run_cycle(BOTH[:1], world.ports(), Preheat(), first.next_look_s - 1) == []
    assert len(run_cycle(BOTH[:1], world.ports(), Preheat(), first.next_look_s)) == 1


def test_a_failed_round_is_told_and_remembered_as_no_round() -> None:
    world = World(demand=ScriptedDemand({A: busy(4)}))
    world.pinger.failures[A] = Failed("AccessDenied")
    (outcome,) = run_cycle(BOTH[:1], world.ports(), Preheat(), NOW_S)
    assert outcome.problems == ("pings: AccessDenied",)
    assert outcome.reached == 0


@dataclass(frozen=True)
class Stumbles(Preheat):
    """Raises over one target."""

    over: Target = A

    def plan(self, batch: Batch[History], terms: Terms) -> Plans:
        if self.over in batch.targets:
            raise ZeroDivisionError("a bug")
        return Preheat.plan(self, batch, terms)


def test_a_policy_that_raises_over_one_target_still_serves_the_others() -> None:
    world = World(demand=ScriptedDemand({A: busy(4), B: busy(4)}))
    outcomes = {o.target: o for o in run_cycle(BOTH, world.ports(), Stumbles(), NOW_S)}
    assert outcomes[A].problems == ("ZeroDivisionError: a bug",)
    assert {r.target for r in world.pinger.sent} == {B}
    assert outcomes[B].reached >= 4


def test_history_survives_as_small_rows() -> None:
    world = World(demand=ScriptedDemand({A: busy(4)}))
    run_cycle(BOTH[:1], world.ports(), Preheat(), NOW_S)
    row = world.store.rows[A]
    assert len(row) < 4096
    again = History.stack([row, None, b"\x00of an older layout"])
    assert again.rows()[0] == row
    assert again["watermark_s"].tolist() == [NOW_S, 0, 0]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes([VERSION]), id="cut-off-after-its-version"),
        pytest.param(bytes([VERSION]) + b"not compressed", id="not-compressed"),
        pytest.param(bytes([VERSION]) + zlib.compress(b"of another size"), id="of-another-layout"),
    ],
)
def test_a_row_that_cannot_be_read_is_rebuilt_and_stops_nobody(row: bytes) -> None:
    world = World(demand=ScriptedDemand({A: busy(4), B: busy(4)}))
    world.store.rows[A] = row
    outcomes = {o.target: o for o in run_cycle(BOTH, world.ports(), Preheat(), NOW_S)}
    assert {target: o.problems for target, o in outcomes.items()} == {A: (), B: ()}
    assert {r.target for r in world.pinger.sent} == {A, B}


@pytest.mark.parametrize("ceiling", [0, 1, 3])
def test_no_round_is_larger_than_the_ceiling(ceiling: int) -> None:
    world = World(demand=ScriptedDemand({A: busy(9)}))
    limited = replace(BOTH[0], objective=replace(BOTH[0].objective, ceiling=ceiling))
    run_cycle([limited], world.ports(), Preheat(), NOW_S)
    assert sum(r.environments for r in world.pinger.sent) == ceiling


def test_provisioned_concurrency_that_failed_is_a_problem_with_lambdas_reason() -> None:
    failed = Capacity(requested=4, allocated=1, status="FAILED", status_reason="FUNCTION_ERROR_INIT_FAILURE")
    world = World(provisioner=InstantProvisioner({A: failed}))
    world.store.rows[A] = provisioned_history(4, busy=1)
    (outcome,) = run_cycle(BOTH[:1], world.ports(), Preheat(), NOW_S)
    assert outcome.said == "FAILED: FUNCTION_ERROR_INIT_FAILURE" == outcome.to_record()["said"]
    assert outcome.problems == ("capacity: FAILED: FUNCTION_ERROR_INIT_FAILURE",)
    assert History.stack([world.store.rows[A]])["provisioned"].tolist() == [1], "only what was given counts"


def test_why_provisioned_concurrency_is_less_than_was_asked_for_is_said_and_no_problem() -> None:
    bounded = Capacity(requested=2, allocated=2, status="READY", status_reason="4 were wanted, bounded by 2")
    world = World(provisioner=InstantProvisioner({A: bounded}))
    world.store.rows[A] = provisioned_history(2, busy=2)
    (outcome,) = run_cycle(BOTH[:1], world.ports(), Preheat(), NOW_S)
    assert outcome.said == "READY: 4 were wanted, bounded by 2" and outcome.problems == ()


def provisioned_history(count: int, busy: int) -> bytes:
    """A row whose target has so much provisioned concurrency, of which `busy` pay."""
    history = History.blank(1)
    history.columns["provisioned"], history.columns["busy"] = count, busy
    history.columns["first_s"] = history.columns["folded_s"] = NOW_S - 86_400
    history.columns["demand_s"], history.columns["watermark_s"] = NOW_S - 120, NOW_S - 60
    return history.rows()[0]


def test_models_in_quarantine_are_a_problem_of_their_target() -> None:
    world = World(demand=ScriptedDemand({A: busy(4), B: busy(4)}))
    world.pinger.unsound[A] = ("premium",)
    outcomes = {o.target: o for o in run_cycle(BOTH, world.ports(), Preheat(), NOW_S)}
    count = outcomes[A].reached
    assert outcomes[A].unsound == ("premium",) and outcomes[A].to_record()["unsound"] == ["premium"]
    assert outcomes[A].problems == (f"premium is unsound in {count} of {count} environments",)
    assert outcomes[B].unsound == outcomes[B].problems == ()


class RaisingPinger(EchoPinger):
    """A bug of the sender's that one target's round meets."""

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        if any(one.target == A for one in rounds):
            raise ZeroDivisionError("a bug")
        return EchoPinger.send(self, rounds)


class RaisingProvisioner(InstantProvisioner):
    def request(self, target: Target, environments: int) -> Capacity | Failed:
        if target == A:
            raise ZeroDivisionError("a bug")
        return InstantProvisioner.request(self, target, environments)


@dataclass(frozen=True)
class ForgetsRounds(Preheat):
    """Raises over what one target's round found."""

    def absorb(self, batch: Batch[History], facts: Facts) -> History:
        if A in facts.reports:
            raise ZeroDivisionError("a bug")
        return Preheat.absorb(self, batch, facts)


class RaisingStore(MemoryStore[History]):
    def save(
        self, targets: Sequence[Target], history: History, next_look_s: Sequence[float], now_s: float
    ) -> Mapping[Target, Failed]:
        if A in targets:
            raise ZeroDivisionError("a bug")
        return MemoryStore.save(self, targets, history, next_look_s, now_s)


@pytest.mark.parametrize(
    ("world", "policy", "problem"),
    [
        pytest.param(World(pinger=RaisingPinger()), Preheat(), "pings", id="the-sender"),
        pytest.param(World(), ForgetsRounds(), "history", id="the-memory"),
        pytest.param(World(store=RaisingStore(History.stack)), Preheat(), "history", id="the-store"),
        pytest.param(
            World(provisioner=RaisingProvisioner()), Preheat(), "provisioned concurrency", id="provisioning"
        ),
    ],
)
def test_what_raises_while_plans_are_carried_out_stays_with_its_target(
    world: World, policy: Preheat, problem: str
) -> None:
    world.demand = ScriptedDemand({A: steady(), B: steady()})
    outcomes = {o.target: o for o in run_cycle(BOTH, world.ports(), policy, NOW_S)}
    assert outcomes[A].problems == (f"{problem}: ZeroDivisionError: a bug",)
    assert outcomes[B].problems == () and outcomes[B].reached > 0 and outcomes[B].provisioned
    assert History.stack([world.store.rows[B]])["reached"].tolist() == [outcomes[B].reached]
    assert History.stack([world.store.rows[B]])["demand_s"][0] > 0


def steady() -> Demand:
    """Three busy at every second: two of them past break-even."""
    return replace(busy(3), invocations=(60,) * 60, duration_s=3.0)
