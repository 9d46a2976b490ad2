"""One look at every target: read, decide, act. A failure stays with its target; no clock, no AWS, no flags."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
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
    Sighting,
    Target,
    Terms,
)
from warmer.ports import Pinger, Ports

H = TypeVar("H")
T = TypeVar("T")
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
    facts: Facts


def _decide(batch: Batch[H], ports: Ports[H], policy: Policy[H], terms: Terms) -> _Decided[H]:
    facts = _read(batch, policy.look(batch, terms), ports)
    batch = _knowing(batch, facts, policy)
    return _Decided(batch, policy.plan(batch, terms), facts)


def _knowing(batch: Batch[H], facts: Facts, policy: Policy[H]) -> Batch[H]:
    unread = frozenset(
        target
        for answers in (facts.demand, facts.capacity, facts.announced)
        for target, answer in answers.items()
        if isinstance(answer, Failed)
    )
    return replace(batch, history=policy.absorb(batch, facts), unread=unread)


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
    """Act and remember; what raises becomes a Failed of the target that has it."""
    done = _act(decided, ports)
    unsaved = _remember(decided, done, ports, policy)
    return {
        target: _outcome(decided, row, done, unsaved.get(target))
        for row, target in enumerate(decided.batch.targets)
    }


def _act(decided: _Decided[H], ports: Ports[H]) -> Facts:
    batch, plans = decided.batch, decided.plans
    provisioned: dict[Target, Capacity | Failed] = {}
    for row in (plans.provisioned >= 0).nonzero()[0].tolist():
        target, wanted = batch.targets[row], int(plans.provisioned[row])
        provisioned[target] = _or_failed(partial(ports.provisioner.request, target, wanted))
    rounds = {batch.targets[row]: _round(batch, plans, row) for row in plans.pings.nonzero()[0].tolist()}
    reports = _send(list(rounds.values()), ports.pinger) if rounds else {}
    return Facts(at_s=batch.now_s, rounds=rounds, reports=reports, provisioned=provisioned)


def _send(rounds: Sequence[Round], pinger: Pinger) -> Mapping[Target, RoundReport | Failed]:
    """All rounds at once; where that raises, each by itself."""
    sent = _or_failed(partial(pinger.send, rounds))
    if not isinstance(sent, Failed):
        return sent
    if len(rounds) == 1:
        return {rounds[0].target: sent}
    return {target: report for one in rounds for target, report in _send([one], pinger).items()}


def _remember(
    decided: _Decided[H], done: Facts, ports: Ports[H], policy: Policy[H]
) -> Mapping[Target, Failed]:
    """Keep what was learned; where that raises for all at once, for each target by itself."""

    def keep(batch: Batch[H], looks_s: Sequence[float]) -> Mapping[Target, Failed]:
        return ports.histories.save(batch.targets, policy.absorb(batch, done), looks_s, batch.now_s)

    def keep_one(configured: Configured, look_s: float) -> Mapping[Target, Failed]:
        loaded = ports.histories.load([configured.target])
        batch = Batch([configured], loaded.history, decided.batch.now_s)
        own = _knowing(batch, _of(decided.facts, configured.target), policy)
        return ports.histories.save(
            batch.targets, policy.absorb(own, _of(done, configured.target)), [look_s], batch.now_s
        )

    batch, looks_s = decided.batch, decided.plans.next_look_s.tolist()
    kept = _or_failed(partial(keep, batch, looks_s))
    if not isinstance(kept, Failed):
        return kept
    unsaved: dict[Target, Failed] = {}
    for configured, look_s in zip(batch.configured, looks_s, strict=True):
        alone = _or_failed(partial(keep_one, configured, look_s))
        unsaved |= {configured.target: alone} if isinstance(alone, Failed) else alone
    return unsaved


def _or_failed(work: Callable[[], T]) -> T | Failed:
    try:
        return work()
    except Exception as error:
        return Failed(f"{type(error).__name__}: {error}")


def _of(facts: Facts, target: Target) -> Facts:
    """The facts of one target."""
    named = {
        field.name: {t: fact for t, fact in getattr(facts, field.name).items() if t == target}
        for field in fields(facts)
        if field.name != "at_s"
    }
    return Facts(at_s=facts.at_s, **named)


def _round(batch: Batch[H], plans: Plans, row: int) -> Round:
    configured = batch.configured[row]
    return Round(
        target=configured.target,
        environments=int(plans.pings[row]),
        hold_s=float(plans.hold_s[row]),
        levels=configured.levels or (plans.levels[row] if plans.levels else {}),
    )


def _outcome(decided: _Decided[H], row: int, done: Facts, unsaved: Failed | None) -> Outcome:
    plans, target = decided.plans, decided.batch.targets[row]
    report, granted = done.reports.get(target), done.provisioned.get(target)
    capacity = granted or decided.facts.capacity.get(target)
    sightings = report.sightings if isinstance(report, RoundReport) else ()
    return Outcome(
        target=target,
        at_s=decided.batch.now_s,
        reason=plans.reason[row],
        pings=int(plans.pings[row]),
        hold_s=float(plans.hold_s[row]),
        reached=len(sightings),
        made=sum(sighting.cold for sighting in sightings),
        unsound=tuple(sorted(_unsound(sightings))),
        provisioned=int(plans.provisioned[row]) if granted is not None else None,
        said=capacity.said if isinstance(capacity, Capacity) else "",
        provisioned_failed=isinstance(capacity, Capacity) and capacity.status == "FAILED",
        spent_usd=None if plans.spent_usd is None else float(plans.spent_usd[row]),
        budget_used=_budget_used(decided, row),
        levels=_levels(sightings),
        expected=plans.expected(row),
        basis=plans.basis[row],
        next_look_s=float(plans.next_look_s[row]),
        problems=tuple(_problems(decided.facts, done, target, unsaved)),
    )


def _budget_used(decided: _Decided[H], row: int) -> float | None:
    """Share of the month's budget that is spent, what this cycle does not yet among it."""
    spent, budget = decided.plans.spent_usd, decided.batch.configured[row].objective.monthly_budget_usd
    if spent is None or budget is None:
        return None
    return float(spent[row]) / budget if budget > 0 else 1.0


def _levels(sightings: Sequence[Sighting]) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, Counter[str]] = {}
    for sighting in sightings:
        for name, seen in sighting.models.items():
            found.setdefault(name, Counter())[seen.level] += 1
    return found


def _problems(facts: Facts, done: Facts, target: Target, unsaved: Failed | None) -> Iterator[str]:
    if target in done.rounds and target not in done.reports:
        yield "pings: no report"
    for kind, answer in (
        ("demand", facts.demand.get(target)),
        ("capacity", facts.capacity.get(target)),
        ("cold starts", facts.announced.get(target)),
        ("pings", done.reports.get(target)),
        ("provisioned concurrency", done.provisioned.get(target)),
        ("history", unsaved),
    ):
        if isinstance(answer, Failed):
            yield f"{kind}: {answer.reason}"
        elif isinstance(answer, Capacity) and answer.status == "FAILED":
            yield f"{kind}: {answer.said}"
        elif isinstance(answer, RoundReport):
            for name, count in sorted(_unsound(answer.sightings).items()):
                yield f"{name} is unsound in {count} of {len(answer.sightings)} environments"


def _unsound(sightings: Sequence[Sighting]) -> Counter[str]:
    """In how many environments each model is in quarantine."""
    return Counter(name for sighting in sightings for name in sighting.unsound)


def _held(target: Target, now_s: float, why: Failed) -> Outcome:
    return Outcome(
        target=target, at_s=now_s, reason=Reason.UNKNOWN, problems=(why.reason,), next_look_s=now_s + RETRY_S
    )
