"""Where in its minute a request falls: counts say how many, not when. A modelling step, named by every figure.

`uniform`: each request anywhere in its minute, independently. `mix`: timers' requests at second 0 of their minute,
bursty functions' within 20 s of their minute (at a random instant), the others uniform.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from preheat_tools.simulator.traces import Series

BLOCK = 1_000_000
"""Requests that are placed at a time, so that a long trace needs little memory."""
CLUSTER_S = 20.0
TIMER_SPREAD_S = 0.05

Floats = NDArray[np.float64]


def kind(series: Series, placement: str) -> str:
    """`uniform`, `timer` or `cluster`: the file's own word for the function where it has one, else its counts'."""
    if placement == "uniform":
        return "uniform"
    if placement != "mix":
        raise ValueError(f"placement must be uniform or mix, was: {placement!r}")
    if series.pattern == "timer":
        return "timer"
    if series.pattern == "bursty":
        return "cluster"
    if series.pattern:
        return "uniform"
    return "cluster" if _bursty(series.counts) else "uniform"


def blocks(series: Series, placement: str, seed: int, number: int) -> Iterator[Floats]:
    """Sorted instants of the requests, s from the trace's start, in blocks of whole bins. Same seed, same instants."""
    if series.instants_s is not None:
        yield series.instants_s
        return
    rng = np.random.default_rng((seed, number, 0x70))
    how = kind(series, placement)
    counts = series.counts
    busy = counts.nonzero()[0]
    if not len(busy):
        yield np.zeros(0)
        return
    edges = np.concatenate(([0], np.cumsum(counts[busy])))
    start = 0
    while start < len(busy):
        end = max(start + 1, int(np.searchsorted(edges, edges[start] + BLOCK, "right")) - 1)
        yield _place(busy[start:end], counts[busy[start:end]], series.bin_s, how, rng)
        start = end


def _place(
    bins: NDArray[np.int64], counts: NDArray[np.int64], bin_s: float, how: str, rng: np.random.Generator
) -> Floats:
    base = np.repeat(bins * bin_s, counts)
    total = len(base)
    if how == "uniform":
        within = rng.random(total) * bin_s
    elif how == "timer":
        within = rng.random(total) * TIMER_SPREAD_S
    else:
        start = rng.random(len(bins)) * (bin_s - CLUSTER_S)
        within = np.repeat(start, counts) + rng.random(total) * CLUSTER_S
    placed = base + within
    placed.sort()
    return placed


def _bursty(counts: NDArray[np.int64]) -> bool:
    """More than half of the minutes empty, and the variance of the others' counts above 3 times their mean."""
    active = counts[counts > 0]
    return (
        len(active) > 0 and 2 * len(active) < len(counts) and float(active.var()) > 3 * float(active.mean())
    )
