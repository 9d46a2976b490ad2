"""Replies of environments, for tests of the gate and of the hook."""

from __future__ import annotations

from typing import Any

from preheat.ping import Level, ModelReport, Reply

from warmer.gate import Limits

TWO = Limits(environments=2, memory_mb=1000)


def model(**changes: Any) -> ModelReport:
    given = {
        "level": Level.HOT,
        "version": "v",
        "first_answer_ms": 20.0,
        "steady_ms": 5.0,
        "memory_mb": 100.0,
    }
    return ModelReport(**{**given, **changes})


def reply(environment: str, **models: ModelReport) -> Reply:
    return Reply(
        environment=environment,
        initialization="on-demand",
        cold=False,
        age_s=1.0,
        idle_s=0.0,
        requests=0,
        held_ms=0.0,
        init_ms=100.0,
        models=models or {"a": model(), "b": model()},
    )


GOOD = (reply("1"), reply("2"))
