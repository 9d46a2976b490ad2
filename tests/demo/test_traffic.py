from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from preheat_tools.demo.traffic import MINUTES, SHARES, read_traffic

ROOT = Path(__file__).parents[2]


def test_the_slice_is_large_enough_to_say_something() -> None:
    traffic = read_traffic(ROOT)
    assert len(traffic.during) == MINUTES
    assert sum(traffic.during) >= 300
    assert sum(traffic.before) > 0


def test_arrivals_keep_every_minutes_count_and_come_in_order() -> None:
    traffic = read_traffic(ROOT)
    arrivals = traffic.arrivals(list(SHARES))
    assert [one.at_s for one in arrivals] == sorted(one.at_s for one in arrivals)
    by_minute = Counter(int(one.at_s // 60) for one in arrivals)
    assert tuple(by_minute[minute] for minute in range(MINUTES)) == traffic.during


def test_arrivals_are_the_same_every_time_and_by_share() -> None:
    traffic = read_traffic(ROOT)
    arrivals = traffic.arrivals(list(SHARES))
    assert arrivals == traffic.arrivals(list(SHARES))
    share = Counter(one.model for one in arrivals)["short_form"] / len(arrivals)
    assert share == pytest.approx(SHARES["short_form"], abs=0.06)


def test_with_one_model_all_of_it_is_asked() -> None:
    assert {one.model for one in read_traffic(ROOT).arrivals(["short_form"])} == {"short_form"}
