"""One look at every target: read, decide, act. A failure stays with its target; no clock, no AWS, no flags."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from warmer.policy.outcomes import Outcome
from warmer.policy.plans import Batch, Looks, Plans, Policy
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

H = TypeVar("H")
RETRY_S = 60.0
"""A target whose cycle failed is looked at again after this long."""


def run_cycle(
    targets: Sequence[Configured],
    ports: Ports[H],
    policy: Policy[H],
    now_s: float,
    terms: Terms | None = None,
) -> list[Outcome]:
    """Look at every target that is due; an outcome for each that was, in the targets' order.

    A target that another run holds, or that was handled at or after `now_s` already (a duplicate delivery), has an
    outcome with reason `unknown` and the problem, and is left alone; so is one whose history could not be read.
    """
    terms = terms or Terms()
    by_target = {configured.target: configured for configured in targets}
    leases = ports.histories.lease(tuple(by_target), now_s)
    outcomes = {target: _held(target, now_s, why) for target, why in leases.refused.items()}
    if leases.held:
        loaded = ports.histories.load(leases.held)
        outcomes |= {target: _held(target, now_s, why) for target, why in loaded.failed.items()}
        batch = Batch([by_target[target] for target in loaded.targets], loaded.history, now_s)
        if loaded.targets:
            outcomes |= _handle(batch, ports, policy, terms)
    return [outcomes[target] for target in by_target if target in outcomes]


def _handle(batch: Batch[H], ports: Ports[H], policy: Policy[H], terms: Terms) -> Mapping[Target, Outcome]:
    """All targets at once; where that raises, each by itself, so that a fault stays with the target that has it."""
    try:
        decided = _decide(batch, ports, policy, terms)
    except Exception as error:
        if len(batch.configured) == 1:
            target = batch.targets[0]
            return {target: _held(target, batch.now_s, Failed(f"{type(error).__name__}: {error}"))}
        alone = (_alone(configured, ports, policy, batch.now_s, terms) for configured in batch.configured)
        return {target: outcome for outcomes in alone for target, outcome in outcomes.items()}
    return _carry_out(decided, ports, policy)


def _alone(
    configured: Configured, ports: Ports[H], policy: Policy[H], now_s: float, terms: Terms
) -> Mapping[Target, Outcome]:
    loaded = ports.histories.load([configured.target])
    if not loaded.targets:
        return {configured.target: _held(configured.target, now_s, loaded.failed[configured.target])}
    return _handle(Batch([configured], loaded.history, now_s), ports, policy, terms)


@dataclass(frozen=True, slots=True)
class _Decided(Generic[H]):
    batch: Batch[H]
    plans: Plans
    problems: Mapping[Target, tuple[str, ...]]


def _decide(batch: Batch[H], ports: Ports[H], policy: Policy[H], terms: Terms) -> _Decided[H]:
    facts = _read(batch, policy.look(batch, terms), ports)
    problems: dict[Target, tuple[str, ...]] = {}
    for kind, answers in (
        ("demand", facts.demand),
        ("capacity", facts.capacity),
        ("cold starts", facts.announced),
    ):
        for target, answer in answers.items():
            if isinstance(answer, Failed):
                problems[target] = (*problems.get(target, ()), f"{kind}: {answer.reason}")
    batch = replace(batch, history=policy.absorb(batch, facts), unread=frozenset(problems))
    return _Decided(batch, policy.plan(batch, terms), problems)


def _read(batch: Batch[H], looks: Looks, ports: Ports[H]) -> Facts:
    targets, now_s = batch.targets, batch.now_s
    demand_since = {
        t: since
        for t, since in zip(targets, looks.demand_since_s.tolist(), strict=True)
        if not math.isnan(since)
    }
    capacity_of = [t for t, wanted in zip(targets, looks.capacity.tolist(), strict=True) if wanted]
    demand: Mapping[Target, Demand | Failed] = {}
    capacity: Mapping[Target, Capacity | Failed] = {}
    announced: Mapping[Target, tuple[float, ...] | Failed] = {}
    if demand_since:
        demand = ports.demand.read(demand_since, now_s)
    if capacity_of:
        capacity = ports.provisioner.read(capacity_of)
    if ports.cold_starts is not None:
        since = dict(zip(targets, looks.announced_since_s.tolist(), strict=True))
        announced = ports.cold_starts.read(since, now_s)
    return Facts(at_s=now_s, demand=demand, capacity=capacity, announced=announced)


def _carry_out(decided: _Decided[H], ports: Ports[H], policy: Policy[H]) -> Mapping[Target, Outcome]:
    batch, plans, now_s = decided.batch, decided.plans, decided.batch.now_s
    targets = batch.targets
    provisioned: dict[Target, Capacity | Failed] = {}
    for row in (plans.provisioned >= 0).nonzero()[0].tolist():
        provisioned[targets[row]] = ports.provisioner.request(targets[row], int(plans.provisioned[row]))
    rounds = {targets[row]: _round(batch, plans, row) for row in plans.pings.nonzero()[0].tolist()}
    reports = ports.pinger.send(list(rounds.values())) if rounds else {}
    done = Facts(at_s=now_s, rounds=rounds, reports=reports, provisioned=provisioned)
    history = policy.absorb(batch, done)
    unsaved = ports.histories.save(targets, history, plans.next_look_s.tolist(), now_s)
    outcomes: dict[Target, Outcome] = {}
    for row, target in enumerate(targets):
        report, granted = reports.get(target), provisioned.get(target)
        problems = [*decided.problems.get(target, ())]
        if target in rounds and report is None:
            problems.append("pings: no report")
        for kind, answer in (
            ("pings", report),
            ("provisioned concurrency", granted),
            ("history", unsaved.get(target)),
        ):
            if isinstance(answer, Failed):
                problems.append(f"{kind}: {answer.reason}")
        outcomes[target] = _outcome(decided, row, report, granted is not None, tuple(problems))
    return outcomes


def _round(batch: Batch[H], plans: Plans, row: int) -> Round:
    configured = batch.configured[row]
    return Round(
        target=configured.target,
        environments=int(plans.pings[row]),
        hold_s=float(plans.hold_s[row]),
        levels=configured.levels or (plans.levels[row] if plans.levels else {}),
    )


def _outcome(
    decided: _Decided[H],
    row: int,
    report: RoundReport | Failed | None,
    provisioning: bool,
    problems: tuple[str, ...],
) -> Outcome:
    plans = decided.plans
    sightings = report.sightings if isinstance(report, RoundReport) else ()
    return Outcome(
        target=decided.batch.configured[row].target,
        at_s=decided.batch.now_s,
        reason=plans.reason[row],
        pings=int(plans.pings[row]),
        hold_s=float(plans.hold_s[row]),
        reached=len(sightings),
        made=sum(sighting.cold for sighting in sightings),
        provisioned=int(plans.provisioned[row]) if provisioning else None,
        expected=plans.expected(row),
        basis=plans.basis[row],
        next_look_s=float(plans.next_look_s[row]),
        problems=problems,
    )


def _held(target: Target, now_s: float, why: Failed) -> Outcome:
    return Outcome(
        target=target, at_s=now_s, reason=Reason.UNKNOWN, problems=(why.reason,), next_look_s=now_s + RETRY_S
    )
