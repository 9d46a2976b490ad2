"""Where in their minute a function's requests come: counts do not say, but concurrency tells which rule is nearer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator.assumptions import PLACEMENTS, Assumptions
from preheat_tools.simulator.contenders import contender
from preheat_tools.simulator.run import play
from preheat_tools.simulator.traces import Trace


def nearest(trace: Trace, seen: Sequence[int], world: Assumptions) -> tuple[str, str]:
    """The placement whose concurrency comes nearest to what CloudWatch saw of the trace's one function, by the mean
    over the minutes that had any; with a note that names both."""
    busy = np.array(seen) > 0
    if not busy.any():
        return world.placement, ""
    wanted = float(np.array(seen)[busy].mean())
    means = {}
    for placement in PLACEMENTS:
        placed = replace(world, placement=placement)
        result = play(trace, contender("none", trace, placed), placed, keep=True)
        means[placement] = float(result.functions_seen[0].minutes[: len(busy), eng.PEAK][busy].mean())
    best = min(PLACEMENTS, key=lambda placement: abs(means[placement] - wanted))
    note = (
        f"In busy minutes CloudWatch saw {wanted:.2g} at once on average; requests placed {best} in their minutes come "
        f"to {means[best]:.2g}."
    )
    if means[best] < wanted / 1.5:
        note += " They come more bunched than is simulated: there are more cold starts than are said here."
    return best, note
