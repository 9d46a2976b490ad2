"""A half-written pack never takes the place of a good one."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from preheat_tools.pack.sources import SourceError
from preheat_tools.pack.writer import replacing


@pytest.fixture
def good(tmp_path: Path) -> Path:
    folder = tmp_path / "good"
    folder.mkdir()
    (folder / "manifest.json").write_text("the good one")
    return folder


def test_a_block_that_ends_well_replaces_the_whole_folder(good: Path) -> None:
    (good / "old.bin").write_text("old")
    with replacing(good) as fresh:
        (fresh / "manifest.json").write_text("the new one")
        assert (good / "manifest.json").read_text() == "the good one"
    assert [(file.name, file.read_text()) for file in good.iterdir()] == [("manifest.json", "the new one")]
    assert [path.name for path in good.parent.iterdir()] == ["good"]


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt(), OSError(errno.EIO, "disk")])
def test_a_block_that_fails_leaves_the_good_one_and_nothing_else(good: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), replacing(good) as fresh:
        (fresh / "weights.bin").write_text("half")
        raise error
    assert (good / "manifest.json").read_text() == "the good one"
    assert [path.name for path in good.parent.iterdir()] == ["good"]


def test_a_full_disk_says_so(good: Path) -> None:
    with pytest.raises(SourceError, match=r"no room left in .*TMPDIR"), replacing(good):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (good / "manifest.json").read_text() == "the good one"
