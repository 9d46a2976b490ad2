"""`preheat pack --cpu`: a second graph, laid out for the CPU that it is made on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import helper
from preheat.engines.cpu import FAMILIES, machine_family
from preheat.hashes import check_files
from preheat.pack import read_pack
from preheat_tools.cli import main

from .models import dense, save

FAMILY = machine_family()
ANOTHER = next(family for family in FAMILIES if family != FAMILY)
on_x86 = pytest.mark.skipif(
    not FAMILY.startswith("x86-64"),
    reason="this CPU is of no x86-64 family whose layouts onnxruntime saves: --cpu was not tried",
)


def _pack(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["pack", *map(str, arguments)])


def convolution(path: Path) -> Path:
    """Two layers whose weights onnxruntime lays out in blocks of channels, and one whose weights stay."""
    draw = np.random.default_rng(0)
    weights = {
        "first": draw.standard_normal((32, 16, 3, 3)) * 0.1,
        "second": draw.standard_normal((32, 32, 3, 3)) * 0.1,
        "last": draw.standard_normal((32, 64)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("MatMul", ["e", "last"], ["y"]),
    ]
    floats = {name: array.astype(np.float32) for name, array in weights.items()}
    return save(path, nodes, {"x": ["batch", 16, 8, 8]}, {"y": ["batch", 64]}, floats)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laid-out")
    for name, more in (("usual", ()), ("both", ("--cpu", FAMILY))):
        done = _pack(convolution(folder / "cnn.onnx"), "--out", folder / name, *more)
        assert done.exit_code == 0, done.output
    return folder / "both"


@on_x86
def test_the_pack_has_both_graphs_and_the_manifest_says_whose_the_second_is(packed: Path) -> None:
    pack = read_pack(packed)
    check_files(pack)
    assert pack.manifest.cpu is not None
    assert (pack.manifest.cpu.family, pack.manifest.cpu.graph) == (FAMILY, f"model.{FAMILY}.onnx")
    domains = [
        {node.domain for node in onnx.load(str(packed / graph), load_external_data=False).graph.node}
        for graph in (pack.manifest.graph, pack.manifest.cpu.graph)
    ]
    assert "com.microsoft.nchwc" not in domains[0]
    assert "com.microsoft.nchwc" in domains[1]


@on_x86
def test_weights_that_no_layout_touches_are_there_once(packed: Path) -> None:
    graph = onnx.load(str(packed / f"model.{FAMILY}.onnx"), load_external_data=False).graph
    lies_in = {
        tuple(tensor.dims): next(entry.value for entry in tensor.external_data if entry.key == "location")
        for tensor in graph.initializer
        if tensor.external_data
    }
    assert lies_in[(32, 64)] == "weights.bin"
    assert set(lies_in.values()) == {"weights.bin", f"weights.{FAMILY}.bin"}


@on_x86
def test_each_graph_is_verified_where_it_can_be(packed: Path) -> None:
    done = _pack("--verify", packed, "--explain", packed)
    assert done.exit_code == 0, done.output
    assert "right golden answers through onnxruntime's C API\n" in done.output
    assert f"right golden answers through onnxruntime's C API, graph for {FAMILY}\n" in done.output
    assert f"model.{FAMILY}.onnx beside it is laid out for {FAMILY}" in done.output


@on_x86
def test_a_pack_without_it_is_as_it_was_and_its_portable_graph_the_same(packed: Path) -> None:
    usual = packed.with_name("usual")
    assert "cpu" not in json.loads((usual / "manifest.json").read_text())
    assert {file.name for file in usual.iterdir()} == {
        "golden.npz",
        "manifest.json",
        "model.onnx",
        "weights.bin",
    }
    for name in ("golden.npz", "model.onnx", "weights.bin"):
        assert (usual / name).read_bytes() == (packed / name).read_bytes()


@on_x86
def test_a_model_without_such_layouts_gets_no_second_graph_and_one_is_told(tmp_path: Path) -> None:
    done = _pack(dense(tmp_path / "m.onnx"), "--out", tmp_path / "m", "--cpu", FAMILY)
    assert done.exit_code == 0, done.output
    assert f"nothing in m is laid out by the CPU: it has no second graph for {FAMILY}" in done.output
    assert read_pack(tmp_path / "m").manifest.cpu is None
    assert not list((tmp_path / "m").glob("*64*"))


def test_a_graph_for_another_family_cannot_be_made_here(tmp_path: Path) -> None:
    done = _pack(dense(tmp_path / "m.onnx"), "--out", tmp_path / "m", "--cpu", ANOTHER)
    assert done.exit_code == 1
    assert f"a graph for {ANOTHER} is made on such a CPU; this one is" in done.output
    assert not (tmp_path / "m").exists()


def test_torch_has_no_such_graphs(tmp_path: Path) -> None:
    done = _pack("a.module:factory", "--out", tmp_path / "m", "--engine", "torch", "--cpu", ANOTHER)
    assert done.exit_code == 2
    assert "not with --engine torch" in done.output
