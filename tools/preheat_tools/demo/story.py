"""The demo's scenes, in their order: what is deployed, asked, waited for and written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preheat_tools.demo.figures import Half
from preheat_tools.demo.history import history_series
from preheat_tools.demo.player import Answered, Caller, at_once, play
from preheat_tools.demo.traffic import SHARES, Arrival, Traffic
from preheat_tools.demo.usual import Start
from preheat_tools.localcloud.deployment import Deployed, api_key, api_url, deploy
from preheat_tools.localcloud.process import LocalCloud

if TYPE_CHECKING:
    from preheat_tools.demo.release import Release

IDLE_TTL_S = 360.0
"""The shortest lifetime of an idle environment that has been published for Lambda: 5 to 7 minutes."""
BURST = 8
MODEL_MEMORY_MB = 16
"""The demo's budget for models: it cannot hold all five, so that choosing, lazy loading and eviction are real."""
WAIT_S = 60.0
STACKS = {False: "without", True: "with"}
"""Two deployments of one build, by whether the warmer runs."""

Progress = Callable[[float, str], None]
"""Told the share of a scene that is over, and what is going on."""


@dataclass(frozen=True, slots=True)
class System:
    """One deployed stack, as its customer and its operator reach it."""

    cloud: LocalCloud
    deployed: Deployed
    caller: Caller

    @property
    def function(self) -> str:
        return str(self.deployed.outputs["RecommendFunction"]).split(":")[-1]

    @property
    def warmer(self) -> str:
        return str(self.deployed.outputs["WarmerFunction"]).split(":")[-1]

    def environments(self) -> int:
        return sum(one["function"] == self.function for one in self.cloud.state()["environments"])

    def let_all_go(self) -> None:
        """Wait until no environment is left, by making idle ones live no time at all."""
        self.cloud.set(idle_ttl_s=0.0)
        wait_until(lambda: self.environments() == 0, "idle environments to end")
        self.cloud.set(idle_ttl_s=IDLE_TTL_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """The first answers of one model in an environment of its own, in ms."""

    model: str
    cold_ms: float
    warm_ms: float


@dataclass(slots=True)
class Story:
    """What the scenes measured."""

    compression: float
    memory_mb: int = 0
    firsts: list[First] = field(default_factory=list)
    starts: Mapping[str, Start] = field(default_factory=dict)
    """By model: from the start of a process of its own to an answer, as usually written and by the host."""
    cold: Half | None = None
    warm: Half | None = None
    first_cycle_s: float = 0.0
    """From the start of the warm half until the first cycle was over, in the trace's time."""
    bursts: dict[str, Half] = field(default_factory=dict)
    releases: dict[str, Release] = field(default_factory=dict)
    """The wrong version's and the good one's."""
    dashboard: str = ""
    """The stack's CloudWatch dashboard when all is over, as SVG."""


def ship(cloud: LocalCloud, built: Path, areas: Sequence[int], progress: Progress, *, warmer: bool) -> System:
    """Deploy the repository's template, with the warmer as shipped or switched off."""
    off = {} if warmer else {"WarmerState": "DISABLED"}
    deployed = deploy(
        cloud,
        built,
        stack=STACKS[warmer],
        built=built,
        parameters={
            **off,
            "ModelMemory": str(MODEL_MEMORY_MB),
            "RateLimit": "1000",
            "BurstLimit": "1000",
            "DeploymentRatio": "20",  # every environment shares this machine's processors: what one takes says little
        },
        progress=lambda line: progress(0.0, line),
    )
    return System(cloud, deployed, Caller(api_url(cloud, deployed), api_key(cloud, deployed), areas))


def models_of(system: System) -> list[str]:
    """The models that the function serves, of those the traffic asks for."""
    served = {one["name"] for one in system.caller.get("/models")["models"]}
    return [name for name in SHARES if name in served]


def first_requests(system: System, models: Sequence[str], progress: Progress) -> list[First]:
    """Each model asked twice, in an environment that was made for the first of the two."""
    firsts = []
    for index, model in enumerate(models):
        progress(index / len(models), model)
        system.let_all_go()
        cold, warm = (system.caller.recommend(Arrival(0.0, model)) for _ in range(2))
        for one in (cold, warm):
            if one.status != 200:
                raise RuntimeError(f"{model} answered {one.status}; the log is in {system.cloud.folder}")
        firsts.append(First(model=model, cold_ms=cold.took_ms, warm_ms=warm.took_ms))
    system.let_all_go()
    return firsts


def play_slice(system: System, traffic: Traffic, models: Sequence[str], progress: Progress) -> Half:
    """The slice, once; ends when every answer has come."""
    arrivals = traffic.arrivals(models)
    before, began_s = last_sequence(system.cloud), system.cloud.now_s()
    answered = play(
        system.caller,
        arrivals,
        system.cloud.compression,
        lambda count: progress(count / len(arrivals), f"minute {arrivals[count - 1].at_s / 60:.0f}"),
    )
    return Half(
        answered=answered,
        invocations=invocations_of(system, before),
        began_s=began_s,
        compression=system.cloud.compression,
    )


def burst(system: System, model: str) -> Half:
    """BURST requests at one instant."""
    before, began_s = last_sequence(system.cloud), system.cloud.now_s()
    answered: list[Answered] = at_once(system.caller, [model] * BURST)
    return Half(
        answered=answered,
        invocations=invocations_of(system, before),
        began_s=began_s,
        compression=system.cloud.compression,
    )


def load_history(cloud: LocalCloud, traffic: Traffic, service_s: float) -> int:
    """The trace's hours before the slice into CloudWatch, ending now, for the function of the stack with the warmer.

    Before that stack is deployed: its warmer begins with its first tick, and then finds what a warmer finds that is
    added to a function in use. Answers the number of datapoints.
    """
    function = f"{STACKS[True]}-recommend"
    return cloud.load(history_series(function, "live", traffic.before, service_s, cloud.now_s()))


def service_s(system: System, after: int) -> float:
    """Mean duration of warm requests since a sequence number, in virtual seconds, as CloudWatch would tell it."""
    took = [
        one["duration_ms"]
        for one in invocations_of(system, after)
        if one["kind"] == "request" and not one["cold"]
    ]
    return sum(took) / len(took) / 1000 * system.cloud.compression if took else 0.1


def first_cycle_over_s(system: System, half: Half, after: int) -> float:
    """When the first run of the warmer that began within the slice was over, seconds of the trace from its start."""
    runs = [
        one
        for one in system.cloud.invocations(after)
        if one["function"] == system.warmer and one["started_s"] >= half.began_s
    ]
    if not runs:
        raise RuntimeError(f"the warmer's schedule did not fire; the log is in {system.cloud.folder}")
    first: Mapping[str, Any] = runs[0]
    took_s = (first["duration_ms"] + first["init_ms"]) / 1000 * system.cloud.compression
    return float(first["started_s"] + took_s - half.began_s)


def invocations_of(system: System, after: int) -> list[dict[str, Any]]:
    return [one for one in system.cloud.invocations(after) if one["function"] == system.function]


def last_sequence(cloud: LocalCloud) -> int:
    return max((int(one["sequence"]) for one in cloud.invocations()), default=0)


def wait_until(reached: Callable[[], bool], what: str) -> None:
    """Look every 50 ms; raises RuntimeError after WAIT_S."""
    until_s = time.monotonic() + WAIT_S
    while not reached():
        if time.monotonic() > until_s:
            raise RuntimeError(f"waited {WAIT_S:.0f} s for {what}")
        time.sleep(0.05)
