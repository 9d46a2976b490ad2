"""True provisioned concurrency: a qualifier's wish, and environments of its own that are made to agree with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from preheat_tools.localcloud.environment import Answer, Environment
from preheat_tools.localcloud.functions import Deployed, Factory, UnusableRuntimeError
from preheat_tools.localcloud.ledger import Ledger
from preheat_tools.localcloud.pool import Pool
from preheat_tools.localcloud.settings import Current

INIT_FAILURE = "FUNCTION_ERROR_INIT_FAILURE"


@dataclass(slots=True)
class Wish:
    """What was asked for a qualifier, and how far it has come."""

    requested: int
    asked_at_s: float
    status: Literal["IN_PROGRESS", "READY", "FAILED"] = "IN_PROGRESS"
    reason: str = ""


class Registry(Protocol):
    """Where functions and what their qualifiers name now are looked up."""

    def deployed(self, function: str, qualifier: str) -> Deployed | None: ...


@dataclass(slots=True, kw_only=True)
class Provisioner:
    """Holds the wishes and brings the pool to them; every change is worked off on a thread of its own."""

    pool: Pool
    factory: Factory
    registry: Registry
    ledger: Ledger
    settings: Current
    now_s: Callable[[], float]
    write_log: Callable[[Deployed, Environment, Answer], None]
    _wishes: dict[tuple[str, str], Wish] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, function: str, qualifier: str, requested: int) -> Wish:
        """Ask for a number of environments, from 1; answers at once, IN_PROGRESS unless it is there already."""
        with self._lock:
            wish = Wish(requested=requested, asked_at_s=self.now_s())
            self._wishes[function, qualifier] = wish
        self.reconcile(function, qualifier)
        return wish

    def delete(self, function: str, qualifier: str) -> None:
        """Let go of all; those serving finish first."""
        with self._lock:
            self._wishes.pop((function, qualifier), None)
        self.reconcile(function, qualifier)

    def forget(self, function: str) -> None:
        """The function is gone."""
        for name, qualifier in list(self._wishes):
            if name == function:
                self.delete(name, qualifier)

    def forget_all(self) -> None:
        """Every function is gone."""
        for name, qualifier in list(self._wishes):
            self.delete(name, qualifier)

    def wish(self, function: str, qualifier: str) -> Wish | None:
        return self._wishes.get((function, qualifier))

    def requested_of(self, function: str, *, but: str = "") -> int:
        """All that a function's qualifiers ask for, one of them left out."""
        return sum(w.requested for (f, q), w in self._wishes.items() if f == function and q != but)

    def standing(self, function: str, qualifier: str) -> dict[str, Any]:
        """What GetProvisionedConcurrencyConfig answers."""
        wish = self._wishes[function, qualifier]
        now = self.registry.deployed(function, qualifier)
        ready = self._ready(now) if now else []
        answer: dict[str, Any] = {
            "RequestedProvisionedConcurrentExecutions": wish.requested,
            "AllocatedProvisionedConcurrentExecutions": len(ready),
            "AvailableProvisionedConcurrentExecutions": len(ready),
            "Status": wish.status,
            "LastModified": time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(wish.asked_at_s)),
        }
        return answer | ({"StatusReason": wish.reason} if wish.reason else {})

    def reconcile(self, function: str, qualifier: str) -> None:
        """Bring the qualifier's environments to what is asked, on the version it names now."""
        with self._lock:
            wish = self._wishes.get((function, qualifier))
            what = self.registry.deployed(function, qualifier)
            owned = self.pool.owned(function, qualifier)
            have = [one for one in owned.get(what.key, []) if one.alive] if what else []
            others = [one for key, ones in owned.items() if not what or key != what.key for one in ones]
            wanted = wish.requested if wish and what else 0
            surplus = sorted(have, key=lambda one: (one.state == "busy", one.used_s))[: len(have) - wanted]
            self.pool.retire(surplus if len(have) > wanted else [])
            if wish is None or what is None:
                self.pool.retire(others)
                return
            missing = wanted - len(have)
            if missing <= 0 and not others and all(one.state != "starting" for one in have):
                wish.status, wish.reason = "READY", ""
                return
            wish.status, wish.reason = "IN_PROGRESS", ""
            try:
                new = [self.factory.make(what, self.now_s(), qualifier) for _ in range(missing)]
            except UnusableRuntimeError as problem:
                wish.status, wish.reason = "FAILED", str(problem)
                return
            self.pool.add(what.key, new)
            work = threading.Thread(target=self._allocate, args=(wish, what, new, others), daemon=True)
        work.start()

    def _allocate(self, wish: Wish, what: Deployed, new: list[Environment], old: list[Environment]) -> None:
        begun_s = self.now_s()
        with ThreadPoolExecutor(max_workers=max(len(new), 1)) as starting:
            inits = list(starting.map(lambda one: self._start(what, one), new))
        self._wait_until(begun_s + self.settings.value.allocation_s)
        failed = any(init.failure for init in inits)
        with self._lock:
            # None of an increase can be used until all of it is there.
            self.pool.retire([*new, *old] if failed else old)
            self.pool.release(what.key, new)
            if failed:
                wish.status, wish.reason = "FAILED", INIT_FAILURE
            elif len(self._ready(what)) >= wish.requested:
                wish.status, wish.reason = "READY", ""

    def _ready(self, what: Deployed) -> list[Environment]:
        owned = self.pool.owned(what.name, what.qualifier or "").get(what.key, [])
        return [one for one in owned if one.alive and one.state in ("idle", "busy")]

    def _start(self, what: Deployed, one: Environment) -> Answer:
        init = one.start(self.settings.value.provisioned_init_limit_s)
        if not init.failure:
            self.ledger.count(what.name, "provisioned_inits")
            self.ledger.count(what.name, "billed_ms_provisioned_init", init.elapsed_ms)
        self.write_log(what, one, init)
        return init

    def _wait_until(self, virtual_s: float) -> None:
        while self.now_s() < virtual_s:
            time.sleep(0.02)
