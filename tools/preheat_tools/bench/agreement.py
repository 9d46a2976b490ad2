"""The simulator beside real workers: one slice of traffic on the local cloud, and the same instants simulated."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preheat_tools.demo import story as scenes
from preheat_tools.demo.figures import Half
from preheat_tools.demo.traffic import read_traffic
from preheat_tools.localcloud.deployment import build
from preheat_tools.localcloud.process import local_cloud
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.replay import Pinged, replay

RUNTIME_HOLD_S = 0.25
"""Real seconds that a ping may be held (preheat.ping.MAX_HOLD_S)."""

Invocation = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One stretch, there and here; times in ms of the trace's time, which INIT and service take their real share of."""

    warmer: bool
    requests: int
    pings: int
    init_ms: float
    service_ms: float
    cold_starts: int
    simulated_cold_starts: int
    made_by_pings: int
    simulated_made_by_pings: int


def measure(root: Path, minutes: int, compression: float, progress: Callable[[str], None]) -> list[Agreement]:
    """Play the demo's slice of the Azure trace without the warmer, then with it.

    Raises RuntimeError where a part fails.
    """
    folder = root / ".preheat" / "agreement"
    shutil.rmtree(folder, ignore_errors=True)
    traffic = read_traffic(root, minutes)
    areas = [one["id"] for one in json.loads((root / "functions/recommend/areas.json").read_text())]
    found = []
    settings = {"idle_ttl_s": scenes.IDLE_TTL_S}
    with local_cloud(folder, compression=compression, settings=settings) as cloud:
        progress("build and deploy, twice")
        built = build(cloud, root / "template.yaml", lambda _: None)
        for warmer in (False, True):
            system = scenes.ship(cloud, built, areas, lambda *_: None, warmer=warmer)
            models = scenes.models_of(system)
            scenes.first_requests(system, models[:1], lambda *_: None)  # leaves nothing warm
            progress(f"{minutes} minutes of traffic, {'with' if warmer else 'without'} the warmer")
            half = scenes.play_slice(system, traffic, models, lambda *_: None)
            found.append(compared(half, minutes * 60.0, warmer=warmer))
    return found


def compared(half: Half, span_s: float, *, warmer: bool) -> Agreement:
    """What the cloud's ledger says of a stretch, and what the simulator makes of its instants."""
    requests = [one for one in half.invocations if one["kind"] == "request"]
    pings = [one for one in half.invocations if one["kind"] == "ping"]
    world = _world(half.invocations, half.compression)

    def since_s(one: Invocation) -> float:
        return float(one["started_s"]) - half.began_s

    held = [
        Pinged(since_s(one), since_s(one) + one["duration_ms"] / 1000 * half.compression) for one in pings
    ]
    here = replay([since_s(one) for one in requests], held, span_s + 60.0, world)
    return Agreement(
        warmer=warmer,
        requests=len(requests),
        pings=len(pings),
        init_ms=world.init_ms,
        service_ms=world.service_ms,
        cold_starts=sum(bool(one["cold"]) for one in requests),
        simulated_cold_starts=here.cold_starts,
        made_by_pings=sum(bool(one["cold"]) for one in pings),
        simulated_made_by_pings=here.made_by_pings,
    )


def _world(invocations: Sequence[Invocation], compression: float) -> Assumptions:
    """That cloud's parameters: means of what it measured, in the trace's time."""
    inits = [one["init_ms"] for one in invocations if one["cold"]]
    services = [one["duration_ms"] for one in invocations if one["kind"] == "request" and not one["cold"]]
    return Assumptions(
        init_ms=_mean(inits) * compression,
        service_ms=_mean(services) * compression,
        lifetime="6m",
        max_hold_s=RUNTIME_HOLD_S * compression,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
