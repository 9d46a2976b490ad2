"""A volley: the same bytes written to many connections in one tight loop, once all of them stand.

What a client does in between (DNS, TCP, TLS, signing) is done before the first byte leaves, so the pings of a volley
leave within tens of microseconds of each other, not a millisecond as calls of boto3 do (docs/decisions/0005).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

MAX_ANSWER_BYTES = 1 << 20
"""An answer longer than this is no ping's reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the connections go."""

    host: str
    port: int
    trust: ssl.SSLContext | None
    """None for plain HTTP, as the local cloud speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long one connection may take to stand, and one answer to come after the bytes have left."""

    connect_s: float = 5.0
    answer_s: float = 30.0
    """Covers INIT (10 s on demand) and the INIT run again inside the invocation after an overrun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back on one connection. `status` 0 where nothing did: then `problem` says why."""

    sent_s: float = 0.0
    """Unix time at which the bytes left; 0 where they did not."""
    status: int = 0
    function_error: str = ""
    body: bytes = b""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Volley:
    """All answers, and how long writing took from the first to the last."""

    answers: tuple[Answer, ...]
    sending_s: float


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def fire(
    origin: Origin,
    count: int,
    content: Callable[[int], bytes],
    timeouts: Timeouts,
    clock: Callable[[], float],
) -> Volley:
    """Open `count` connections, ask `content(how many stand)` for the bytes, write them to each, read answers."""
    opened = await _open(origin, count, timeouts.connect_s)
    standing = [one for one in opened if not isinstance(one, str)]
    unsent = [Answer(problem=one) for one in opened if isinstance(one, str)]
    if not standing:
        return Volley(tuple(unsent), 0.0)
    payload = content(len(standing))
    started = time.perf_counter()
    sent: list[float] = []
    for _, writer in standing:
        writer.write(payload)
        sent.append(clock())
    sending_s = time.perf_counter() - started
    answers = await asyncio.gather(
        *(_answer(one, at, timeouts.answer_s) for one, at in zip(standing, sent, strict=True))
    )
    return Volley((*answers, *unsent), sending_s)


async def _open(origin: Origin, count: int, timeout_s: float) -> list[Connection | str]:
    """Connections, or why one could not be had; the name is resolved once and its addresses are taken in turn."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            origin.host, origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except OSError as error:
        return [f"cannot resolve {origin.host}: {error}"] * count
    addresses = [str(entry[4][0]) for entry in found]
    return await asyncio.gather(
        *(_connect(origin, addresses[i % len(addresses)], timeout_s) for i in range(count))
    )


async def _connect(origin: Origin, address: str, timeout_s: float) -> Connection | str:
    name = origin.host if origin.trust else None
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.open_connection(
                address, origin.port, ssl=origin.trust, server_hostname=name, limit=MAX_ANSWER_BYTES
            )
    except TimeoutError:
        return f"no connection to {origin.host}:{origin.port} within {timeout_s:g} s"
    except OSError as error:
        return f"no connection to {origin.host}:{origin.port}: {error}"


async def _answer(connection: Connection, sent_s: float, timeout_s: float) -> Answer:
    reader, writer = connection
    try:
        async with asyncio.timeout(timeout_s):
            status, headers, body = await _read(reader)
        return Answer(
            sent_s=sent_s, status=status, body=body, function_error=headers.get("X-Amz-Function-Error", "")
        )
    except TimeoutError:
        return Answer(sent_s=sent_s, problem=f"no answer within {timeout_s:g} s")
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, http.client.HTTPException) as error:
        return Answer(sent_s=sent_s, problem=f"no HTTP answer: {type(error).__name__} {error}")
    finally:
        with contextlib.suppress(OSError):
            writer.close()


async def _read(reader: asyncio.StreamReader) -> tuple[int, http.client.HTTPMessage, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status_line, _, fields = head.partition(b"\r\n")
    version, status, *_ = status_line.split(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError(f"not HTTP/1: {status_line[:80]!r}")
    headers = http.client.parse_headers(io.BytesIO(fields))
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        return int(status), headers, b"".join([part async for part in _chunks(reader)])
    length = headers.get("Content-Length")
    body = await reader.readexactly(min(int(length), MAX_ANSWER_BYTES)) if length else await reader.read(-1)
    return int(status), headers, body


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    total = 0
    while size := int((await reader.readline()).split(b";")[0], 16):
        total += size
        if total > MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
        yield await reader.readexactly(size)
        await reader.readexactly(2)
