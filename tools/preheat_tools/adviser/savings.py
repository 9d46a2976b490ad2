"""What the warmer has saved, from its own log lines: each plan said what it expected, with itself and without."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from preheat_tools.adviser.logs import Sent, messages
from warmer.policy.values import Target

PLANS = '{ $.event = "plan" }'
LINES = '{ ($.event = "plan") || ($.event = "burst") || ($.customer_cold_start IS TRUE) }'


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One plan, as its line tells it. `Outcome.to_record` writes the line."""

    target: str
    at_s: float
    next_look_s: float
    dry_run: bool
    pings: int
    reached: int
    made: int
    hold_s: float
    spent_usd: float | None
    """Of its month, before it."""
    cost_usd: float
    cost_without_usd: float
    cold_starts: float
    cold_starts_without: float
    problems: bool

    @property
    def cold_usd(self) -> float:
        """What it takes a customer's cold start for: the user's price and the billed INIT."""
        return self.cost_without_usd / self.cold_starts_without if self.cold_starts_without else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One target over the lines read. What was spared is the policy's own expectation, not a measurement."""

    target: str
    dry_run: bool
    """Whether nothing was carried out: then it says what would have been."""
    looks: int
    rounds: int
    pings: int
    made: int
    """Environments that rounds made: their INIT was paid and no customer waited for it."""
    spent_usd: float
    """On rounds, with the INITs of what they made, and on provisioned concurrency, as the warmer booked it."""
    cold_starts_left: float
    """That were expected all the same, to be held against those seen."""
    cold_starts_seen: int | None
    """That customers waited for; None where no log that was read would tell."""
    cold_starts_spared: float
    cost_usd: float
    """What was spent, and the cold starts left at their price; of a dry run, what its plans expected."""
    cost_without_usd: float
    problems: int
    days: float

    @property
    def saved_usd(self) -> float:
        return self.cost_without_usd - self.cost_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    targets: tuple[Saved, ...]
    plans: int
    passed_over: int
    """Lines that tell nothing of this: START, REPORT, other records."""

    @property
    def days(self) -> float:
        return max((one.days for one in self.targets), default=0.0)

    def to_json(self) -> dict[str, Any]:
        return {
            "days": self.days,
            "plans": self.plans,
            "lines_passed_over": self.passed_over,
            "targets": [{**asdict(one), "saved_usd": one.saved_usd} for one in self.targets],
        }


def saved(lines: Iterable[str], *, heard: bool = False) -> Savings:
    """Sum the plans of a log by target, the most saved first.

    `heard` says that the burst handler's log or the function's own is among the lines, so that no line of a cold
    start means that there was none; otherwise the first such line shows it.
    """
    plans: dict[tuple[str, bool], dict[float, Planned]] = defaultdict(dict)
    announced: Counter[str] = Counter()
    recorded: Counter[str] = Counter()
    others = 0
    for line in lines:
        record = _record(line)
        if (plan := _plan(record)) is not None:
            plans[plan.target, plan.dry_run][plan.at_s] = plan  # a line that was read twice counts once
        elif record.get("event") == "burst" and isinstance(record.get("announced"), int):
            announced[str(record.get("target"))] += record["announced"]
        elif record.get("customer_cold_start") is True:
            recorded[str(record.get("FunctionName"))] += 1
        else:
            others += bool(line.strip())
    heard = heard or bool(announced) or bool(recorded)
    found = []
    for (target, _), by_instant in plans.items():
        # the environments' own records are the source of what is announced: never both
        seen = recorded[target.partition(":")[0]] or announced[target]
        found.append(_sum([by_instant[at] for at in sorted(by_instant)], seen if heard else None))
    found.sort(key=lambda one: (one.dry_run, -one.saved_usd))
    return Savings(targets=tuple(found), plans=sum(len(one) for one in plans.values()), passed_over=others)


def rounds_of(logs: Any, group: str, target: Target, since_s: float) -> Iterator[Sent]:
    """The rounds that the warmer sent to one target; raises LogError."""
    for line in messages(logs, group, since_s, PLANS):
        plan = _plan(_record(line))
        if plan is not None and plan.target == str(target) and plan.reached and not plan.dry_run:
            yield Sent(at_s=plan.at_s, pings=plan.pings, hold_s=plan.hold_s)


def _sum(plans: Sequence[Planned], seen: int | None) -> Saved:
    """`plans` are one target's, in time's order. Each expected something until its next look; where one came sooner,
    only so much of that is its own. A round that reached fewer spared so many fewer."""
    left = spared = cost = without = 0.0
    ends = [plan.at_s for plan in plans[1:]] + [plans[-1].next_look_s]
    for plan, end_s in zip(plans, ends, strict=True):
        planned_s = plan.next_look_s - plan.at_s
        share = min(1.0, max(0.0, end_s - plan.at_s) / planned_s) if planned_s > 0 else 1.0
        reached = min(1.0, plan.reached / plan.pings) if plan.pings and not plan.dry_run else 1.0
        avoided = reached * (plan.cold_starts_without - plan.cold_starts)
        still_cold = plan.cold_starts_without - avoided
        left += share * still_cold
        spared += share * avoided
        without += share * plan.cost_without_usd
        cost += share * (plan.cost_usd if plan.dry_run else still_cold * plan.cold_usd)
    spent = _spent_usd(plans)
    return Saved(
        target=plans[0].target,
        dry_run=plans[0].dry_run,
        looks=len(plans),
        rounds=sum(plan.reached > 0 for plan in plans),
        pings=sum(plan.pings for plan in plans),
        made=sum(plan.made for plan in plans),
        spent_usd=spent,
        cold_starts_left=left,
        cold_starts_seen=None if plans[0].dry_run else seen,
        cold_starts_spared=spared,
        cost_usd=cost + spent,
        cost_without_usd=without,
        problems=sum(plan.problems for plan in plans),
        days=(plans[-1].at_s - plans[0].at_s) / 86_400,
    )


def _spent_usd(plans: Sequence[Planned]) -> float:
    """From the first plan to the last; the month's count begins anew with each month (and with a lost history)."""
    if plans[0].dry_run:
        return 0.0
    counts = [plan.spent_usd for plan in plans if plan.spent_usd is not None]
    return sum(after - before if after >= before else after for before, after in pairwise(counts))


def _record(line: str) -> Mapping[str, Any]:
    """A line's JSON object, which may stand behind CloudWatch's own columns; empty where there is none."""
    start = line.find("{")
    try:
        record = json.loads(line[start:]) if start >= 0 else {}
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _plan(record: Mapping[str, Any]) -> Planned | None:
    if record.get("event") != "plan":
        return None
    try:
        return Planned(
            target=str(record["target"]),
            at_s=float(record["at_s"]),
            next_look_s=float(record["next_look_s"]),
            dry_run=bool(record.get("dry_run")),
            pings=int(record["pings"]),
            reached=int(record["reached"]),
            made=int(record["made"]),
            hold_s=float(record["hold_ms"]) / 1000,
            spent_usd=None if record.get("spent_usd") is None else float(record["spent_usd"]),
            cost_usd=float(record.get("cost_usd", 0.0)),
            cost_without_usd=float(record.get("cost_without_usd", 0.0)),
            cold_starts=float(record.get("cold_starts", 0.0)),
            cold_starts_without=float(record.get("cold_starts_without", 0.0)),
            problems=bool(record.get("problems")),
        )
    except (KeyError, ValueError, TypeError):
        return None
