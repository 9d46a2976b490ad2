"""What a dashboard's body comes to: rows, expressions, logs, and the picture of it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from preheat_tools.dashboard.board import Line, Metric, Picture, pictures, window_s
from preheat_tools.dashboard.insights import Event
from preheat_tools.dashboard.svg import draw
from preheat_tools.metric_math import Points

from tests.template.test_alarms import widgets
from tests.template.translated import translated
from warmer.gate import Verdict
from warmer.policy.outcomes import Outcome
from warmer.policy.values import Reason, Target
from warmer.preflight import Environment, _record

HOUR_S = 3600.0


@dataclass
class Figures:
    """A source with the same few minutes for every metric, and lines by log group."""

    points_: Points = field(default_factory=lambda: {0.0: 10.0, 60.0: 20.0, 300.0: 5.0})
    logs: Mapping[str, Sequence[Event]] = field(default_factory=dict)
    asked: list[Metric] = field(default_factory=list)

    def points(self, metric: Metric, since_s: float, until_s: float) -> Points:
        self.asked.append(metric)
        return self.points_

    def events(self, group: str, since_s: float, until_s: float) -> Sequence[Event]:
        return self.logs.get(group, ())


def body(*rows: Any, **properties: Any) -> str:
    asked = {"title": "A", "period": 60, "metrics": rows, **properties}
    widget = {"type": "metric", "x": 0, "y": 0, "width": 12, "height": 6, "properties": asked}
    return json.dumps({"start": "-PT6H", "widgets": [widget]})


def test_a_row_is_asked_as_it_says_and_what_is_invisible_is_only_reckoned_with() -> None:
    source = Figures()
    (found,) = pictures(
        body(
            ["N", "M", "F", "f", "R", "f:live", {"stat": "Maximum", "id": "m", "visible": False}],
            [{"expression": "m / 2", "label": "half", "id": "h", "color": "#d62728"}],
            ["N", "O", "F", "f", {"stat": "Sum", "label": "other", "yAxis": "right"}],
        ),
        source,
        0.0,
        HOUR_S,
    )
    assert source.asked[0] == Metric(
        namespace="N", name="M", dimensions={"F": "f", "R": "f:live"}, statistic="Maximum", period_s=60
    )
    assert [(line.label, line.right, line.color) for line in found.lines] == [
        ("half", False, "#d62728"),
        ("other", True, ""),
    ]
    assert draw([found], "t", 0.0, HOUR_S).count("#d62728") == 2  # in the legend and in the picture
    assert found.lines[0].points == {0.0: 5.0, 60.0: 10.0, 300.0: 2.5}


def test_the_time_shown_is_the_bodys() -> None:
    assert window_s(body()) == 6 * HOUR_S
    with pytest.raises(ValueError, match="-P1D"):
        window_s(json.dumps({"start": "-P1D", "widgets": []}))


def own_board() -> str:
    """The template's dashboard, its log groups by name."""
    resources = translated()["Resources"]
    text = json.dumps({"start": "-PT6H", "widgets": widgets()})
    for name in set(re.findall(r"\$\{(\w+)\}", text)):
        text = text.replace("${" + name + "}", resources[name]["Properties"]["LogGroupName"])
    return text


def test_the_templates_queries_find_what_the_warmer_and_the_hook_log() -> None:
    live, other = Target("preheat-recommend", "live"), Target("other", "live")
    levels = {"long_form": {"HOT": 3, "LOADED": 1}}
    plans = [
        Outcome(target=live, at_s=0.0, reason=Reason.FLOOR, reached=4, levels=levels),
        Outcome(target=live, at_s=0.0, reason=Reason.FLOOR, reached=0, levels={"long_form": {"HOT": 9}}),
        Outcome(target=other, at_s=0.0, reason=Reason.FLOOR, reached=4, levels={"long_form": {"HOT": 9}}),
    ]
    judged = _record(Environment.of({"PREFLIGHT_VERSION": "f:7"}), Verdict(doubts=("too slow",), table=()))
    logs = {
        "/aws/lambda/preheat-warmer": [Event(0.0, json.dumps(one.to_record())) for one in plans],
        "/aws/lambda/CodeDeployHook_preheat-preflight": [Event(60.0, json.dumps(judged))],
    }
    by_title = {one.title: one for one in pictures(own_board(), Figures(logs=logs), 0.0, HOUR_S)}
    hot = {line.label: line.points for line in by_title["Models found HOT, by round"].lines}
    assert hot["long_form"] == {0.0: 3.0} and hot["premium"] == {}
    assert by_title["Deployments"].rows == (("1970-01-01 00:01:00", "f:7", "0", "too slow"),)


def test_the_templates_dashboard_is_drawn_whole_and_needs_nothing_else() -> None:
    shown = pictures(own_board(), Figures(), 0.0, HOUR_S)
    text = draw(shown, "a <stack>", 0.0, HOUR_S)
    tree = ET.fromstring(text)
    said = "".join(tree.itertext())
    assert all(one.title in said for one in shown) and "a <stack>" in said
    assert all(line.label in said for one in shown for line in one.lines)
    assert "url(" not in text and "href" not in text


def picture(points: Points, *, stacked: bool = False, **more: Any) -> Picture:
    place = {"x": 0, "y": 0, "width": 12, "height": 6}
    lines = (Line(label="one", points=points), Line(label="two", points=points))
    return Picture(title="T", period_s=60, stacked=stacked, lines=lines, **place, **more)


def test_a_line_is_broken_where_a_period_has_no_value() -> None:
    text = draw([picture({0.0: 1.0, 60.0: 2.0, 300.0: 3.0})], "t", 0.0, 600.0)
    paths = re.findall(r"stroke='var\(--h0\)' d='([^']+)'", text)
    assert [(path.count("M"), path.count("L")) for path in paths] == [(2, 1)]


def test_bars_stand_on_one_another_within_their_picture() -> None:
    text = draw([picture({0.0: 1.0, 60.0: 2.0}, stacked=True)], "t", 0.0, 600.0)
    number = r"([\d.]+)"
    bars = re.findall(
        rf"fill='var\(--h(\d)\)' x='{number}' y='{number}' width='{number}' height='{number}'/>", text
    )
    (low, high) = ([float(part) for part in bar] for bar in bars[-2:])
    assert (low[0], high[0]) == (0, 1) and low[1] == high[1]
    assert high[2] + high[4] == pytest.approx(low[2], abs=0.11)


def test_a_picture_without_any_value_is_drawn_empty() -> None:
    for stacked in (False, True):
        ET.fromstring(draw([picture({}, stacked=stacked)], "t", 0.0, 600.0))


def test_a_long_cell_is_cut_and_rows_beyond_the_card_are_left_out() -> None:
    rows = tuple((f"row{number}", "long " * 30) for number in range(50))
    shown = Picture(
        title="T", x=0, y=0, width=12, height=6, period_s=60, stacked=False, heads=("a", "b"), rows=rows
    )
    text = draw([shown], "t", 0.0, 600.0)
    assert "row0" in text and "row49" not in text and "…" in text and "long " * 30 not in text
