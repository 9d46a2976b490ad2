"""Several steps side by side in threads, most urgent first; engines and hashing release the GIL."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, start_new_thread  # `threading` is 4 ms of imports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable, Iterable, Sequence

    from preheat.model import HostedModel

SLOWNESS = 2.0
"""A first guess at this environment's load times over those of the machine that built the pack."""
GUESS_MS = 100.0
"""How much loading the guess is worth: a small model's first load, which pays for the engine's library, says little."""


def side_by_side(
    names: Sequence[str], step: Callable[[str], None], meanwhile: Callable[[], None] | None = None
) -> None:
    """Take every name through `step`, at most a thread a core, while this thread does `meanwhile`.

    Whatever a step or `meanwhile` raises is raised when the others are done.
    """
    if meanwhile is None and len(names) < 2:
        for name in names:
            step(name)
        return
    queue, lock, errors = iter(names), allocate_lock(), list[BaseException]()

    def work() -> None:
        while True:
            with lock:
                name = next(queue, None)
            if name is None:
                return
            try:
                step(name)
            except BaseException as error:
                errors.append(error)

    running = [_started(work) for _ in range(min(len(names), os.cpu_count() or 1))]
    try:
        if meanwhile is not None:
            meanwhile()
    finally:
        for done in running:
            done.acquire()
    if errors:
        raise errors[0]


class InitTime:
    """What is left of INIT for loads that share its cores: one begins only if it can be expected to end in time."""

    def __init__(self, limit_s: float, clock_s: Callable[[], float]) -> None:
        self._limit_s, self._clock_s = limit_s, clock_s
        self._under_way: dict[str, float] = {}
        self._lock = allocate_lock()

    def begin(self, name: str, expected_s: float) -> bool:
        """Take the time a load is expected to need, as if those under way had to end first; False leaves it."""
        with self._lock:
            ahead_s = sum(self._under_way.values())
            if self._clock_s() + ahead_s + expected_s > self._limit_s:
                return False
            self._under_way[name] = expected_s
            return True

    def end(self, name: str) -> None:
        with self._lock:
            del self._under_way[name]


def slowness(models: Iterable[HostedModel]) -> float:
    """This environment's load times over the build machine's: a first guess, which loads done so far outweigh."""
    loaded = [model for model in models if model.load_ms and model.manifest.measured.load_ms]
    measured_ms = sum(model.manifest.measured.load_ms for model in loaded)
    return (SLOWNESS * GUESS_MS + sum(model.load_ms for model in loaded)) / (GUESS_MS + measured_ms)


def import_all(modules: Iterable[str]) -> None:
    """What a handler will import, imported now."""
    for module in modules:
        if module not in sys.modules:
            __import__(module)


def _started(work: Callable[[], None]) -> LockType:
    """A lock that is free once the thread is done."""
    done = allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            work()
        finally:
            done.release()

    start_new_thread(run, ())
    return done
