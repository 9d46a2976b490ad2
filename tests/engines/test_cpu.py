"""A graph laid out for one family of CPUs runs there and nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from preheat.engines import open_session
from preheat.engines.cpu import AVX2, AVX512, family_of, machine_family
from preheat.fields import PackError
from preheat.frozen import replace
from preheat.hashes import LARGE_BYTES, by_size
from preheat.manifest import LaidOut, Manifest
from preheat.pack import Pack, read_pack

from ..runtime.fakes import World
from ..runtime.packs import rewrite_manifest, write_pack

ANOTHER = "x86-64-v9"
VISITED = np.eye(4, dtype=np.float32)[:1]


def cpuinfo(flags: frozenset[str] | set[str]) -> str:
    return f"processor\t: 0\nmodel name\t: A CPU\nflags\t\t: fpu {' '.join(flags)}\nbogomips\t: 5000\n"


@pytest.mark.parametrize(
    ("text", "architecture", "family"),
    [
        pytest.param(cpuinfo(AVX512), "x86_64", "x86-64-v4", id="avx-512"),
        pytest.param(cpuinfo(AVX2), "x86_64", "x86-64-v3", id="avx2"),
        pytest.param(cpuinfo(AVX2 | {"avx512f"}), "x86_64", "", id="wide-blocks-without-the-rest-of-avx-512"),
        pytest.param(cpuinfo(AVX2 - {"fma"}), "x86_64", "", id="older"),
        pytest.param("", "x86_64", "", id="unknown"),
        pytest.param("Features : fp asimd\n", "aarch64", "aarch64", id="arm"),
    ],
)
def test_the_family_of_a_cpu(text: str, architecture: str, family: str) -> None:
    assert family_of(text, architecture) == family


def laid_out_for(root: Path, family: str) -> Pack:
    """A pack whose second graph gives other answers, so that one sees which graph gave them."""
    folder = write_pack(root, "a")
    other = write_pack(root / "other", "other", seed=1)
    manifest = read_pack(folder).manifest
    shutil.copy(other / "model.onnx", folder / "model.second.onnx")
    shutil.rmtree(root / "other")
    rewrite_manifest(folder, manifest, cpu=LaidOut(family=family, graph="model.second.onnx"))
    return read_pack(folder)


def answer(pack: Pack, fast: bool) -> list[float]:
    session = open_session(pack, fast=fast)
    try:
        return session.run({"visited": VISITED})["scores"].values()
    finally:
        session.close()


on_a_known_cpu = pytest.mark.skipif(
    not machine_family(), reason="this CPU is of no family known to Preheat: its own graph was not tried"
)


@on_a_known_cpu
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_on_its_family_a_pack_answers_by_the_graph_laid_out_for_it(
    tmp_path: Path, fast: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    pack = laid_out_for(tmp_path / "models", machine_family())
    second = read_pack(write_pack(tmp_path / "second", "second", seed=1))
    assert answer(pack, fast) == answer(second, fast)
    assert "portable" not in capfd.readouterr().err


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_on_another_it_answers_by_the_portable_graph_and_says_so_once(
    tmp_path: Path, fast: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    pack = laid_out_for(tmp_path / "models", ANOTHER)
    portable = replace(pack, manifest=replace(pack.manifest, cpu=None))
    assert answer(pack, fast) == answer(portable, fast) == answer(pack, fast)
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "portable" in line]
    assert line.startswith(
        f"preheat: a runs its portable graph: the other is laid out for {ANOTHER}, this CPU"
    )


def test_a_model_becomes_hot_by_its_portable_graph(tmp_path: Path) -> None:
    laid_out_for(tmp_path / "models", ANOTHER)
    assert World(tmp_path / "models").init().levels() == {"a": "HOT"}


@on_a_known_cpu
def test_a_graph_for_this_family_that_answers_wrongly_is_never_served(tmp_path: Path) -> None:
    laid_out_for(tmp_path / "models", machine_family())
    host = World(tmp_path / "models").init().host
    assert host.report()["a"].problem.startswith("golden question 0")


def test_either_graph_is_hashed_before_it_is_opened(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "a")
    manifest = read_pack(folder).manifest
    for name in ("model.second.onnx", "weights.bin"):
        (folder / name).write_bytes(bytes(LARGE_BYTES + 1))
    rewrite_manifest(folder, manifest, cpu=LaidOut(family=ANOTHER, graph="model.second.onnx"))
    assert by_size(read_pack(folder))[1] == ["weights.bin"]


def test_a_manifest_names_the_second_graph_among_its_files(tmp_path: Path) -> None:
    pack = laid_out_for(tmp_path / "models", ANOTHER)
    assert Manifest.from_json(pack.manifest.to_json(), "x") == pack.manifest
    lost = replace(pack.manifest, cpu=LaidOut(family=ANOTHER, graph="gone.onnx"))
    with pytest.raises(PackError, match=r"cpu\.graph must be one of"):
        Manifest.from_json(lost.to_json(), "x")
