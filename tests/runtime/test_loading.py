"""Loads side by side, and what of INIT they may take."""

from __future__ import annotations

import threading

import pytest
from preheat.loading import InitTime, side_by_side

from .fakes import FakeClock


def test_every_step_is_taken_once_beside_what_this_thread_does() -> None:
    taken: list[str] = []
    meanwhile = threading.Event()

    def step(name: str) -> None:
        assert meanwhile.wait(10.0)  # only ends if this thread went on meanwhile
        taken.append(name)

    side_by_side(["a", "b", "c"], step, meanwhile.set)
    assert sorted(taken) == ["a", "b", "c"]


def test_one_step_alone_needs_no_thread() -> None:
    threads: list[threading.Thread] = []
    side_by_side(["a"], lambda _name: threads.append(threading.current_thread()))
    assert threads == [threading.current_thread()]


def test_what_a_step_raises_is_raised_when_the_others_are_done() -> None:
    taken: list[str] = []

    def step(name: str) -> None:
        taken.append(name)
        if name == "a":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        side_by_side(["a", "b", "c"], step)
    assert sorted(taken) == ["a", "b", "c"]


def test_a_load_begins_only_if_it_can_end_in_time_after_those_under_way() -> None:
    clock = FakeClock()
    time = InitTime(8.0, clock.steady_s)
    assert time.begin("a", 4.0)  # 1 s has gone
    assert not time.begin("b", 4.0)
    assert time.begin("c", 3.0)
    time.end("a")
    time.end("c")
    clock.now_s = 4.0
    assert time.begin("b", 4.0)
