"""Plays requests against an API at their instants, over real HTTP, and says how each was answered."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from preheat_tools.demo.traffic import SEED, Arrival

CALLERS = 64
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One request as its caller saw it; `at_s` is the instant it was due, in the trace's time."""

    at_s: float
    model: str
    status: int
    took_ms: float


class Caller:
    """A customer of the API: one connection a thread, kept open."""

    def __init__(self, url: str, key: str, areas: Sequence[int]) -> None:
        self._url, self._key, self._areas = urlsplit(url), key, areas
        self._mine = threading.local()

    def get(self, path: str) -> Any:
        """A JSON answer; raises RuntimeError for any other than 200."""
        status, body = self._call("GET", path, None)
        if status != 200:
            raise RuntimeError(f"GET {path} was answered {status}: {body[:300]!r}")
        return json.loads(body)

    def recommend(self, arrival: Arrival) -> Answered:
        """Ask a model what comes after some areas; the same arrival asks the same."""
        draw = random.Random(f"{SEED} {arrival.at_s}")  # noqa: S311 - traffic, not a secret
        visited = draw.sample(list(self._areas), draw.randint(1, 4))
        began_s = time.perf_counter()
        try:
            status, _ = self._call("POST", f"/recommend/{arrival.model}", {"visited": visited, "k": 5})
        except OSError:
            status = 0
        took_ms = (time.perf_counter() - began_s) * 1000
        return Answered(at_s=arrival.at_s, model=arrival.model, status=status, took_ms=took_ms)

    def _call(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        connection = getattr(self._mine, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._url.netloc, timeout=TIMEOUT_S)
            self._mine.connection = connection
        headers = {"x-api-key": self._key, "content-type": "application/json"}
        try:
            connection.request(method, self._url.path + path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as problem:
            connection.close()
            self._mine.connection = None
            raise ConnectionError(str(problem)) from problem


def play(
    caller: Caller, arrivals: Sequence[Arrival], compression: float, progress: Callable[[int], None]
) -> list[Answered]:
    """Each request at its instant, `compression` times as fast as the trace; a late answer delays no other request."""
    began_s = time.perf_counter()
    with ThreadPoolExecutor(CALLERS) as pool:
        asked = []
        for count, arrival in enumerate(arrivals, 1):
            wait_s = arrival.at_s / compression - (time.perf_counter() - began_s)
            if wait_s > 0:
                time.sleep(wait_s)
            asked.append(pool.submit(caller.recommend, arrival))
            progress(count)
        return [one.result() for one in asked]


def at_once(caller: Caller, models: Sequence[str]) -> list[Answered]:
    """A burst: one request for each name, all at one instant."""
    gate = threading.Barrier(len(models))

    def one(index: int, model: str) -> Answered:
        gate.wait()
        return caller.recommend(Arrival(float(index), model))

    with ThreadPoolExecutor(len(models)) as pool:
        return list(pool.map(one, range(len(models)), models))
