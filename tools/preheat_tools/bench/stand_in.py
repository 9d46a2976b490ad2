"""Lambda's Invoke over local HTTP, in memory: environments that take one request each, most recently used first.

Stands in for the far end of a round where the near end is what is measured or tested. No function runs in it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from preheat.ping import MAX_HOLD_S, Level, ModelReport, Ping, Reply

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations$")


@dataclass(slots=True)
class Environment:
    """One execution environment of one alias."""

    name: str
    provisioned: bool = False
    born_s: float = 0.0
    last_s: float = 0.0
    uses: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """What Lambda answers."""

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class StandIn:
    """One region's Lambda. `misbehave` may answer an invocation of a function itself."""

    concurrency: int = 10_000
    init_s: float = 0.0
    misbehave: Callable[[str, dict[str, Any]], Response | None] = lambda function, event: None
    arrivals_s: list[float] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    idle: dict[str, list[Environment]] = field(default_factory=lambda: defaultdict(list))
    _busy: int = 0
    _names: itertools.count[int] = field(default_factory=itertools.count)

    def warm(self, target: str, count: int, **state: Any) -> None:
        """Put idle environments behind `function:alias`."""
        now = time.time()
        self.idle[target] += [
            Environment(f"e{next(self._names)}", born_s=now, last_s=now, **state) for _ in range(count)
        ]

    async def respond(self, head: bytes, body: bytes) -> bytes:
        """The HTTP answer to one request."""
        self.heads.append(head)
        return _http(await self._answer(head.split(b" ")[1].decode(), body))

    async def _answer(self, path: str, body: bytes) -> Response:
        parts = urlsplit(path)
        if not (named := _PATH.match(parts.path)):
            return Response(404, {"Message": f"no such path: {parts.path}"})
        function, event = named.group(1), json.loads(body or b"{}")
        if own := self.misbehave(function, event):
            return own
        if self._busy >= self.concurrency:
            return Response(429, {"Reason": "ConcurrentInvocationLimitExceeded", "Message": "Rate Exceeded."})
        return await self._invoke(f"{function}:{parse_qs(parts.query)['Qualifier'][0]}", event)

    async def _invoke(self, target: str, event: dict[str, Any]) -> Response:
        self._busy += 1
        try:
            return Response(200, await self._ping(self.idle[target], Ping.from_event(event)))
        finally:
            self._busy -= 1

    async def _ping(self, idle: list[Environment], ping: Ping) -> dict[str, Any]:
        provisioned = next((one for one in reversed(idle) if one.provisioned), None)
        if idle:
            environment = provisioned or idle[-1]
            idle.remove(environment)
        else:
            await asyncio.sleep(self.init_s)
            now = time.time()
            environment = Environment(f"e{next(self._names)}", born_s=now, last_s=now)
        arrived = time.time()
        held_s = min(max(0.0, ping.release_at_ms / 1000 - arrived), MAX_HOLD_S)
        await asyncio.sleep(held_s)
        reply = _reply(environment, arrived, held_s, self.init_s)
        environment.uses += 1
        environment.last_s = time.time()
        idle.append(environment)
        return reply.to_payload()


def _reply(environment: Environment, arrived_s: float, held_s: float, init_s: float) -> Reply:
    return Reply(
        environment=environment.name,
        initialization="provisioned-concurrency" if environment.provisioned else "on-demand",
        cold=environment.uses == 0,
        age_s=arrived_s - environment.born_s,
        idle_s=arrived_s - environment.last_s,
        requests=0,
        held_ms=held_s * 1000,
        init_ms=init_s * 1000,
        models={"short_form": ModelReport(level=Level.HOT, version="0", problem=environment.problem)},
    )


def _http(answer: Response) -> bytes:
    body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *answer.headers]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {answer.status} -\r\n{head}\r\n".encode() + body


class _Connection(asyncio.Protocol):
    """One connection. An arrival is noted before anything is parsed: a round's requests must not wait in turn."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._received:
            self._stand_in.arrivals_s.append(time.time())
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and len(body) >= (int(length.group(1)) if length else 0):
            self._received = b""
            self._task = asyncio.get_running_loop().create_task(self._respond(head, body))

    async def _respond(self, head: bytes, body: bytes) -> None:
        answer = await self._stand_in.respond(head, body)
        if self._transport is not None:
            self._transport.write(answer)


async def listen(stand_in: StandIn) -> asyncio.Server:
    """Serve on a free port of loopback."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Connection(stand_in), "127.0.0.1", 0, backlog=4096)


def port_of(server: asyncio.Server) -> int:
    """The port a server was given."""
    return int(server.sockets[0].getsockname()[1])


async def _main() -> None:
    stand_in = StandIn()
    server = await listen(stand_in)
    sys.stdout.write(f"{port_of(server)}\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        # "warm N": forget everything, N idle environments; "arrivals": what has come since
        word, *rest = line.split()
        if word == "warm":
            stand_in.arrivals_s.clear()
            stand_in.heads.clear()
            stand_in.idle.clear()
            stand_in.warm("recommend:live", int(rest[0]))
        sys.stdout.write(json.dumps(stand_in.arrivals_s) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main())
