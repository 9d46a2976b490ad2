"""One execution environment: a process of its own that serves one event at a time and is frozen in between."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["starting", "idle", "busy", "gone"]
_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
_LOG_READ_BYTES = 1 << 16
INITS_AT_ONCE = max(os.cpu_count() or 1, 2)
_INITS = threading.BoundedSemaphore(INITS_AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """What an environment of one function version is made of."""

    function: str
    version: str
    handler: str
    task: Path
    opt: Path
    runtime: Path
    """Trees: the function's package, its layers, and what Lambda's runtime carries."""
    variables: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from INIT or from one event; `failure` is Lambda's error object, None where it went well."""

    payload: Any = None
    failure: dict[str, Any] | None = None
    lines: tuple[str, ...] = ()
    elapsed_ms: float = 0.0
    memory_mb: int = 0
    status: Literal["", "error", "timeout"] = ""


@dataclass(slots=True, eq=False, kw_only=True)
class Environment:
    """A process and what became of it. Its owner (a pool) sees to it that one caller at a time uses it."""

    blueprint: Blueprint
    owner: str | None = None
    """The qualifier whose provisioned concurrency it is; None where it came on demand."""
    folder: Path
    born_s: float
    used_s: float
    """Virtual time; the last return, from which idleness counts."""
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: State = "starting"
    invocations: int = 0
    init_ms: float = 0.0
    levels: dict[str, str] = field(default_factory=dict)
    """Each model's level as its last ping told it; what requests did since is not known from outside."""
    _process: subprocess.Popen[bytes] | None = None
    _requests: int = -1
    _answers: int = -1
    _log: bytearray = field(default_factory=bytearray)

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether its process runs; one still to be started counts."""
        return self.state != "gone" and (self._process is None or self._process.poll() is None)

    def start(self, limit_s: float) -> Answer:
        """INIT: from the start of the process until its handler's module is imported.

        At most INITS_AT_ONCE run at one time, and waiting for a place is not counted. Environments on Lambda do not
        share processors; here they do, and a burst whose INITs all ran at once would make each as slow as all together.
        """
        with _INITS:
            return self._start(limit_s)

    def _start(self, limit_s: float) -> Answer:
        started = time.perf_counter()
        self._spawn()
        message, status = self._await(started + limit_s)
        self.init_ms = (time.perf_counter() - started) * 1000
        if message is None:
            self.kill()
            return self._lost(status, limit_s, self.init_ms)
        failed = message["status"] == "failed"
        if failed:
            self.kill()
        return Answer(
            failure=message.get("error"),
            lines=self._lines(),
            elapsed_ms=self.init_ms,
            memory_mb=message["memory_mb"],
            status="error" if failed else "",
        )

    def invoke(self, event: Any, request: dict[str, Any], limit_s: float) -> Answer:
        """Serve one event; a process that dies or overruns is gone afterwards. `request`: id, arn, trace_id."""
        started = time.perf_counter()
        self.invocations += 1
        body = {"event": event, "deadline_ms": (time.time() + limit_s) * 1000, **request}
        try:
            self._signal(signal.SIGCONT)
            _write(self._requests, json.dumps(body, ensure_ascii=False).encode())
            message, status = self._await(started + limit_s)
        except OSError:
            message, status = None, "error"
        elapsed_ms = (time.perf_counter() - started) * 1000
        if message is None:
            self.kill()
            return self._lost(status, limit_s, elapsed_ms)
        ok = message["status"] == "ok"
        return Answer(
            payload=json.loads(message["text"]) if ok else None,
            failure=message.get("error"),
            lines=self._lines(),
            elapsed_ms=elapsed_ms,
            memory_mb=message["memory_mb"],
            status="" if ok else "error",
        )

    def freeze(self) -> None:
        """Stop it where it stands, as Lambda does between invocations; the next event continues it."""
        self._signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it and what it started, and forget its /tmp."""
        self.state = "gone"
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
        for descriptor in (self._requests, self._answers):
            if descriptor >= 0:
                os.close(descriptor)
        self._requests = self._answers = -1
        if self._process is not None and self._process.stdout and not self._process.stdout.closed:
            self._read_log()
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def out_of_memory(self, answer: Answer) -> Answer:
        """End it as Lambda does one that took more memory than its function has; what its caller gets instead."""
        self.kill()
        return self._lost("error", 0.0, answer.elapsed_ms, answer)

    def _spawn(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (requests_in, self._requests), (self._answers, answers_out) = os.pipe(), os.pipe()
        command = [
            _interpreter(),
            "-I",
            "-S",
            "-B",
            "-u",
            str(_BOOTSTRAP),
            str(requests_in),
            str(answers_out),
        ]
        try:
            self._process = subprocess.Popen(
                command,
                cwd=self.blueprint.task,
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(requests_in, answers_out),
                # A group of its own in the cloud's session: one signal freezes it with its children, and
                # when the cloud dies the kernel ends stopped groups that are orphaned by it (POSIX).
                process_group=0,
            )
        finally:
            os.close(requests_in)
            os.close(answers_out)
        assert self._process.stdout
        os.set_blocking(self._process.stdout.fileno(), False)

    def _variables(self) -> dict[str, str]:
        made = self.blueprint
        return made.variables | {
            "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency" if self.owner else "on-demand",
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
            "_HANDLER": made.handler,
            "LAMBDA_TASK_ROOT": str(made.task),
            "LAMBDA_RUNTIME_DIR": str(made.runtime),
            "LD_LIBRARY_PATH": f"{made.task}:{made.task}/lib:{made.opt}/lib",
            "TMPDIR": str(self.folder),
            "HOME": str(self.folder),
            "_PREHEAT_OPT": str(made.opt),
            "_PREHEAT_RUNTIME": str(made.runtime),
        }

    @property
    def log_stream(self) -> str:
        """Lambda's form: date of birth, version, and an id that is this environment's alone."""
        return f"{time.strftime('%Y/%m/%d', time.gmtime(self.born_s))}/[{self.blueprint.version}]{self.name}"

    def _await(self, until: float) -> tuple[dict[str, Any] | None, Literal["error", "timeout"]]:
        """The next message, reading the log meanwhile, since a full pipe would block the handler."""
        assert self._process and self._process.stdout
        data = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(self._answers, selectors.EVENT_READ)
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while (left := until - time.perf_counter()) > 0:
                for key, _ in ready.select(left):
                    if key.fd != self._answers:
                        if not self._read_log():
                            ready.unregister(self._process.stdout)
                        continue
                    part = os.read(self._answers, _LOG_READ_BYTES)
                    if not part:
                        return None, "error"
                    data += part
                    if len(data) >= 4 and len(data) - 4 >= int.from_bytes(data[:4], "big"):
                        self._read_log()
                        return json.loads(data[4:]), "error"
        return None, "timeout"

    def _read_log(self) -> bool:
        """Take what is in the pipe; False at its end."""
        assert self._process and self._process.stdout
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self._process.stdout.fileno(), _LOG_READ_BYTES):
                self._log += part
            return False
        return True

    def _lines(self) -> tuple[str, ...]:
        text = self._log.decode(errors="replace")
        self._log.clear()
        return tuple(line for line in text.split("\n") if line)

    def _lost(
        self,
        status: Literal["error", "timeout"],
        limit_s: float,
        elapsed_ms: float,
        answer: Answer | None = None,
    ) -> Answer:
        if status == "timeout":
            failure = {
                "errorType": "Sandbox.Timedout",
                "errorMessage": f"Task timed out after {limit_s:.2f} seconds",
            }
        else:
            code = self._process.returncode if self._process else None
            # by the names that Lambda, which is written in Go, has for signals
            name = (signal.strsignal(-code) or str(-code)).lower() if code and code < 0 else ""
            how = f"signal: {name}" if name else f"exit status {code}"
            failure = {
                "errorType": "Runtime.ExitError",
                "errorMessage": f"Runtime exited with error: {how}",
            }
        return Answer(
            failure=failure,
            lines=(*(answer.lines if answer else ()), *self._lines()),
            elapsed_ms=elapsed_ms,
            memory_mb=answer.memory_mb if answer else 0,
            status=status,
        )

    def _signal(self, which: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, which)


def _write(descriptor: int, body: bytes) -> None:
    data = memoryview(len(body).to_bytes(4, "big") + body)
    while data:
        data = data[os.write(descriptor, data) :]


def _interpreter() -> str:
    """The interpreter below the tools' virtual environment: what is installed there must not be seen."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)
