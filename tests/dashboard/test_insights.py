"""Queries as CloudWatch Logs Insights answers them, for what the dashboard asks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from preheat_tools.dashboard.insights import Event, Query


def events(*records: Any) -> list[Event]:
    return [
        Event(60.0 * minute, json.dumps(record) if isinstance(record, dict) else record)
        for minute, record in enumerate(records)
    ]


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        ("kind = 'a'", [0, 2]),
        ("kind != 'a'", [1]),
        ("n > 1", [1, 2]),
        ("n >= 2 and kind = 'a'", [2]),
        ("deep.list.0 = 'x'", [2]),
        ("deep.list.1 = 'x'", []),
        ("n = '2'", []),
        ("kind > 0", []),
        ("nothing = 'a'", []),
    ],
)
def test_a_filter_passes_what_has_the_field_and_the_value(condition: str, passes: list[int]) -> None:
    lines = events(
        {"kind": "a", "n": 1}, {"kind": "b", "n": 2}, {"kind": "a", "n": 3, "deep": {"list": ["x"]}}, "INIT_START"
    )  # fmt: skip
    found = Query.of(f"SOURCE '/g' | filter {condition} | fields @timestamp").rows(lines)
    assert [int(at[14:16]) for (at,) in found] == passes


def test_rows_are_the_newest_first_and_no_more_than_asked() -> None:
    query = Query.of("SOURCE '/g' | fields @timestamp, ok, why.0 | sort @timestamp desc | limit 2")
    lines = events({"ok": True}, {"ok": False, "why": ["slow"]}, {"ok": True, "why": []})
    assert query.groups == ("/g",)
    assert query.rows(lines) == [
        ("1970-01-01 00:02:00", "1", ""),
        ("1970-01-01 00:01:00", "0", "slow"),
    ]


def test_maxima_are_by_name_and_step() -> None:
    query = Query.of("SOURCE '/g' | stats max(v.a) as first, max(v.b) as second by bin(2m)")
    lines = events({"v": {"a": 1}}, {"v": {"a": 3, "b": 5}}, {"v": {"a": 2}}, "no JSON", {"v": {"a": "text"}})
    assert query.lines(lines) == {"first": {0.0: 3.0, 120.0: 2.0}, "second": {0.0: 5.0}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SOURCE '/g' | parse x", "parse x"),
        ("SOURCE '/g' | filter a like /b/", "a like /b/"),
        ("SOURCE '/g' | stats avg(a) as b by bin(5m)", "avg(a) as b"),
        ("SOURCE '/g' | sort a desc", "sort a desc"),
    ],
)
def test_what_is_not_understood_is_named(text: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        Query.of(text)
    assert says in str(caught.value)
