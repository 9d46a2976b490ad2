"""What was measured, in figures: from what callers saw and what the local cloud wrote down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from preheat_tools.demo.player import Answered

Invocations = Sequence[Mapping[str, Any]]
"""Rows of the local cloud's ledger (localcloud.ledger.Invocation)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One stretch of traffic."""

    requests: int
    cold_starts: int
    """Requests whose caller waited for INIT."""
    p50_ms: float
    p99_ms: float
    billed_ms: int
    """Of requests and pings, INIT included."""
    failed: int = 0
    """Requests not answered 200."""
    pings: int = 0
    pings_billed_ms: int = 0
    pings_met: int = 0
    """Of the cold starts, those that began while a ping was being answered: a round held what was warm."""


def figures(answered: Sequence[Answered], invocations: Invocations, compression: float = 1.0) -> Figures:
    """Figures of some requests and of the invocations of the function behind them."""
    times = sorted(one.took_ms for one in answered)
    requests = [one for one in invocations if one["kind"] == "request"]
    pings = [one for one in invocations if one["kind"] == "ping"]
    held = [(one["started_s"], one["started_s"] + _lasted_s(one) * compression) for one in pings]
    cold = [one["started_s"] for one in requests if one["cold"]]
    return Figures(
        requests=len(answered),
        cold_starts=len(cold),
        p50_ms=round(percentile(times, 50), 1),
        p99_ms=round(percentile(times, 99), 1),
        billed_ms=sum(int(one["billed_ms"]) for one in (*requests, *pings)),
        failed=sum(one.status != 200 for one in answered),
        pings=len(pings),
        pings_billed_ms=sum(int(one["billed_ms"]) for one in pings),
        pings_met=sum(any(begun <= at <= ended for begun, ended in held) for at in cold),
    )


def _lasted_s(invocation: Mapping[str, Any]) -> float:
    """Real seconds from the lease of an environment to its return."""
    return float(invocation["init_ms"] + invocation["duration_ms"]) / 1000


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest rank, in ascending values; 0 where there are none."""
    return ordered[max(math.ceil(len(ordered) * share / 100) - 1, 0)] if ordered else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """The slice played once: what callers saw, what ran, and when the first cycle was over (trace's time)."""

    answered: Sequence[Answered]
    invocations: Invocations
    began_s: float
    """Virtual instant at which the slice began."""
    compression: float = 1.0

    def figures(self, from_s: float = 0.0) -> Figures:
        """Of what came `from_s` after the slice began."""
        return figures(
            [one for one in self.answered if one.at_s >= from_s],
            [one for one in self.invocations if one["started_s"] - self.began_s >= from_s],
            self.compression,
        )


def ping_cost_usd(found: Figures, memory_mb: int, request_usd: float, gb_s_usd: float) -> float:
    """What the pings of a half cost on AWS: requests and billed duration."""
    return found.pings * request_usd + found.pings_billed_ms / 1000 * memory_mb / 1024 * gb_s_usd


def as_json(found: Figures, after: Figures | None = None, *, pings: bool = False) -> dict[str, Any]:
    """The form of `preheat demo --json`."""
    body = asdict(found)
    if not pings:
        body = {name: value for name, value in body.items() if not name.startswith("pings")}
    return body if after is None else body | {"after_first_cycle": as_json(after, pings=pings)}
