"""The deployment gate for packs on this machine: each environment is a process that loads them with the runtime."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from preheat.manifest import FILE_NAME
from preheat.ping import Level, Ping, PingError, Reply

from warmer.adapters.pings import Asked
from warmer.gate import Limits, Verdict
from warmer.policy.values import Round, Target
from warmer.preflight import Preflight

ALIAS = "packs"
"""A folder of packs stands where a function's name does."""


@dataclass(slots=True)
class LocalPacks:
    """Asks environments of folders; those that are there stay for the next round."""

    answer_s: float
    """How long an environment may take, its start included."""
    workers: dict[Target, list[subprocess.Popen[str]]] = field(default_factory=dict)

    def ask(self, wanted: Round, until_s: float) -> Asked:
        """One ping to each of so many processes of the folder `wanted.target.function`, all at one time."""
        workers = self.workers.setdefault(wanted.target, [])
        while len(workers) < wanted.environments:
            workers.append(_start(wanted.target.function))
        levels = {name: Level[level] for name, level in wanted.levels.items()}
        line = json.dumps(Ping(release_at_ms=0, models=levels, every=wanted.every).to_event()) + "\n"
        asked = workers[: wanted.environments]
        for one in asked:
            _send(one, line)
        until_s = min(until_s, time.monotonic() + self.answer_s)
        answers = [_reply(one, until_s) for one in asked]
        replies = tuple(one for one in answers if isinstance(one, Reply))
        return Asked(replies, tuple(one for one in answers if isinstance(one, str)))

    def close(self) -> None:
        """End every process that was started."""
        for one in (worker for workers in self.workers.values() for worker in workers):
            one.kill()
            one.communicate()


def check_packs(
    folder: Path, against: Path | None, *, environments: int, ratio: float, within_s: float
) -> Verdict:
    """The gate's verdict on the packs in `folder`, beside those in `against`; either may be one pack."""
    packs = LocalPacks(answer_s=max(1.0, within_s / 6))
    try:
        with _root(folder) as new, _root(against) as old:
            preflight = Preflight(packs, Limits(environments=environments, ratio=ratio), time.monotonic)
            return preflight.judge(
                Target(new, ALIAS), Target(old, ALIAS) if old else None, time.monotonic() + within_s
            )
    finally:
        packs.close()


@contextmanager
def _root(folder: Path | None) -> Iterator[str]:
    """A folder of packs: the given one, or one that holds nothing but the given pack; empty for none."""
    if folder is None:
        yield ""
    elif not (folder / FILE_NAME).exists():
        yield str(folder.resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="preheat-check-") as root:
            (Path(root) / "pack").symlink_to(folder.resolve(), target_is_directory=True)
            yield root


def _start(folder: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREHEAT_")}
    return subprocess.Popen(
        [sys.executable, "-m", "preheat_tools.pack_worker", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=kept,
    )


def _send(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin is not None
    try:
        worker.stdin.write(line)
        worker.stdin.flush()
    except BrokenPipeError:
        return  # it has ended: its missing reply says so


def _reply(worker: subprocess.Popen[str], until_s: float) -> Reply | str:
    """The reply, or in one line why there is none."""
    assert worker.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(worker.stdout, selectors.EVENT_READ)
        if not selector.select(max(0.0, until_s - time.monotonic())):
            return "no answer in time"
    if not (line := worker.stdout.readline()):
        return f"the process ended before it answered (exit code {worker.wait()})"
    try:
        return Reply.from_payload(json.loads(line))
    except (PingError, ValueError) as error:
        return str(error)
