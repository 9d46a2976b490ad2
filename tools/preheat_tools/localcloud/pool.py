"""Which environment takes an event: provisioned ones of its qualifier first, then the most recently used."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from preheat_tools.localcloud.environment import Environment
from preheat_tools.localcloud.settings import Current


@dataclass(frozen=True, slots=True)
class Key:
    """One version of one function: what an environment is made for, once and for all."""

    function: str
    version: str


@dataclass(slots=True)
class Pool:
    """Every execution environment of this cloud. Its lock is never held while a process is waited for."""

    settings: Current
    now_s: Callable[[], float]
    _members: dict[Key, list[Environment]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - no secret

    def lease(self, key: Key, qualifier: str | None) -> Environment | None:
        """An idle environment, the caller's until given back; None where a new one is to be made."""
        with self._lock:
            idle = [
                one
                for one in self._members.get(key, ())
                if one.state == "idle" and one.owner in (None, qualifier) and one.alive
            ]
            own = [one for one in idle if one.owner is not None]
            if not idle:
                return None
            chosen = self._choose(own or idle)
            chosen.state = "busy"
            return chosen

    def give_back(self, one: Environment) -> bool:
        """Freeze it until its next event; False where it is gone, or was retired meanwhile."""
        with self._lock:
            kept = one.alive and any(one in members for members in self._members.values())
            if kept:
                one.freeze()
                one.state, one.used_s = "idle", self.now_s()
            else:
                self._remove(one)
        if not kept:
            one.kill()
        return kept

    def adopt(self, key: Key, newcomer: Environment) -> Environment:
        """Take in one that its maker starts and uses himself."""
        self.add(key, [newcomer])
        return newcomer

    def add(self, key: Key, newcomers: Iterable[Environment]) -> None:
        """Take in environments that are being started for a qualifier's provisioned concurrency."""
        with self._lock:
            self._members.setdefault(key, []).extend(newcomers)

    def release(self, key: Key, started: Iterable[Environment]) -> None:
        """Let started environments take events, all at one instant; end those retired meanwhile."""
        with self._lock:
            started = list(started)
            wanted = [one for one in started if one in self._members.get(key, ())]
            for one in wanted:
                one.freeze()
                one.state, one.used_s = "idle", self.now_s()
        for one in started:
            if one not in wanted:
                one.kill()

    def retire(self, doomed: Iterable[Environment]) -> None:
        """Let go: an idle one ends now, a busy one when it is given back, a starting one when it is released."""
        with self._lock:
            doomed = list(doomed)
            for one in doomed:
                self._remove(one)
            ending = [one for one in doomed if one.state == "idle"]
        for one in ending:
            one.kill()

    def owned(self, function: str, qualifier: str) -> dict[Key, list[Environment]]:
        """The qualifier's provisioned environments, by version."""
        with self._lock:
            return {
                key: found
                for key, members in self._members.items()
                if key.function == function and (found := [one for one in members if one.owner == qualifier])
            }

    def of(self, function: str | None = None, version: str | None = None) -> list[Environment]:
        """Those of one function, or of one version of it, or all."""
        with self._lock:
            return [
                one
                for key, members in self._members.items()
                for one in members
                if function in (None, key.function) and version in (None, key.version)
            ]

    def expire(self) -> tuple[list[Environment], list[Environment]]:
        """End those idle for too long; also returns the provisioned ones found dead (second list)."""
        now_s, ttl_s = self.now_s(), self.settings.value.idle_ttl_s
        idle = [one for one in self.of() if one.state == "idle"]
        dead = [one for one in idle if not one.alive]
        old = [one for one in idle if one.alive and one.owner is None and now_s - one.used_s >= ttl_s]
        self.retire([*dead, *old])
        return old, [one for one in dead if one.owner]

    def _choose(self, idle: list[Environment]) -> Environment:
        match self.settings.value.routing:
            case "recent":
                return max(idle, key=lambda one: one.used_s)
            case "oldest":
                return min(idle, key=lambda one: one.used_s)
            case _:
                return self._chance.choice(idle)

    def _remove(self, one: Environment) -> None:
        for members in self._members.values():
            if one in members:
                members.remove(one)
