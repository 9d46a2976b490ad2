"""The cloud's own endpoints, below /_preheat: its state, its settings, history to load, faults to inject."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs

from preheat_tools.localcloud.asgi import Asgi, body_of, send_json
from preheat_tools.localcloud.clock import Clock
from preheat_tools.localcloud.codedeploy import Hooks
from preheat_tools.localcloud.faults import Fault, Faults
from preheat_tools.localcloud.lambda_api import StackRegistry
from preheat_tools.localcloud.ledger import Ledger
from preheat_tools.localcloud.measures import Datum, Metrics
from preheat_tools.localcloud.pool import Pool
from preheat_tools.localcloud.provisioned import Provisioner
from preheat_tools.localcloud.settings import Current

PREFIX = "/_preheat/"


class RefusedError(ValueError):
    """A request that cannot be met; the text says why and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Answers below PREFIX; everything else goes to the application behind it."""

    pid: int
    clock: Clock
    settings: Current
    pool: Pool
    provisioner: Provisioner
    registry: StackRegistry
    ledger: Ledger
    metrics: Metrics
    faults: Faults
    hooks: Hooks

    def around(self, application: Asgi) -> Asgi:
        """The application with these endpoints in front."""

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
                await application(scope, receive, send)
                return
            body = await body_of(receive)
            query = {k: v[0] for k, v in parse_qs(scope["query_string"].decode()).items()}
            status, answer = self._answer(scope["method"], scope["path"][len(PREFIX) :], query, body)
            await send_json(send, status, answer)

        return serve

    def _answer(self, method: str, name: str, query: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        doings = self._doings(query, body)
        if (method, name) not in doings:
            allowed = ", ".join(" ".join(one) for one in doings)
            return 404, {"error": f"{PREFIX} has {allowed}; was asked: {method} {name}"}
        try:
            return 200, doings[method, name]()
        except (ValueError, KeyError, TypeError) as problem:
            return 400, {"error": str(problem) or repr(problem)}

    def _doings(self, query: Mapping[str, str], body: bytes) -> dict[tuple[str, str], Callable[[], Any]]:
        return {
            ("GET", "state"): self.state,
            ("GET", "invocations"): lambda: {"invocations": self.ledger.after(int(query.get("after", "0")))},
            ("GET", "hooks"): lambda: {"answers": self.hooks.answers},
            ("POST", "settings"): lambda: self._set(json.loads(body)),
            ("POST", "history"): lambda: {"datapoints": self._load(json.loads(body))},
            ("POST", "fault"): lambda: {"faults": self.faults.add(Fault.of(json.loads(body)))},
            ("DELETE", "fault"): lambda: {"faults": self.faults.clear()},
        }

    def _set(self, values: Mapping[str, Any]) -> dict[str, Any]:
        self.settings.value = self.settings.value.changed(values)
        return asdict(self.settings.value)

    def state(self) -> dict[str, Any]:
        """Everything that `preheat local status` shows, in one piece."""
        return {
            "pid": self.pid,
            "compression": self.clock.compression,
            "started_s": self.clock.started_s,
            "now_s": self.clock.now_s(),
            "settings": asdict(self.settings.value),
            "environments": [self._environment(one) for one in self.pool.of()],
            "functions": {name: self._function(name) for name in self.registry.functions()},
        }

    def _environment(self, one: Any) -> dict[str, Any]:
        now_s = self.clock.now_s()
        return {
            "environment": one.name,
            "function": one.blueprint.function,
            "version": one.blueprint.version,
            "provisioned_for": one.owner,
            "state": one.state if one.alive else "gone",
            "pid": one.pid,
            "age_s": now_s - one.born_s,
            "idle_s": now_s - one.used_s if one.state == "idle" else 0.0,
            "invocations": one.invocations,
            "init_ms": one.init_ms,
            "levels": one.levels,
        }

    def _function(self, name: str) -> dict[str, Any]:
        aliases = self.registry.aliases(name)
        return {
            "aliases": {alias: record.get("FunctionVersion") for alias, record in aliases.items()},
            "reserved": self.registry.reserved(name),
            "provisioned": {
                alias: self.provisioner.standing(name, alias)
                for alias in aliases
                if self.provisioner.wish(name, alias)
            },
            "counts": self.ledger.counts().get(name, {}),
        }

    def _load(self, series: Any) -> int:
        """Series of `{namespace, name, unit, dimensions, start_s, period_s, values, counts}`."""
        data = [datum for one in series for datum in _datapoints(one)]
        self.metrics.store(data)
        return len(data)


def _datapoints(series: Mapping[str, Any]) -> list[Datum]:
    values = series["values"]
    counts = series.get("counts") or [1.0] * len(values)
    if len(counts) != len(values):
        raise RefusedError(f"counts must be as many as values ({len(values)}), were: {len(counts)}")
    return [
        Datum(
            namespace=series["namespace"],
            name=series["name"],
            value=value,
            unit=series.get("unit", "None"),
            dimensions=series.get("dimensions", {}),
            at_s=series["start_s"] + index * series["period_s"],
            count=count,
        )
        for index, (value, count) in enumerate(zip(values, counts, strict=True))
        if value is not None and count > 0
    ]
