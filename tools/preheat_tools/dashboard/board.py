"""A dashboard's body and what it shows: its rows asked of CloudWatch, its expressions worked out, its logs read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from preheat_tools.dashboard.insights import Event, Query
from preheat_tools.metric_math import Points, evaluate

_HOURS = re.compile(r"-PT(\d+)H")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row of a widget that names a metric."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str
    period_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a picture."""

    label: str
    points: Points
    right: bool = False
    """By the axis on the right."""
    color: str = ""
    """As the dashboard has it; empty leaves it to who draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One widget with what it shows: lines over time, or a table."""

    title: str
    x: int
    y: int
    width: int
    height: int
    """Place and size in the dashboard's grid of 24 columns."""
    period_s: int
    stacked: bool
    lines: tuple[Line, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


class Source(Protocol):
    """Where the figures are."""

    def points(self, metric: Metric, since_s: float, until_s: float) -> Points: ...

    def events(self, group: str, since_s: float, until_s: float) -> Sequence[Event]: ...


def window_s(body: str) -> float:
    """The time that a dashboard shows, in s; raises ValueError where it is not a number of hours."""
    start = json.loads(body).get("start", "-PT3H")
    if not (shape := _HOURS.fullmatch(start)):
        raise ValueError(f"a dashboard's start must be a number of hours, as in -PT6H, was: {start!r}")
    return 3600.0 * int(shape.group(1))


def pictures(body: str, source: Source, since_s: float, until_s: float) -> list[Picture]:
    """Every widget, in the body's order."""
    return [_picture(widget, source, since_s, until_s) for widget in json.loads(body)["widgets"]]


def _picture(widget: Mapping[str, Any], source: Source, since_s: float, until_s: float) -> Picture:
    properties = widget["properties"]
    placed = {key: widget[key] for key in ("x", "y", "width", "height")}
    known = {"title": properties["title"], "stacked": bool(properties.get("stacked")), **placed}
    if widget["type"] == "metric":
        lines = _metric_lines(properties, source, since_s, until_s)
        return Picture(**known, period_s=properties["period"], lines=tuple(lines))
    query = Query.of(properties["query"])
    events = [event for group in query.groups for event in source.events(group, since_s, until_s)]
    if query.maxima:
        found = query.lines(events)
        lines = [Line(label=name, points=points) for name, points in found.items()]
        return Picture(**known, period_s=query.bin_s, lines=tuple(lines))
    return Picture(**known, period_s=60, heads=query.fields, rows=tuple(query.rows(events)))


def _metric_lines(
    properties: Mapping[str, Any], source: Source, since_s: float, until_s: float
) -> list[Line]:
    """The visible rows, in their order; an expression is of rows that have an id."""
    rows = [_row(row, properties["period"]) for row in properties["metrics"]]
    told = [source.points(what, since_s, until_s) if isinstance(what, Metric) else {} for _, what in rows]
    by_id = {
        shown["id"]: points
        for (shown, what), points in zip(rows, told, strict=True)
        if "id" in shown and isinstance(what, Metric)
    }
    return [
        Line(
            label=shown["label"],
            points=evaluate(what, by_id, period_s=properties["period"], until_s=until_s)
            if isinstance(what, str)
            else points,
            right=shown.get("yAxis") == "right",
            color=shown.get("color", ""),
        )
        for (shown, what), points in zip(rows, told, strict=True)
        if shown.get("visible", True)
    ]


def _row(row: Sequence[Any], period_s: int) -> tuple[Mapping[str, Any], Metric | str]:
    """How a row is shown, and what it is: a metric or an expression."""
    shown = row[-1]
    if "expression" in shown:
        return shown, str(shown["expression"])
    namespace, name, *names = row[:-1]
    dimensions = dict(zip(names[::2], names[1::2], strict=True))
    metric = Metric(
        namespace=namespace,
        name=name,
        dimensions=dimensions,
        statistic=shown["stat"],
        period_s=shown.get("period", period_s),
    )
    return shown, metric


@dataclass(frozen=True, slots=True)
class CloudSource:
    """CloudWatch and its logs, by boto3's clients."""

    cloudwatch: Any
    logs: Any

    def points(self, metric: Metric, since_s: float, until_s: float) -> Points:
        """Sums and their like, a value a period."""
        dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions.items()]
        named = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
        stat = {"Metric": named, "Period": metric.period_s, "Stat": metric.statistic}
        pages = self.cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[{"Id": "row", "MetricStat": stat}],
            StartTime=datetime.fromtimestamp(since_s // metric.period_s * metric.period_s, UTC),
            EndTime=datetime.fromtimestamp(until_s, UTC),
        )
        return {
            at.timestamp(): float(value)
            for page in pages
            for result in page["MetricDataResults"]
            for at, value in zip(result["Timestamps"], result["Values"], strict=True)
        }

    def events(self, group: str, since_s: float, until_s: float) -> Sequence[Event]:
        """Every line of a group; none where the group has not been written to."""
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=int(since_s * 1000), endTime=int(until_s * 1000)
        )
        return [Event(one["timestamp"] / 1000, one["message"]) for page in pages for one in page["events"]]
