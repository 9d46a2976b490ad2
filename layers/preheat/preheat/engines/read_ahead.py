"""Weights brought into the page cache ahead of the engine, where that pays.

On a cold cache the engine reads a mapped file by faults, a little at a time. A thread that asks for large pieces in
the file's order is ahead of it as long as the disk is faster than the engine. On a disk that is not, everything waits
for the disk, and reading ahead only puts what is wanted later before what is wanted now (docs/cold-start.md). So it
ends at the first piece that comes slowly. The pack names the stretches; tables that a request takes a few rows of are
not among them, nor is anything in a pack too small for it to matter.
"""

from __future__ import annotations

import os
from _thread import start_new_thread
from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from preheat.pack import Pack

PIECE_BYTES = 8 << 20
STEP_BYTES = 128 << 10
"""The kernel brings no more for one request than the disk's read-ahead window, of which this is the usual size."""
FAST_BYTES_S = 1e9
"""Below this the disk is what everybody waits for."""
WEIGHTS_FILE = "weights.bin"


def begin_read_ahead(pack: Pack) -> None:
    """In a thread, which ends by itself; nothing where the pack names no stretches."""
    stretches = pack.manifest.read_ahead
    if stretches and WEIGHTS_FILE in pack.manifest.files:
        start_new_thread(read_ahead, (pack.path(WEIGHTS_FILE), stretches))


def read_ahead(
    path: str, stretches: Iterable[tuple[int, int]], clock_s: Callable[[], float] = perf_counter
) -> int:
    """Bring stretches (offset, length) of a file into memory, in their order; how many bytes, until one came slowly."""
    done = 0
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return done  # whoever opens it for its content says why
    try:
        for offset, length in stretches:
            for at in range(offset, offset + length, PIECE_BYTES):
                size = min(PIECE_BYTES, offset + length - at)
                begun_s = clock_s()
                for step in range(at, at + size, STEP_BYTES):
                    os.posix_fadvise(file, step, min(STEP_BYTES, at + size - step), os.POSIX_FADV_WILLNEED)
                os.pread(file, 1, at + size - 1)  # until it is there
                done += size
                if size / FAST_BYTES_S < clock_s() - begun_s:
                    return done
    except OSError:
        return done
    finally:
        os.close(file)
    return done
