"""The functions of a trace that advice stands on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preheat_tools.simulator.traces import Trace

SAMPLE = 40
"""Functions of a trace that are played where it has more and none is named: the strategies take minutes otherwise."""
LEAST_S = 3600.0
"""Shorter traffic says nothing of a month."""


class TrafficError(ValueError):
    """Traffic that cannot be had; the text says what was asked for and what to do."""


def chosen(
    trace: Trace, functions: Sequence[str], seed: int, most: int = SAMPLE
) -> tuple[Trace, tuple[str, ...]]:
    """The functions named, or a random sample where there are many; with notes that say what this is."""
    found, notes = _chosen(trace, functions, seed, most)
    if not sum(series.requests for series in found.series):
        raise TrafficError(f"{trace.name} has no request in it: there is nothing to be kept warm")
    if found.span_s < LEAST_S:
        raise TrafficError(
            f"{trace.name} is {found.span_s / 60:.3g} minutes of traffic: a month cannot be told from less than an hour"
        )
    return found, notes + caution(found.span_s)


def caution(span_s: float) -> tuple[str, ...]:
    """What is to be said of traffic shorter than a week."""
    if span_s < 86_400:
        return (
            "It is less than a day, scaled as if every hour of the month were like these: read it as a hint.",
        )
    if span_s < 7 * 86_400:
        return ("It is less than a week, so what differs between weekdays is not in it.",)
    return ()


def _chosen(trace: Trace, functions: Sequence[str], seed: int, most: int) -> tuple[Trace, tuple[str, ...]]:
    if functions:
        known = {series.name: series for series in trace.series}
        if missing := [name for name in functions if name not in known]:
            some = ", ".join(list(known)[:5])
            raise TrafficError(
                f"{trace.name} has no function {missing[0]!r}; it has {some}, … ({len(known)} in all)"
            )
        return Trace(trace.name, tuple(known[name] for name in functions)), ()
    if len(trace.series) <= most:
        return trace, ()
    numbers = np.sort(np.random.default_rng(seed).choice(len(trace.series), most, replace=False))
    note = (
        f"{most} of the trace's {len(trace.series)} functions, drawn at random (seed {seed}); money and cold starts "
        "are theirs."
    )
    return Trace(trace.name, tuple(trace.series[i] for i in numbers.tolist())), (note,)
