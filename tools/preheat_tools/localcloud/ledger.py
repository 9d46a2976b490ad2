"""What happened, for `preheat local status`, the demo and the tests: counters, and the last invocations."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

KEPT = 20_000

Kind = Literal["request", "ping", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One invocation, as it can be told from outside the function."""

    sequence: int = 0
    function: str
    version: str
    qualifier: str | None
    environment: str
    kind: Kind
    provisioned: bool
    cold: bool
    """Whether the caller waited for INIT."""
    started_s: float
    """Virtual Unix time."""
    duration_ms: float
    init_ms: float
    billed_ms: int
    concurrency: int
    """Of the function, this one included, as it began."""
    error: str = ""


def kind_of(event: Any) -> Kind:
    """A request came through an API or a function URL, a ping from the warmer; the rest is other."""
    if not isinstance(event, Mapping):
        return "other"
    if "requestContext" in event:
        return "request"
    return "ping" if "preheat" in event else "other"


@dataclass(slots=True)
class Ledger:
    """Counts by function and keeps the last invocations."""

    _kept: deque[Invocation] = field(default_factory=lambda: deque(maxlen=KEPT))
    _counts: dict[str, Counter[str]] = field(default_factory=dict)
    _sequence: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, one: Invocation) -> None:
        """Count an invocation that reached an environment."""
        with self._lock:
            self._sequence += 1
            values = asdict(one) | {"sequence": self._sequence}
            self._kept.append(Invocation(**values))
            counts = self._counts.setdefault(one.function, Counter())
            counts["invocations"] += 1
            counts[f"{one.kind}s" if one.kind != "other" else "others"] += 1
            counts["billed_ms"] += one.billed_ms
            counts[f"billed_ms_{one.kind}"] += one.billed_ms
            counts["errors"] += bool(one.error)
            if one.cold:
                counts["cold_starts"] += 1
                counts[f"cold_starts_{one.kind}"] += 1

    def count(self, function: str, what: str, amount: float = 1) -> None:
        """Count something that is no invocation: a throttle, an INIT of provisioned concurrency."""
        with self._lock:
            self._counts.setdefault(function, Counter())[what] += int(amount)

    def counts(self) -> dict[str, dict[str, int]]:
        """By function; what never happened is absent."""
        with self._lock:
            return {name: dict(counts) for name, counts in self._counts.items()}

    def after(self, sequence: int) -> list[dict[str, Any]]:
        """The invocations since one, oldest first; the last 20,000 are kept."""
        with self._lock:
            return [asdict(one) for one in self._kept if one.sequence > sequence]
