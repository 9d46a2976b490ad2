"""A cold page cache and a bounded disk: there, or said to be not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from preheat_tools.bench.cold_start import Cache, Row, Variant, measure
from preheat_tools.bench.disk import (
    NotPossibleError,
    bounded,
    forget,
    must_be_forgotten,
    resident_share,
    whole_disk,
)

from ..runtime.packs import write_pack

IN_MEMORY = Path("/dev/shm")  # a tmpfs: what lies there is nowhere else
BYTES = 4 << 20


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(BYTES))
    return path


def test_what_was_just_read_is_in_memory_and_what_is_forgotten_is_not(weights: Path) -> None:
    weights.read_bytes()
    assert resident_share(weights) == 1.0
    forget([weights])
    try:
        must_be_forgotten(weights)
    except NotPossibleError as reason:
        pytest.skip(str(reason))
    assert resident_share(weights) == 0.0


@pytest.mark.skipif(not IN_MEMORY.is_dir(), reason="no /dev/shm here")
def test_a_file_that_stays_in_memory_is_said_to(tmp_path: Path) -> None:
    path = IN_MEMORY / f"preheat-{os.getpid()}.bin"
    path.write_bytes(bytes(BYTES))
    try:
        forget([path])
        with pytest.raises(NotPossibleError, match=r"never cold here: 100% of preheat-.* stay in memory"):
            must_be_forgotten(path)
    finally:
        path.unlink()


def _started(cache: Cache, folder: Path) -> list[Row]:
    pack = write_pack(folder, "pack")
    (pack / "weights.bin").write_bytes(bytes(BYTES))
    try:
        return measure(folder, [Variant(name="preheat_fast", imports=False)], cache, 1, lambda _: None)
    except NotPossibleError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(
    "cache", [Cache(cold=True), Cache(cold=True, read_mb_s=400.0)], ids=["cold", "bounded"]
)
def test_a_start_is_measured_with_a_cold_cache_and_a_bounded_disk(tmp_path: Path, cache: Cache) -> None:
    (row,) = _started(cache, tmp_path / "small")
    assert row.cache == cache.title
    assert row.median_ms > 0


def test_who_reads_a_bounded_disk_is_in_a_group_of_that_limit_which_is_gone_afterwards(
    tmp_path: Path,
) -> None:
    before = Path("/proc/self/cgroup").read_text()
    try:
        with bounded(whole_disk(tmp_path), 50.0) as group:
            child = "import pathlib; print(pathlib.Path('/proc/self/cgroup').read_text())"
            inside = subprocess.run(
                [sys.executable, "-c", child], capture_output=True, text=True, check=True
            ).stdout
            limits = [(group / name).read_text() for name in _LIMITS if (group / name).exists()]
    except NotPossibleError as reason:
        pytest.skip(str(reason))
    assert f"/{group.name}" in inside
    assert [limit for limit in limits if whole_disk(tmp_path) in limit and "50000000" in limit]
    assert Path("/proc/self/cgroup").read_text() == before
    assert not group.exists()


_LIMITS = ("blkio.throttle.read_bps_device", "io.max")


def test_version_2_of_control_groups_gets_its_own_form(tmp_path: Path) -> None:
    """A tree of files in its place: where the kernel has version 1, there is no other."""
    mount, membership = tmp_path / "cgroup", tmp_path / "membership"
    (mount / "user").mkdir(parents=True)
    (mount / "cgroup.controllers").write_text("cpu io memory\n")
    membership.write_text("0::/user\n")
    with bounded("8:0", 60.0, mount=mount, membership=membership) as group:
        assert (group / "io.max").read_text() == "8:0 rbps=60000000"
        assert (group / "cgroup.procs").read_text() == str(os.getpid())
        assert (mount / "cgroup.subtree_control").read_text() == "+io"
    assert (mount / "user/cgroup.procs").read_text() == str(os.getpid())


def test_no_control_groups_are_said(tmp_path: Path) -> None:
    membership = tmp_path / "membership"
    membership.write_text("0::/\n")
    with (
        pytest.raises(NotPossibleError, match=r"has no control groups for disks \(blkio or io\)"),
        bounded("8:0", 60.0, mount=tmp_path, membership=membership),
    ):
        pass


@pytest.mark.skipif(not IN_MEMORY.is_dir(), reason="no /dev/shm here")
def test_a_folder_on_no_disk_is_said_to_be() -> None:
    with pytest.raises(NotPossibleError, match="/dev/shm lies on no disk of this machine's own"):
        whole_disk(IN_MEMORY)
