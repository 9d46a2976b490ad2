"""Lambda's Runtime API (version 2018-06-01) for one execution environment, and AWS's own client process on it."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_TIMEOUT_S = 60.0


class FailedInvocationError(RuntimeError):
    """A function that did not start, or answered with an error."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a process that is ended resets its connection."""


class Environment:
    """One execution environment: `init_ms` is from its process's start to its first request for work."""

    def __init__(self, handler: str, folder: Path, variables: Mapping[str, str]) -> None:
        self._work: queue.Queue[bytes] = queue.Queue()
        self._answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._asked = threading.Event()
        self._first_asked_s = 0.0
        self._server = _Server(("127.0.0.1", 0), self._requests())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self._begun_s = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler],
            cwd=folder,
            env={
                "PATH": os.environ.get("PATH", ""),
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                "AWS_LAMBDA_FUNCTION_NAME": "bench",
                "LAMBDA_TASK_ROOT": str(folder),
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    @property
    def init_ms(self) -> float:
        """Waits for INIT to end."""
        deadline = time.monotonic() + _TIMEOUT_S
        while not self._asked.wait(0.05):
            if self.process.poll() is not None or time.monotonic() > deadline:
                output = self.process.stdout.read().decode() if self.process.stdout else ""
                raise FailedInvocationError(f"the function did not start: {output.strip()[-800:]}")
        return (self._first_asked_s - self._begun_s) * 1e3

    def invoke(self, event: Any) -> tuple[float, Any]:
        """Milliseconds from the hand-over of an event to the answer, and the answer."""
        begun = time.perf_counter()
        self._work.put(json.dumps(event).encode())
        kind, body = self._answers.get(timeout=_TIMEOUT_S)
        took_ms = (time.perf_counter() - begun) * 1e3
        if kind != "response":
            raise FailedInvocationError(f"the function failed: {body.decode()[:800]}")
        return took_ms, json.loads(body)

    def close(self) -> None:
        """End the process and the server."""
        self.process.kill()
        self.process.communicate()
        self._server.shutdown()
        self._server.server_close()

    def _requests(self) -> type[BaseHTTPRequestHandler]:
        environment = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one write a reply: Nagle and delayed acknowledgements cost 88 ms a call otherwise
            disable_nagle_algorithm = True

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

            def do_GET(self) -> None:
                if not environment._asked.is_set():
                    environment._first_asked_s = time.monotonic()
                    environment._asked.set()
                body = environment._work.get()
                deadline_ms = int((time.time() + _TIMEOUT_S) * 1e3)
                self._reply(
                    200,
                    body,
                    {
                        "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
                        "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
                        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:bench",
                        "Content-Type": "application/json",
                    },
                )

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self._reply(202, b"{}", {})
                environment._answers.put((self.path.rsplit("/", 1)[-1], body))

            def _reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

        return Requests


@contextmanager
def environment(handler: str, folder: Path, variables: Mapping[str, str]) -> Iterator[Environment]:
    """An execution environment that is gone when the block ends."""
    started = Environment(handler, folder, variables)
    try:
        yield started
    finally:
        started.close()
