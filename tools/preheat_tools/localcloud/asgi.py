"""What an endpoint of this cloud's own needs of ASGI: a request's body, and an answer in JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


async def body_of(receive: Any) -> bytes:
    """The whole body of a request."""
    body = b""
    while (message := await receive()).get("more_body"):
        body += message.get("body", b"")
    return body + bytes(message.get("body", b""))


async def send_json(send: Any, status: int, answer: Any, kind: bytes = b"application/json") -> None:
    """Answer a request."""
    text = json.dumps(answer).encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
