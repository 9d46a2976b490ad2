"""An invocation, however it came: a slot, an environment, INIT where there is none, the event, the account of it."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from preheat_tools.localcloud.environment import Answer, Environment
from preheat_tools.localcloud.functions import Deployed, Factory, UnusableRuntimeError
from preheat_tools.localcloud.ledger import Invocation, Ledger, kind_of
from preheat_tools.localcloud.measures import Metrics, dimensions_of, embedded
from preheat_tools.localcloud.pool import Pool
from preheat_tools.localcloud.report import Logs, Report
from preheat_tools.localcloud.settings import Current

Limit = Callable[[str], int | None]
"""Reserved concurrency of a function, None where it has none."""


class ThrottledError(Exception):
    """No slot is left; `reason` is Lambda's word for which limit it was."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Slots:
    """Concurrency in use, by function and by qualifier; at a limit the next one is refused, never queued."""

    _used: Counter[str] = field(default_factory=Counter)
    _total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, what: Deployed, reserved: int | None, account: int) -> tuple[int, int]:
        """Take one; the use of the function and of the qualifier, this one included. Raises ThrottledError."""
        with self._lock:
            if reserved is not None and self._used[what.name] >= reserved:
                raise ThrottledError("ReservedFunctionConcurrentInvocationLimitExceeded")
            if self._total >= account:
                raise ThrottledError("ConcurrentInvocationLimitExceeded")
            self._total += 1
            for name in (what.name, f"{what.name}:{what.qualifier}"):
                self._used[name] += 1
            return self._used[what.name], self._used[f"{what.name}:{what.qualifier}"]

    def leave(self, what: Deployed) -> None:
        with self._lock:
            self._total -= 1
            for name in (what.name, f"{what.name}:{what.qualifier}"):
                self._used[name] -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the caller gets: the answer, and the log as `LogType=Tail` shows it."""

    payload: Any
    failure: dict[str, Any] | None
    log: str


@dataclass(frozen=True, slots=True)
class _Served:
    """An invocation that is over, still to be written down."""

    environment: Environment
    answer: Answer
    init: Answer | None
    init_ms: float
    """What the caller waited for INIT, on demand."""
    concurrency: tuple[int, int]
    started_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlane:
    """Invokes functions in this cloud's environments."""

    pool: Pool
    factory: Factory
    slots: Slots
    metrics: Metrics
    logs: Logs
    ledger: Ledger
    settings: Current
    now_s: Callable[[], float]
    reserved: Limit
    replace: Callable[[str, str], None]
    """Called with function and qualifier where a provisioned environment was lost."""

    def invoke(self, what: Deployed, event: Any, trace_id: str | None = None) -> Outcome:
        """One event through one environment; raises ThrottledError."""
        try:
            concurrency = self.slots.enter(
                what, self.reserved(what.name), self.settings.value.account_concurrency
            )
        except ThrottledError:
            self._count(what, "Throttles", 1)
            self.ledger.count(what.name, "throttles")
            raise
        request = {"id": str(uuid.uuid4()), "arn": what.arn, "trace_id": trace_id}
        try:
            served = self._serve(what, event, request, concurrency)
        except UnusableRuntimeError as problem:
            failure = {"errorType": "Runtime.InvalidRuntime", "errorMessage": str(problem)}
            return Outcome(payload=None, failure=failure, log=str(problem))
        finally:
            self.slots.leave(what)
        return self._account(what, event, request, served)

    def _serve(
        self, what: Deployed, event: Any, request: dict[str, Any], concurrency: tuple[int, int]
    ) -> _Served:
        started_s = self.now_s()
        one = self.pool.lease(what.key, what.qualifier)
        init: Answer | None = None
        init_ms = 0.0
        if one is None:
            one = self.pool.adopt(what.key, self.factory.make(what, started_s))
            one, init, init_ms = self._init(what, one)
        failed = init is not None and init.failure is not None
        one.state = one.state if failed else "busy"
        answer = init if failed and init else one.invoke(event, request, what.timeout_s)
        if answer.memory_mb > what.memory_mb and one.alive:
            answer = one.out_of_memory(answer)
        if failed:
            # AWS counts no duration of a handler that never ran, only what INIT took.
            answer = Answer(failure=answer.failure, memory_mb=answer.memory_mb, status=answer.status)
        if not self.pool.give_back(one) and one.owner:
            self.replace(what.name, one.owner)
        return _Served(one, answer, init, init_ms, concurrency, started_s)

    def _init(self, what: Deployed, one: Environment) -> tuple[Environment, Answer, float]:
        """INIT on demand; one that overruns its limit is run once more on the function's own timeout."""
        limit_s = self.settings.value.init_limit_s
        init = one.start(limit_s)
        if init.status != "timeout":
            return one, init, one.init_ms
        lost_ms = one.init_ms
        self.pool.retire([one])
        again = self.pool.adopt(what.key, self.factory.make(what, self.now_s()))
        init = again.start(what.timeout_s)
        return again, init, lost_ms + again.init_ms

    def _account(self, what: Deployed, event: Any, request: dict[str, Any], served: _Served) -> Outcome:
        one, answer = served.environment, served.answer
        one.levels = _levels(answer.payload) or one.levels
        first = one.invocations == 1 and one.owner is not None
        report = Report(
            request=request["id"],
            duration_ms=answer.elapsed_ms,
            init_ms=served.init_ms or (one.init_ms if first else 0.0),
            init_billed=not first,
            memory_size_mb=what.memory_mb,
            memory_used_mb=answer.memory_mb,
            status=answer.status,
        )
        lines = _lines(what, request["id"], served, report)
        self.logs.write(what.log_group, one.log_stream, lines)
        self.metrics.store(
            embedded([*(served.init.lines if served.init else ()), *answer.lines], self.now_s())
        )
        self._measure(what, served, report)
        self.ledger.note(
            Invocation(
                function=what.name,
                version=what.version,
                qualifier=what.qualifier,
                environment=one.name,
                kind=kind_of(event),
                provisioned=one.owner is not None,
                cold=served.init is not None,
                started_s=served.started_s,
                duration_ms=answer.elapsed_ms,
                init_ms=served.init_ms,
                billed_ms=report.billed_ms,
                concurrency=served.concurrency[0],
                error=(answer.failure or {}).get("errorType", ""),
            )
        )
        return Outcome(payload=answer.payload, failure=answer.failure, log="\n".join(lines))

    def _measure(self, what: Deployed, served: _Served, report: Report) -> None:
        self._count(what, "Invocations", 1)
        self._count(what, "Errors", int(served.answer.failure is not None))
        self._count(what, "Duration", report.duration_ms, "Milliseconds")
        everywhere = dimensions_of(what.name, what.qualifier, what.version)
        self.metrics.automatic("ConcurrentExecutions", served.concurrency[0], "Count", [everywhere[0], {}])
        if what.qualifier is None:
            return
        self.metrics.automatic("ConcurrentExecutions", served.concurrency[1], "Count", [everywhere[1]])
        provisioned = [
            one for ones in self.pool.owned(what.name, what.qualifier).values() for one in ones if one.alive
        ]
        if not provisioned:
            return
        spilled = served.environment.owner is None
        name = (
            "ProvisionedConcurrencySpilloverInvocations" if spilled else "ProvisionedConcurrencyInvocations"
        )
        self._count(what, name, 1)
        busy = sum(one.state == "busy" for one in provisioned) + (not spilled)
        self._count(what, "ProvisionedConcurrentExecutions", min(busy, len(provisioned)))
        self._count(what, "ProvisionedConcurrencyUtilization", min(busy / len(provisioned), 1.0), "None")

    def _count(self, what: Deployed, name: str, value: float, unit: str = "Count") -> None:
        self.metrics.automatic(name, value, unit, dimensions_of(what.name, what.qualifier, what.version))


def _levels(payload: Any) -> dict[str, str]:
    """Model to level where this is a reply to a ping, else empty."""
    told = payload.get("preheat") if isinstance(payload, dict) else None
    models = told.get("models") if isinstance(told, dict) else None
    return {name: str(report.get("level")) for name, report in (models or {}).items()}


def _lines(what: Deployed, request: str, served: _Served, report: Report) -> list[str]:
    lines = [f"START RequestId: {request} Version: {what.version}", *served.answer.lines]
    if served.init is not None:
        lines = [f"INIT_START Runtime Version: {what.runtime} (local)", *served.init.lines, *lines]
    if served.answer.status == "timeout" and served.answer.failure:
        lines.append(f"{request} {served.answer.failure['errorMessage']}")
    elif served.answer.failure and served.answer.failure["errorType"] == "Runtime.ExitError":
        lines.append(f"RequestId: {request} Error: {served.answer.failure['errorMessage']}")
    return [*lines, f"END RequestId: {request}", report.line()]
