"""The demo's last scene: a broken version and a good one are deployed while customers ask."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from preheat_tools.demo.figures import Half
from preheat_tools.demo.player import Answered, Caller
from preheat_tools.demo.story import Progress, System, invocations_of, last_sequence, wait_until
from preheat_tools.demo.traffic import Arrival
from preheat_tools.localcloud.canary import Canary, Outcome, Shift, package

SHIFT = "Canary10Percent5Minutes"
CUSTOMERS = 2
PACE_S = 0.1
"""Real seconds from one request of a customer to his next."""
QUIET_S = 240.0
"""Of the trace: what the deployment before did may set off an alarm minutes later, when its metrics have come."""
SERVED = 50
"""Requests that a version that took over is watched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One deployment, and what its customers met meanwhile."""

    outcome: Outcome
    half: Half
    met: int
    """Requests that the new version took."""


def release(system: System, built: Path, models: Sequence[str], progress: Progress) -> Release:
    """Deploy a built function's folder as a new version, as CodeDeploy would, under traffic."""
    cloud = system.cloud
    canary = Canary(cloud, system.deployed, lambda event: progress(0.5, event))
    loud_s = [cloud.now_s()]
    wait_until(lambda: _quiet(canary, loud_s), "the deployment's alarms to be over")
    before, began_s = last_sequence(cloud), cloud.now_s()
    with customers(system.caller, models) as answered:
        outcome = canary.deploy(package(built), Shift.of(SHIFT))
        if not outcome.stopped:
            wait_until(lambda: _met(system, before, outcome) >= SERVED, "requests to the new version")
    half = Half(
        answered=answered,
        invocations=invocations_of(system, before),
        began_s=began_s,
        compression=cloud.compression,
    )
    return Release(outcome=outcome, half=half, met=_met(system, before, outcome))


def broken_promise(releases: Mapping[str, Release]) -> str:
    """What the last scene promised and did not keep; empty where it did. A broken version is to be stopped before it
    meets anybody, a good one let through."""
    wrong, good = releases["wrong"], releases["good"]
    if wrong.met or not wrong.outcome.stopped:
        return f"a version with a wrong weight took {wrong.met} requests"
    if good.outcome.stopped:
        return f"the good version was not let through: {good.outcome.stopped}\n{good.outcome.report}"
    return ""


def _quiet(canary: Canary, loud_s: list[float]) -> bool:
    """Whether no alarm has been on for QUIET_S; `loud_s` holds when one was on, or the wait began, last."""
    now_s = canary.cloud.now_s()
    if canary.alarms():
        loud_s[0] = now_s
    return now_s - loud_s[0] >= QUIET_S


def _met(system: System, before: int, outcome: Outcome) -> int:
    return sum(
        one["version"] == outcome.new and one["kind"] == "request" for one in invocations_of(system, before)
    )


@contextmanager
def customers(caller: Caller, models: Sequence[str]) -> Iterator[list[Answered]]:
    """CUSTOMERS who ask the models in turn for the length of a block; every answer has come when it ends."""
    over, answered = threading.Event(), list[Answered]()

    def ask(number: int) -> None:
        for count, model in enumerate(itertools.cycle(models)):
            answered.append(caller.recommend(Arrival(float(CUSTOMERS * count + number), model)))
            if over.wait(PACE_S):
                return

    with ThreadPoolExecutor(CUSTOMERS) as asking:
        going = [asking.submit(ask, number) for number in range(CUSTOMERS)]
        try:
            yield answered
        finally:
            over.set()
        for one in going:
            one.result()
