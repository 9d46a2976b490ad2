"""Settings: the most specific source wins, and an error names the setting, the value and the rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from warmer.policy.values import Objective, Target, Window
from warmer.settings import SettingError, fingerprint, parse_document, settings_of
from warmer.windows import parse_window

A = Target("a", "live")
SUMMER_S = datetime(2026, 7, 1, tzinfo=UTC).timestamp()
WINTER_S = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
WEEKDAYS = frozenset(range(5))


def test_settings_have_one_fingerprint_whatever_order_they_came_in() -> None:
    shared = '{"windows": ["mon-fri 08:00-18:00 5"], "levels": {"a": "HOT", "b": "LOADED"}, "floor": 2}'
    turned = '{"floor": 2, "levels": {"b": "LOADED", "a": "HOT"}, "windows": ["fri-mon 08:00-18:00 5"]}'
    same = turned.replace("fri-mon", "tue-fri+mon")
    prints = [
        fingerprint(one.objective, one.levels)
        for one in (
            settings_of(A, parse_document(text, "/w"), {}, "/w", 0.0) for text in (shared, same, turned)
        )
    ]
    assert prints[0] == prints[1] != prints[2]


def settings(text: str = "{}", **tags: str) -> Any:
    named = {f"preheat:{name.replace('_', '-')}": value for name, value in tags.items()}
    return settings_of(A, parse_document(text, "/p"), {"preheat": "live", **named}, "/p", WINTER_S)


def test_nothing_set_means_the_defaults() -> None:
    assert settings().objective == Objective() and settings().enabled


def test_the_parameter_holds_for_all_a_tag_for_its_function_and_the_parameters_targets_for_one() -> None:
    text = '{"floor": 1, "ceiling": 50, "targets": {"a:live": {"ceiling": 9}, "b:live": {"floor": 7}}}'
    objective = settings(text, floor="2", ceiling="20", cold_start_cost_usd="0.01").objective
    assert (objective.floor, objective.ceiling, objective.cold_start_cost_usd) == (2, 9, 0.01)


def test_every_setting_can_be_set() -> None:
    text = """{"cold_start_cost_usd": 0.002, "cold_start_rate": 0.001, "monthly_budget_usd": 12, "floor": 1,
        "ceiling": 40, "windows": ["mon-fri 08:00-18:00 5"], "levels": {"short_form": "HOT"}, "enabled": false}"""
    found = settings(text)
    window = Window(days=WEEKDAYS, from_minute=480, until_minute=1080, floor=5)
    assert found.objective == Objective(
        cold_start_cost_usd=0.002,
        cold_start_rate=0.001,
        monthly_budget_usd=12,
        floor=1,
        ceiling=40,
        windows=(window,),
    )
    assert found.levels == {"short_form": "HOT"} and not found.enabled


def test_tags_can_say_the_same() -> None:
    found = settings(
        windows="mon-fri 08:00-18:00 5 / sun 10:00-12:00 1", levels="short_form=HOT x=LOADED", enabled="false"
    )
    assert len(found.objective.windows) == 2
    assert found.levels == {"short_form": "HOT", "x": "LOADED"} and not found.enabled


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"flor": 1}', "unknown setting flor (parameter /p); allowed: ceiling, cold_start_cost_usd"),
        ('{"floor": -1}', "floor (parameter /p) must be a whole number of environments, 0 to 10000, was: -1"),
        ('{"floor": 1.5}', "was: 1.5"),
        ('{"floor": true}', "was: True"),
        ('{"floor": null}', "was: None"),
        ('{"floor": 5, "ceiling": 3}', "floor must be at most ceiling (3), was: 5"),
        ('{"cold_start_cost_usd": "much"}', "cold_start_cost_usd (parameter /p) must be dollars, 0 or more"),
        ('{"cold_start_cost_usd": NaN}', "must be dollars, 0 or more, was: nan"),
        ('{"monthly_budget_usd": -3}', "must be dollars a month, 0 or more, was: -3"),
        ('{"cold_start_rate": 0}', "must be a share of requests above 0, at most 1, was: 0"),
        ('{"cold_start_rate": 2}', "was: 2"),
        ('{"levels": {"m": "WARM"}}', "must map models to levels COLD, CACHED, LOADED, ON_DEVICE, HOT"),
        ('{"levels": 3}', "levels (parameter /p) must map"),
        ('{"enabled": "maybe"}', "enabled (parameter /p) must be true or false, was: 'maybe'"),
        ('{"windows": [3]}', "windows (parameter /p) must be a list of windows"),
        ('{"windows": ["monday 8-18 5"]}', "must be days hh:mm-hh:mm[@zone] floor"),
        ('{"targets": {"a:live": 3}}', "targets.a:live in parameter /p must be an object, was: 3"),
        ('{"targets": {"a:live": {"floor": "x"}}}', "floor (targets.a:live in parameter /p) must be"),
        ('{"targets": []}', "targets in /p must map function:alias to settings"),
        ("[1]", "parameter /p must be a JSON object"),
        ("{floor: 1}", "parameter /p must be JSON, was: '{floor: 1}'"),
    ],
)
def test_an_error_names_the_setting_the_value_and_the_rule(text: str, says: str) -> None:
    with pytest.raises(SettingError) as refusal:
        settings(text)
    assert says in str(refusal.value)


def test_an_error_in_a_tag_names_the_tag() -> None:
    with pytest.raises(SettingError, match=r"floor \(tag preheat:floor\) must be .*, was: 'two'"):
        settings(floor="two")


def test_anothers_bad_setting_is_not_ours() -> None:
    assert settings('{"targets": {"b:live": {"floor": "x"}}}').objective == Objective()


def window(days: Any, from_minute: int, until_minute: int, floor: int = 5) -> Window:
    return Window(days=frozenset(days), from_minute=from_minute, until_minute=until_minute, floor=floor)


@pytest.mark.parametrize(
    ("text", "now_s", "windows"),
    [
        pytest.param("mon-fri 08:00-18:00 5", WINTER_S, [window(WEEKDAYS, 480, 1080)], id="utc"),
        pytest.param("Sat+Sun 10:00-24:00 5", WINTER_S, [window([5, 6], 600, 1440)], id="joined-days"),
        pytest.param("fri-mon 00:00-01:00 5", WINTER_S, [window([4, 5, 6, 0], 0, 60)], id="over-the-weekend"),
        pytest.param(
            "mon 22:00-02:00 5", WINTER_S, [window([0], 1320, 1440), window([1], 0, 120)], id="over-midnight"
        ),
        pytest.param(
            "mon 08:00-18:00@Europe/Berlin 5", WINTER_S, [window([0], 420, 1020)], id="zone-in-winter"
        ),
        pytest.param(
            "mon 08:00-18:00@Europe/Berlin 5", SUMMER_S, [window([0], 360, 960)], id="zone-in-summer"
        ),
        pytest.param(
            "mon 00:30-02:00@Europe/Berlin 5",
            WINTER_S,
            [window([6], 1410, 1440), window([0], 0, 60)],
            id="begins-the-day-before-in-utc",
        ),
        pytest.param(
            "sun 20:00-23:00@America/New_York 5",
            WINTER_S,
            [window([0], 60, 240)],
            id="falls-on-the-next-day-in-utc",
        ),
    ],
)
def test_a_window_means_these_minutes_of_utc(text: str, now_s: float, windows: list[Window]) -> None:
    assert list(parse_window(text, now_s)) == windows


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mon-fri 08:00-18:00", "must be days hh:mm"),
        ("mon-fry 08:00-18:00 5", "must name days"),
        ("mon 08:00-25:00 5", "must have times"),
        ("mon 08:70-09:00 5", "must have times"),
        ("mon 08:00-18:00@Mars/Olympus 5", "must name an IANA time zone"),
    ],
)
def test_a_window_that_cannot_be_read_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_window(text, WINTER_S)
