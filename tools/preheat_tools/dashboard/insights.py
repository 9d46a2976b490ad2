"""As much of CloudWatch Logs Insights as the template's dashboard asks: filter, fields, sort, limit, maxima by time.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Condition = tuple[str, str, Any]
"""Field, sign, value."""
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_CONDITION = re.compile(r"([@\w.]+) (=|!=|>=|<=|>|<) ('[^']*'|-?\d+(?:\.\d+)?)")
_STATS = re.compile(r"stats (.+) by bin\((\d+)([smh])\)")
_MAXIMUM = re.compile(r"max\(([\w.]+)\) as (\w+)")
_UNITS_S = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a log."""

    at_s: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a query asks: rows of fields, or (with `maxima`) a line for each name by steps of `bin_s`."""

    groups: tuple[str, ...]
    conditions: tuple[Condition, ...]
    fields: tuple[str, ...] = ()
    newest_first: bool = False
    limit: int = 10_000
    maxima: Mapping[str, str]
    """Field by name."""
    bin_s: int = 0

    @staticmethod
    def of(text: str) -> Query:
        """Parse; raises ValueError naming the stage that is not understood here."""
        groups: list[str] = []
        conditions: list[Condition] = []
        asked: dict[str, Any] = {"maxima": {}}
        for stage in (one.strip() for one in text.split("|")):
            verb, _, rest = stage.partition(" ")
            if verb == "SOURCE":
                groups.append(rest.strip("'"))
            elif verb == "filter":
                conditions += [_condition(one) for one in rest.split(" and ")]
            elif verb == "fields":
                asked["fields"] = tuple(one.strip() for one in rest.split(","))
            elif verb == "limit":
                asked["limit"] = int(rest)
            elif stage in {"sort @timestamp desc", "sort @timestamp asc"}:
                asked["newest_first"] = stage.endswith("desc")
            elif shape := _STATS.fullmatch(stage):
                asked["maxima"] = {name: field for field, name in map(_maximum, shape.group(1).split(","))}
                asked["bin_s"] = int(shape.group(2)) * _UNITS_S[shape.group(3)]
            else:
                raise ValueError(f"not a stage that is drawn here: {stage!r}")
        return Query(groups=tuple(groups), conditions=tuple(conditions), **asked)

    def rows(self, events: Iterable[Event]) -> list[tuple[str, ...]]:
        """The asked-for fields of what passes, as text."""
        ordered = sorted(self._passing(events), key=lambda one: one[0], reverse=self.newest_first)
        return [
            tuple(_shown(field, at_s, record) for field in self.fields)
            for at_s, record in ordered[: self.limit]
        ]

    def lines(self, events: Iterable[Event]) -> dict[str, dict[float, float]]:
        """By name: the maximum of each step in which there is one, by the step's start in Unix seconds."""
        found: dict[str, dict[float, float]] = {name: {} for name in self.maxima}
        for at_s, record in self._passing(events):
            step_s = at_s // self.bin_s * self.bin_s
            for name, field in self.maxima.items():
                value = _at(record, field)
                if isinstance(value, int | float):
                    found[name][step_s] = max(float(value), found[name].get(step_s, float(value)))
        return found

    def _passing(self, events: Iterable[Event]) -> Iterable[tuple[float, Mapping[str, Any]]]:
        for event in events:
            record = _record(event.message)
            if all(_holds(record, condition) for condition in self.conditions):
                yield event.at_s, record


def _condition(text: str) -> Condition:
    shape = _CONDITION.fullmatch(text.strip())
    if not shape:
        raise ValueError(f"not a condition that is drawn here: {text!r}")
    field, sign, value = shape.groups()
    return field, sign, value.strip("'") if value.startswith("'") else float(value)


def _maximum(text: str) -> Sequence[str]:
    shape = _MAXIMUM.fullmatch(text.strip())
    if not shape:
        raise ValueError(f"not a statistic that is drawn here: {text!r}")
    return shape.groups()


def _holds(record: Mapping[str, Any], condition: Condition) -> bool:
    field, sign, value = condition
    given = _at(record, field)
    comparable = isinstance(given, str) if isinstance(value, str) else isinstance(given, int | float)
    return comparable and _SIGNS[sign](given, value)


def _record(message: str) -> Mapping[str, Any]:
    """A line's JSON; empty for a line that is none."""
    try:
        found = json.loads(message)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _at(record: Any, path: str) -> Any:
    """What Insights calls a.b.0: into objects by name, into lists by number; None where there is nothing."""
    for part in path.split("."):
        if isinstance(record, dict):
            record = record.get(part)
        elif isinstance(record, list) and part.isdigit() and int(part) < len(record):
            record = record[int(part)]
        else:
            return None
    return record


def _shown(field: str, at_s: float, record: Mapping[str, Any]) -> str:
    if field == "@timestamp":
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S}"
    value = _at(record, field)
    if isinstance(value, bool):
        return "1" if value else "0"  # as Insights shows a JSON boolean
    return "" if value is None else str(value)
