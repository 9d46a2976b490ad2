from __future__ import annotations

import json

import pytest
from preheat_tools.localcloud.alarms import state_of
from preheat_tools.localcloud.subscriptions import matches

RECORD = json.dumps(
    {
        "who": "customer",
        "ms": 512.5,
        "cold": True,
        "model": {"name": "premium"},
        "tags": ["a", "b"],
        "n": None,
    }
)


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("", True),
        ("premium", True),
        ("premium absent", False),
        ("?absent ?premium", True),
        ("premium -customer", False),
        ('{ $.who = "customer" }', True),
        ("{ $.who = cust* }", True),
        ('{ $.who != "customer" }', False),
        ("{ $.ms > 500 }", True),
        ("{ $.ms >= 512.5 && $.ms < 600 }", True),
        ("{ $.ms > 600 || $.model.name = premium }", True),
        ("{ ($.ms > 600 || $.cold IS TRUE) && $.who = ping }", False),
        ("{ $.tags[1] = b }", True),
        ("{ $.n IS NULL }", True),
        ("{ $.absent NOT EXISTS }", True),
        ("{ $.absent = x }", False),
        ("{ $.cold = true }", True),
    ],
)
def test_filter_patterns(pattern, taken):
    assert matches(pattern, RECORD) is taken


def test_a_json_pattern_takes_no_plain_text():
    assert not matches("{ $.who = customer }", "customer came")


@pytest.mark.parametrize(
    ("breaching", "needed", "missing", "state"),
    [
        pytest.param([True, True], 2, "missing", "ALARM", id="all"),
        pytest.param([True, False], 2, "missing", "OK", id="not-enough"),
        pytest.param([True, False, True], 2, "missing", "ALARM", id="m-of-n"),
        pytest.param([None, None], 1, "missing", "INSUFFICIENT_DATA", id="no-data"),
        pytest.param([None, None], 1, "notBreaching", "OK", id="no-data-is-fine"),
        pytest.param([None, None], 2, "breaching", "ALARM", id="no-data-is-bad"),
        pytest.param([None, None], 1, "ignore", "", id="no-data-changes-nothing"),
    ],
)
def test_alarm_states(breaching, needed, missing, state):
    assert state_of(breaching, needed, missing) == state
