"""The bench's stand-in for Lambda's Invoke, served from a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from preheat_tools.bench.stand_in import StandIn, listen, port_of


@contextmanager
def serving(stand_in: StandIn) -> Iterator[str]:
    """Its URL, for as long as the block lasts."""
    ready = threading.Event()
    url: list[str] = []

    async def serve() -> None:
        server = await listen(stand_in)
        url.append(f"http://127.0.0.1:{port_of(server)}")
        stop.append((asyncio.get_running_loop(), done := asyncio.Event()))
        ready.set()
        async with server:
            await done.wait()

    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(5), "the stand-in did not start within 5 s"
    try:
        yield url[0]
    finally:
        loop, done = stop[0]
        loop.call_soon_threadsafe(done.set)
        thread.join(5)
