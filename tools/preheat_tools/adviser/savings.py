"""What the warmer has saved, from its own log lines: each plan said what it expected, with itself and without."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Saved:
    """One target over the lines read. What was spared is the policy's own expectation, not a measurement."""

    target: str
    looks: int = 0
    rounds: int = 0
    pings: int = 0
    made: int = 0
    """Environments that rounds made: their INIT was paid and no customer waited for it."""
    cold_starts_spared: float = 0.0
    cost_usd: float = 0.0
    """Expected of the plans: pings, upkeep, and the cold starts left at the user's price."""
    cost_without_usd: float = 0.0
    problems: int = 0
    first_s: float = field(default=float("inf"))
    last_s: float = 0.0

    @property
    def saved_usd(self) -> float:
        return self.cost_without_usd - self.cost_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    targets: tuple[Saved, ...]
    lines: int
    """Plans among the lines that were read."""
    passed_over: int
    """Lines that are no plan of the warmer: START, REPORT, other records."""

    @property
    def days(self) -> float:
        first = min((one.first_s for one in self.targets), default=0.0)
        return (max((one.last_s for one in self.targets), default=0.0) - first) / 86_400

    def to_json(self) -> dict[str, Any]:
        return {
            "days": self.days,
            "plans": self.lines,
            "lines_passed_over": self.passed_over,
            "targets": [{**asdict(one), "saved_usd": one.saved_usd} for one in self.targets],
        }


def saved(lines: Iterable[str]) -> Savings:
    """Sum the plans of a log by target; dry runs, which carried nothing out, are passed over."""
    targets: dict[str, Saved] = {}
    plans = others = 0
    for line in lines:
        record = _plan(line)
        if record is None:
            others += bool(line.strip())
            continue
        plans += 1
        _add(targets.setdefault(record["target"], Saved(target=record["target"])), record)
    ordered = sorted(targets.values(), key=lambda one: -one.saved_usd)
    return Savings(targets=tuple(ordered), lines=plans, passed_over=others)


def _plan(line: str) -> Mapping[str, Any] | None:
    """The record of a plan that was carried out; a line may stand behind CloudWatch's own columns."""
    start = line.find("{")
    try:
        record = json.loads(line[start:]) if start >= 0 else None
    except ValueError:
        return None
    if not isinstance(record, dict) or record.get("event") != "plan" or record.get("dry_run"):
        return None
    return record if isinstance(record.get("target"), str) else None


def _add(one: Saved, record: Mapping[str, Any]) -> None:
    at_s = float(record.get("at_s", 0.0))
    one.first_s, one.last_s = min(one.first_s, at_s), max(one.last_s, at_s)
    one.looks += 1
    one.rounds += bool(record.get("reached"))
    one.pings += int(record.get("pings", 0))
    one.made += int(record.get("made", 0))
    one.problems += bool(record.get("problems"))
    one.cost_usd += float(record.get("cost_usd", 0.0))
    one.cost_without_usd += float(record.get("cost_without_usd", 0.0))
    one.cold_starts_spared += float(record.get("cold_starts_without", 0.0)) - float(
        record.get("cold_starts", 0.0)
    )
