"""Weights read ahead of the engine: what the pack names, as long as the disk is fast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from preheat.engines.read_ahead import PIECE_BYTES, STEP_BYTES, read_ahead
from preheat.fields import PackError
from preheat.frozen import replace
from preheat.manifest import Manifest
from preheat.pack import read_pack
from preheat_tools.bench.disk import forget, resident_share

from ..runtime.packs import write_pack


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(os.urandom(3 * PIECE_BYTES))
    return path


def clock(*steps_s: float) -> Iterator[float]:
    """Readings of a clock that goes on by a step between two."""
    now_s = 0.0
    for step_s in steps_s:
        yield now_s
        now_s += step_s
        yield now_s


def test_stretches_come_in_order_and_nothing_beside_them(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _file, at, size, _how: asked.append((at, size)))
    stretches = [(100, PIECE_BYTES + 5), (2 * PIECE_BYTES, 10)]
    assert read_ahead(str(weights), stretches, lambda: 0.0) == PIECE_BYTES + 15
    assert asked[0] == (100, STEP_BYTES) and asked[-2:] == [(100 + PIECE_BYTES, 5), (2 * PIECE_BYTES, 10)]
    reached = [at + size for at, size in asked]
    assert [at for at, _ in asked[1:-1]] == reached[:-2]  # each from where the one before ended


def test_what_was_asked_for_is_in_memory(weights: Path) -> None:
    forget([weights])
    if resident_share(weights) > 0.02:
        pytest.skip("this file system keeps its files in memory")
    read_ahead(str(weights), [(0, 3 * PIECE_BYTES)], lambda: 0.0)
    assert resident_share(weights) == 1.0


def test_the_first_piece_that_comes_slowly_is_the_last(weights: Path) -> None:
    readings = clock(0.001, 0.020)
    assert read_ahead(str(weights), [(0, 3 * PIECE_BYTES)], lambda: next(readings)) == 2 * PIECE_BYTES


def test_a_file_that_is_not_there_is_somebody_elses_matter(tmp_path: Path) -> None:
    assert read_ahead(str(tmp_path / "none"), [(0, 10)]) == 0


def test_a_manifest_says_what_may_be_read_ahead_or_nothing(tmp_path: Path) -> None:
    manifest = read_pack(write_pack(tmp_path, "a")).manifest
    assert '"read_ahead"' not in manifest.to_json()
    named = replace(manifest, read_ahead=((4096, 100), (8192, 5)))
    assert Manifest.from_json(named.to_json(), "here") == named


@pytest.mark.parametrize("stretch", ["[[1]]", "[[-1, 2]]", "[[1.5, 2]]", "[7]", "[[true, 2]]"])
def test_a_manifest_with_other_stretches_is_refused(tmp_path: Path, stretch: str) -> None:
    text = read_pack(write_pack(tmp_path, "a")).manifest.to_json()
    text = text.rstrip().removesuffix("}") + f', "read_ahead": {stretch}}}'
    with pytest.raises(PackError, match="read_ahead holds pairs of an offset and a length in bytes, was"):
        Manifest.from_json(text, "here")
