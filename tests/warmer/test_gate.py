"""The verdict on a new version: sound and no slower in every environment; any doubt is a no."""

from __future__ import annotations

import pytest
from preheat.frozen import replace
from preheat.ping import Level, ModelReport, Reply

from tests.warmer.replies import GOOD, TWO, model, reply
from warmer.gate import Limits, incomplete, judge


def crowded(environment: str, **models: ModelReport) -> Reply:
    """An environment whose budget holds one of its two models."""
    return replace(reply(environment, **models), models_mb=150.0)


GAVE_WAY = {"a": model(needs_mb=100.0), "b": model(needs_mb=100.0, level=Level.CACHED, memory_mb=0.0)}


def test_a_version_as_good_as_the_old_one_passes() -> None:
    verdict = judge(GOOD, (reply("0"),), TWO)
    assert verdict.passed and verdict.report().startswith("PASSED")
    assert "20.0 (was 20.0)" in verdict.report()


def test_a_first_version_has_nothing_to_be_compared_with() -> None:
    assert judge(GOOD, (), TWO).passed


@pytest.mark.parametrize(
    ("new", "says"),
    [
        pytest.param((reply("1"),), "1 environments answered, 2 were to be warm", id="too-few"),
        pytest.param((), "0 environments answered", id="none"),
        pytest.param(
            (reply("1"), reply("2", a=model(problem="golden question 0: 0.9 is not 0.1"), b=model())),
            "a failed in environment 2: golden question 0",
            id="passes-on-one-and-fails-on-another",
        ),
        pytest.param(
            (reply("1"), reply("2", a=model(level=Level.LOADED), b=model())),
            "a is LOADED, not HOT",
            id="not-hot",
        ),
        pytest.param((reply("1"), reply("2", a=model())), "b is missing in environment 2", id="a-model-less"),
        pytest.param(
            (reply("1"), reply("2", a=model(memory_mb=900), b=model(memory_mb=200))),
            "models take 1100 MB in environment 2, the function has 1000",
            id="memory-over-the-limit",
        ),
        pytest.param(
            tuple(reply(e, a=model(steady_ms=8.0), b=model()) for e in "12"),
            "a: steady_ms is 8.0, was 5.0: more than 1.5 times as slow",
            id="right-but-slower",
        ),
        pytest.param(
            tuple(reply(e, a=model(), b=model(first_answer_ms=31)) for e in "12"),
            "b: first_answer_ms is 31.0, was 20.0",
            id="slow-at-first",
        ),
        pytest.param(
            tuple(reply(e, a=model(steady_ms=0), b=model()) for e in "12"),
            "a: steady_ms was not measured",
            id="unmeasured",
        ),
    ],
)
def test_any_doubt_is_a_no(new: tuple[Reply, ...], says: str) -> None:
    verdict = judge(new, (reply("0"),), TWO)
    assert not verdict.passed and says in verdict.report()


def test_a_model_that_gave_way_to_another_was_verified_in_its_turn() -> None:
    assert judge((crowded("1", **GAVE_WAY),), (), Limits(environments=1)).passed


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(reply("1", **GAVE_WAY), id="though-there-is-room"),
        pytest.param(
            crowded("1", **{**GAVE_WAY, "b": model(needs_mb=100.0, level=Level.CACHED, steady_ms=0.0)}),
            id="and-was-never-asked",
        ),
    ],
)
def test_a_model_that_is_not_hot_is_a_doubt(made: Reply) -> None:
    assert "b is CACHED, not HOT" in judge((made,), (), Limits(environments=1)).report()


def test_a_model_that_was_not_hashed_in_time_is_asked_for_again_and_then_refused() -> None:
    late = reply("1", a=model(hashed=False), b=model())
    assert incomplete((late,), 1)
    assert "a was not hashed in time in environment 1" in judge((late,), (), Limits(environments=1)).report()
    assert not incomplete((reply("1", a=model(), b=model()),), 1)


def test_a_few_microseconds_are_not_slower() -> None:
    fast = {"a": model(steady_ms=0.1, first_answer_ms=0.2)}
    slower = {"a": model(steady_ms=0.3, first_answer_ms=0.9)}
    assert judge((reply("1", **slower), reply("2", **slower)), (reply("0", **fast),), TWO).passed


def test_what_kept_an_environment_from_answering_is_a_doubt() -> None:
    assert "HTTP 500" in judge(GOOD, (), TWO, ["HTTP 500"]).report()


@pytest.mark.parametrize(
    ("problem", "explained"),
    [
        ('HTTP 200 Unhandled {"errorMessage": "Runtime exited with error: signal: killed"}', True),
        ('HTTP 200 Unhandled {"errorMessage": "Runtime exited with error: exit status 1"}', False),
    ],
)
def test_a_process_that_was_killed_is_said_to_have_run_out_of_memory(problem: str, explained: bool) -> None:
    report = judge((), (), TWO, [problem]).report()
    assert problem in report
    assert ("more memory than the function's 1000 MB" in report) == explained


def test_an_environment_without_any_model_is_a_doubt() -> None:
    bare = Reply(
        environment="1",
        initialization="on-demand",
        cold=True,
        age_s=0,
        idle_s=0,
        requests=0,
        held_ms=0,
        init_ms=1,
    )
    assert "no environment has any model" in judge((bare,), (), Limits(environments=1)).report()
