"""One look at every target: read, decide, act. A failure stays with its target; no clock, no AWS, no flags."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Generic, TypeVar

import numpy as np

from warmer.carried import Carried, Cycle
from warmer.policy.answers import Answered
from warmer.policy.outcomes import Outcome
from warmer.policy.plans import Batch, Looks, Plans, Policy
from warmer.policy.values import (
    Capacity,
    Configured,
    Demand,
    Facts,
    Failed,
    Round,
    RoundReport,
    Target,
    Terms,
)
from warmer.ports import Pinger, Ports

H = TypeVar("H")
T = TypeVar("T")


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
    return look_at(targets, ports, policy, now_s, terms).outcomes()


def look_at(
    targets: Sequence[Configured],
    ports: Ports[H],
    policy: Policy[H],
    now_s: float,
    terms: Terms | None = None,
) -> Cycle[H]:
    """`run_cycle`, with outcomes that are made only if somebody asks for them."""
    by_target = {configured.target: configured for configured in targets}
    asked = tuple(by_target)
    leases = ports.histories.lease(asked, now_s)
    if not leases.held:
        return Cycle(now_s, asked, leases.refused, ())
    loaded = ports.histories.load(leases.held)
    left_alone = {**leases.refused, **loaded.failed}
    if not loaded.targets:
        return Cycle(now_s, asked, left_alone, ())
    due = list(by_target.values())
    if loaded.targets != asked:
        due = [by_target[target] for target in loaded.targets]
    batch = Batch(due, loaded.history, now_s)
    failed, carried = _handle(batch, ports, policy, terms or Terms())
    return Cycle(now_s, asked, left_alone | failed, carried)


_Handled = tuple[dict[Target, Failed], list[Carried[H]]]


def _handle(batch: Batch[H], ports: Ports[H], policy: Policy[H], terms: Terms) -> _Handled[H]:
    """All targets at once; where that raises, each by itself, so that a fault stays with the target that has it."""
    try:
        decided = _decide(batch, ports, policy, terms)
    except Exception as error:
        if len(batch.configured) == 1:
            return {batch.targets[0]: Failed(f"{type(error).__name__}: {error}")}, []
        failed: dict[Target, Failed] = {}
        carried: list[Carried[H]] = []
        for configured in batch.configured:
            why, some = _alone(configured, ports, policy, batch.now_s, terms)
            failed |= why
            carried += some
        return failed, carried
    return {}, [_carry_out(decided, ports, policy)]


def _alone(
    configured: Configured, ports: Ports[H], policy: Policy[H], now_s: float, terms: Terms
) -> _Handled[H]:
    loaded = ports.histories.load([configured.target])
    if not loaded.targets:
        return dict(loaded.failed), []
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
        if not isinstance(answers, Answered)
        for target, answer in answers.items()
        if isinstance(answer, Failed)
    )
    return replace(batch, history=policy.absorb(batch, facts), unread=unread)


def _read(batch: Batch[H], looks: Looks, ports: Ports[H]) -> Facts:
    targets, now_s = batch.targets, batch.now_s
    demand_of = np.flatnonzero(~np.isnan(looks.demand_since_s)).tolist()
    demand_since = {targets[row]: float(looks.demand_since_s[row]) for row in demand_of}
    capacity_of = [targets[row] for row in np.flatnonzero(looks.capacity).tolist()]
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


def _carry_out(decided: _Decided[H], ports: Ports[H], policy: Policy[H]) -> Carried[H]:
    """Act and remember; what raises becomes a Failed of the target that has it."""
    done = _act(decided, ports)
    unsaved = _remember(decided, done, ports, policy)
    return Carried(decided.batch, decided.plans, decided.facts, done, unsaved)


def _act(decided: _Decided[H], ports: Ports[H]) -> Facts:
    batch, plans = decided.batch, decided.plans
    targets = batch.targets
    provisioned: dict[Target, Capacity | Failed] = {}
    for row in (plans.provisioned >= 0).nonzero()[0].tolist():
        target, wanted = targets[row], int(plans.provisioned[row])
        provisioned[target] = _or_failed(partial(ports.provisioner.request, target, wanted))
    rounds = {one.target: one for one in _rounds(batch, plans)}
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


def _rounds(batch: Batch[H], plans: Plans) -> Iterator[Round]:
    """A round for each target that is to have one."""
    pings, holds_s = plans.pings.tolist(), plans.hold_s.tolist()
    for row in plans.pings.nonzero()[0].tolist():
        configured = batch.configured[row]
        yield Round(
            target=configured.target,
            environments=pings[row],
            hold_s=holds_s[row],
            levels=configured.levels or (plans.levels[row] if plans.levels else {}),
        )
