"""Faults on demand: CloudWatch answering an error to whoever asks about one target."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


class FaultError(ValueError):
    """A fault that cannot be injected; the text says what is allowed."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong, where, how often."""

    service: str
    match: str
    """Text that the request's body must hold: a function's name."""
    status: int = 500
    """HTTP status of the whole request; 0 answers it but fails the queries that match (`InternalError`)."""
    times: int = 0
    """How many requests it meets; 0 means until it is cleared."""
    met: int = 0

    @staticmethod
    def of(values: Mapping[str, Any]) -> Fault:
        allowed = {one.name for one in fields(Fault)} - {"met"}
        if unknown := values.keys() - allowed:
            raise FaultError(f"unknown fields {sorted(unknown)}; allowed: {', '.join(sorted(allowed))}")
        fault = Fault(**values)
        if fault.service != "cloudwatch":
            raise FaultError(f"service must be cloudwatch, was: {fault.service!r}")
        if not fault.match:
            raise FaultError("match must name a function, was empty")
        return fault


@dataclass(slots=True)
class Faults:
    """Those in force."""

    _active: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> list[dict[str, Any]]:
        with self._lock:
            self._active.append(fault)
            return [asdict(one) for one in self._active]

    def clear(self) -> list[dict[str, Any]]:
        with self._lock:
            self._active.clear()
            return []

    def meeting(self, service: str, body: bytes) -> Fault | None:
        """The fault that this request meets, if any; counts it."""
        with self._lock:
            for fault in self._active:
                spent = fault.times and fault.met >= fault.times
                if not spent and fault.service == service and fault.match.encode() in body:
                    fault.met += 1
                    return fault
        return None
