"""A warm-up: golden questions, a steady latency, and what time cuts short."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from preheat.memory import NotReady
from preheat.model import Quarantined
from preheat.settings import PROVISIONED

from .fakes import VISITED, World
from .packs import write_pack

if TYPE_CHECKING:
    pass


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_a_warm_up_goes_on_until_latency_is_steady(models: Path) -> None:
    write_pack(models, "a")
    world = World(models, answers_s=(0.9, 0.5, 0.4, 0.2, 0.21, 0.2), initialization=PROVISIONED).init()
    report = world.host.report()["a"]
    assert report.first_answer_ms == pytest.approx(900.0)
    assert report.steady_ms == pytest.approx(200.0)
    assert world.opener.sessions["a"].runs == 5  # both golden questions, then 0.4, 0.2 and 0.21


def test_a_latency_that_never_settles_ends_the_warm_up_too(models: Path) -> None:
    write_pack(models, "a")
    world = World(
        models, answers_s=(1.0, 1.0, 0.64, 0.32, 0.16, 0.08, 0.04, 0.02), initialization=PROVISIONED
    ).init()
    assert world.opener.sessions["a"].runs == 2 + 5


def test_on_demand_somebody_may_wait_so_that_only_a_ping_goes_on_to_a_steady_latency(models: Path) -> None:
    write_pack(models, "a")
    world = World(models, answers_s=(0.9, 0.5, 0.4, 0.2, 0.21)).init()
    assert world.levels() == {"a": "HOT"}
    assert (world.opener.sessions["a"].runs, world.host.report()["a"].steady_ms) == (2, 0.0)
    world.host.warm({}, world.clock.now_s + 10.0)
    assert (world.opener.sessions["a"].runs, world.host.report()["a"].steady_ms) == (5, pytest.approx(200.0))
    world.host.warm({}, world.clock.now_s + 10.0)
    assert world.opener.sessions["a"].runs == 5


def test_a_warm_up_past_its_deadline_is_tried_once_more_then_given_up(models: Path) -> None:
    write_pack(models, "a")
    world = World(models, answers_s=(6.0,)).init()  # a second golden question never comes within 5 s
    assert world.levels() == {"a": "LOADED"}  # unverified: not served
    with pytest.raises(Quarantined, match="warm-up took longer than 5 s: 1 of 2 golden questions answered"):
        world.host["a"].run(VISITED)


def test_a_request_to_a_model_whose_warm_up_was_late_gets_no_unverified_answer(models: Path) -> None:
    write_pack(models, "a")
    world = World(models, hot=False, answers_s=(6.0,)).init()
    with pytest.raises(NotReady, match="a is LOADED: its warm-up was not done in time; ask again"):
        world.host["a"].run(VISITED)
