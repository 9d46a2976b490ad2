"""A cold page cache and a bounded disk, as a new environment on Lambda meets them; said where they cannot be had."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STAYS = 0.02
"""Which share of a file's pages may be in memory when it counts as forgotten."""


class NotPossibleError(RuntimeError):
    """What this machine cannot play; the text says why."""


def forget(paths: Iterable[Path]) -> None:
    """Let the page cache forget files; what was only just written goes to the disk first."""
    for path in paths:
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)


def must_be_forgotten(path: Path) -> None:
    """NotPossibleError where a file that was to be forgotten is in memory all the same."""
    if (share := resident_share(path)) > STAYS:
        raise NotPossibleError(
            f"the page cache is never cold here: {share:.0%} of {path.name} stay in memory when told to go; "
            f"give a --folder on a disk of this machine's own, not in memory or on a network"
        )


def resident_share(path: Path) -> float:
    """Which share of a file's pages is in memory, by mincore(2); 0 for an empty file."""
    size = path.stat().st_size
    if not size:
        return 0.0
    pages = -(-size // mmap.PAGESIZE)
    seen = (ctypes.c_ubyte * pages)()
    # a private mapping reads nothing, and ctypes wants one it could write to
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) as mapped:
        first = ctypes.c_char.from_buffer(mapped)
        failed = ctypes.CDLL(None, use_errno=True).mincore(
            ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), seen
        )
        del first
    if failed:
        raise NotPossibleError(
            f"this machine does not say what is in memory: mincore: errno {ctypes.get_errno()}"
        )
    return sum(page & 1 for page in seen) / pages


@contextmanager
def bounded(
    disk: str,
    read_mb_s: float,
    *,
    mount: Path = Path("/sys/fs/cgroup"),
    membership: Path = Path("/proc/self/cgroup"),
) -> Iterator[Path]:
    """While it lasts, this process and those it starts read a disk (`major:minor`) no faster, in a control group.

    Version 1 (blkio) or 2 (io) of control groups; both take root. NotPossibleError where they do not serve.
    """
    try:
        root, own, limit_file, limit = _hierarchy(mount, membership, disk, int(read_mb_s * 1e6))
        group = root / f"preheat-bench-{os.getpid()}"
        group.mkdir()
    except OSError as error:
        raise NotPossibleError(f"reads cannot be bounded here, which takes root: {error}") from None
    try:
        try:
            (group / limit_file).write_text(limit)
            (group / "cgroup.procs").write_text(str(os.getpid()))
        except OSError as error:
            raise NotPossibleError(f"reads cannot be bounded here: {error}") from None
        yield group
    finally:
        (own / "cgroup.procs").write_text(str(os.getpid()))
        with suppress(OSError):  # a process that was started and still runs: the group goes with the machine
            group.rmdir()


def whole_disk(folder: Path) -> str:
    """`major:minor` of the disk that a folder lies on; NotPossibleError where it lies on none."""
    device = folder.stat().st_dev
    known = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not known.exists():
        raise NotPossibleError(
            f"reads cannot be bounded here: {folder} lies on no disk of this machine's own"
        )
    place = known.resolve()
    if (place / "partition").exists():
        place = place.parent
    return (place / "dev").read_text().strip()


def _hierarchy(mount: Path, membership: Path, disk: str, bytes_s: int) -> tuple[Path, Path, str, str]:
    """Where groups are made, which one this process is in, and the file and text of a limit."""
    places: dict[str, str] = {}
    for line in membership.read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        places |= dict.fromkeys(controllers.split(","), place.lstrip("/"))
    old = mount / "blkio"
    if (old / "blkio.throttle.read_bps_device").exists():
        return old, old / places.get("blkio", ""), "blkio.throttle.read_bps_device", f"{disk} {bytes_s}"
    offered = mount / "cgroup.controllers"
    if offered.exists() and "io" in offered.read_text().split():
        (mount / "cgroup.subtree_control").write_text("+io")
        return mount, mount / places.get("", ""), "io.max", f"{disk} rbps={bytes_s}"
    raise NotPossibleError(
        f"reads cannot be bounded here: {mount} has no control groups for disks (blkio or io)"
    )
