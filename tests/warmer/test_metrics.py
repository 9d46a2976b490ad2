"""What a cycle tells CloudWatch: four metrics, fewer by one switch, and no share of a budget that nobody has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from warmer.adapters.targets import Found
from warmer.app import summarise
from warmer.cycle import run_cycle
from warmer.fakes import InstantProvisioner, MemoryStore, ScriptedDemand
from warmer.metrics import KEPT, UNITS, emf
from warmer.policy.history import History
from warmer.policy.outcomes import Outcome
from warmer.policy.preheat import Preheat
from warmer.policy.values import (
    Capacity,
    Configured,
    Failed,
    ModelSeen,
    Objective,
    Reason,
    Round,
    RoundReport,
    Sighting,
    Target,
)
from warmer.ports import Ports

A = Target("a", "live")


def line(kept: str = "full", **outcome: Any) -> dict[str, Any]:
    outcomes = [Outcome(target=A, at_s=60.0, reason=Reason.FLOOR, **outcome)]
    return emf("warmer", summarise(60.0, Found((), {}), outcomes, dry_run=False), kept)


def told(record: Mapping[str, Any]) -> dict[str, str]:
    (directive,) = record["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}


def test_all_four_are_told_with_their_units() -> None:
    record = line(pings=3, reached=2, provisioned_failed=True, budget_used=0.815)
    assert told(record) == UNITS
    assert (record["PingsPlanned"], record["EnvironmentsReached"]) == (3, 2)
    assert (record["ProvisionedFailed"], record["BudgetUsed"]) == (1, 81.5)


def test_without_a_budget_there_is_no_share_of_it() -> None:
    assert "BudgetUsed" not in told(line()) and "BudgetUsed" not in line()


def test_a_cycle_in_which_nothing_was_due_tells_of_no_round() -> None:
    """Else what stays warm between two rounds would be drawn as nothing."""
    record = emf("warmer", summarise(60.0, Found((), {}), [], dry_run=False))
    assert told(record).keys() == {"ProvisionedFailed"}
    assert "PingsPlanned" not in record and "EnvironmentsReached" not in record


@pytest.mark.parametrize("kept", KEPT)
def test_less_is_told_and_all_is_logged(kept: str) -> None:
    record = line(kept, pings=3, budget_used=0.5)
    assert (told(record).keys() if "_aws" in record else set()) == KEPT[kept]
    assert record["PingsPlanned"] == 3 and record["BudgetUsed"] == 50.0 and record["summary"]["pings"] == 3


@dataclass
class TwoLevels:
    """One environment with the model HOT, one with it LOADED."""

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        sightings = tuple(
            Sighting(
                environment=level,
                cold=False,
                provisioned=False,
                age_s=60,
                idle_s=60,
                requests=0,
                init_s=1.0,
                models={"m": ModelSeen(requests=0, load_s=0.1, memory_mb=1.0, level=level)},
            )
            for level in ("HOT", "LOADED")
        )
        return {one.target: RoundReport(sightings=sightings, sent=2) for one in rounds}


def outcomes_of(objective: Objective, *instants_s: float, capacity: Capacity | None = None) -> list[Outcome]:
    provisioner = InstantProvisioner({A: capacity} if capacity else {})
    ports = Ports(
        demand=ScriptedDemand(),
        provisioner=provisioner,
        pinger=TwoLevels(),
        histories=MemoryStore(History.stack),
    )
    configured = [Configured(target=A, objective=objective)]
    return [run_cycle(configured, ports, Preheat(), at_s)[0] for at_s in instants_s]


def test_levels_are_counted_over_the_environments_of_a_round() -> None:
    (outcome,) = outcomes_of(Objective(floor=2), 1.7e9)
    assert outcome.levels == {"m": {"HOT": 1, "LOADED": 1}}
    assert outcome.to_record()["levels"] == {"m": {"HOT": 1, "LOADED": 1}}


def test_what_is_spent_is_told_with_a_budget_and_without() -> None:
    first, second = outcomes_of(Objective(floor=2), 1.7e9, 1.7e9 + 1200)
    assert first.spent_usd == 0.0 and second.spent_usd is not None and 0.0 < second.spent_usd < 0.01
    assert second.to_record()["spent_usd"] == pytest.approx(second.spent_usd, rel=1e-5)


def test_the_share_of_a_budget_grows_with_what_is_spent() -> None:
    first, second = outcomes_of(Objective(floor=2, monthly_budget_usd=5.0), 1.7e9, 1.7e9 + 1200)
    assert first.budget_used == 0.0 and second.budget_used is not None
    assert 0.0 < second.budget_used < 0.01


def test_a_budget_of_nothing_is_used_up() -> None:
    assert outcomes_of(Objective(monthly_budget_usd=0.0), 1.7e9)[0].budget_used == 1.0
