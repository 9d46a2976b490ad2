"""`preheat pack`, from a model to a pack that answers as the model did."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper
from preheat.golden import read_golden
from preheat.hashes import check_files
from preheat.pack import read_pack
from preheat_tools.cli import main
from preheat_tools.pack.graph import dense_stretches, write_graph

from tests import browser

from .models import dense, save


def _pack(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["pack", *map(str, arguments)])


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    done = _pack(
        dense(folder / "ranker.onnx"),
        "--out", folder / "ranker",
        "--traffic-share", "0.25",
        "--priority", "2",
        "--required",
        "--report", folder / "report.html",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return folder / "ranker"


def test_the_manifest_says_what_was_asked_for_and_what_was_measured(packed: Path) -> None:
    manifest = read_pack(packed).manifest
    assert (manifest.name, manifest.traffic_share, manifest.priority, manifest.required) == (
        "ranker",
        0.25,
        2,
        True,
    )
    assert (manifest.engine, manifest.precision, manifest.opset) == ("onnxruntime", "fp32", 18)
    assert [(spec.name, spec.type, spec.shape) for spec in manifest.inputs] == [
        ("x", "float32", ("batch", 64))
    ]
    assert manifest.measured.load_ms > 0
    assert manifest.measured.first_answer_ms > 0
    assert {"onnx", "onnxruntime", "python", "architecture"} <= manifest.built_with.keys()


def test_golden_answers_are_the_original_models_own(packed: Path) -> None:
    """Worked out here from the weights, by numpy."""
    source = onnx.load(str(packed.with_name("ranker.onnx")))
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in source.graph.initializer}
    questions = read_golden(read_pack(packed))
    assert [question.inputs["x"].shape[0] for question in questions] == [1, 2, 4]
    for question in questions:
        expected = np.maximum(question.inputs["x"].numpy() @ weights["w"] + weights["b"], 0)
        np.testing.assert_allclose(question.answers["y"].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_weights_lie_outside_the_graph_and_are_aligned(packed: Path) -> None:
    model = onnx.load(str(packed / "model.onnx"), load_external_data=False)
    entries = [
        {entry.key: entry.value for entry in tensor.external_data}
        for tensor in model.graph.initializer
        if tensor.external_data
    ]
    assert entries
    assert {entry["location"] for entry in entries} == {"weights.bin"}
    assert all(int(entry["offset"]) % 64 == 0 for entry in entries)


def test_the_graph_is_optimised_already(packed: Path) -> None:
    """MatMul and Add became one node when the pack was made, and no layout of this CPU's family is in it."""
    model = onnx.load(str(packed / "model.onnx"), load_external_data=False)
    assert len(model.graph.node) < 3
    assert not any("nchwc" in node.domain.lower() for node in model.graph.node)


def test_a_large_tensor_begins_at_a_page(tmp_path: Path) -> None:
    done = _pack(dense(tmp_path / "wide.onnx", rows=256, columns=256), "--out", tmp_path / "wide")
    assert done.exit_code == 0, done.output
    model = onnx.load(str(tmp_path / "wide/model.onnx"), load_external_data=False)
    offsets = {
        tensor.dims[0]: int(entry.value)
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "offset" and len(tensor.dims) == 2
    }
    assert offsets[256] % 4096 == 0


def test_packing_twice_gives_the_same_bytes(packed: Path, tmp_path: Path) -> None:
    done = _pack(packed.with_name("ranker.onnx"), "--out", tmp_path / "ranker")
    assert done.exit_code == 0, done.output
    for name in ("model.onnx", "weights.bin", "golden.npz"):
        assert (tmp_path / "ranker" / name).read_bytes() == (packed / name).read_bytes()
    assert read_pack(tmp_path / "ranker").manifest.version == read_pack(packed).manifest.version


def test_a_folder_with_external_data_is_packed_whole(tmp_path: Path) -> None:
    model = onnx.load(str(dense(tmp_path / "one.onnx")))
    (tmp_path / "folder").mkdir()
    onnx.save(
        model,
        str(tmp_path / "folder/one.onnx"),
        save_as_external_data=True,
        location="m.weights",
        size_threshold=0,
    )
    done = _pack(tmp_path / "folder", "--name", "one", "--out", tmp_path / "pack")
    assert done.exit_code == 0, done.output
    check_files(read_pack(tmp_path / "pack"))


def test_samples_are_the_questions(tmp_path: Path) -> None:
    x = np.full((3, 64), 0.5, dtype=np.float32)
    np.savez(tmp_path / "samples.npz", **{"0.x": x, "1.x": x[:1]})
    done = _pack(
        dense(tmp_path / "m.onnx"), "--samples", tmp_path / "samples.npz", "--out", tmp_path / "pack"
    )
    assert done.exit_code == 0, done.output
    questions = read_golden(read_pack(tmp_path / "pack"))
    assert [question.inputs["x"].shape for question in questions] == [(3, 64), (1, 64)]


def test_int8_is_kept_within_a_wide_tolerance(tmp_path: Path) -> None:
    source = dense(tmp_path / "m.onnx", rows=256, columns=256)
    done = _pack(source, "--precision", "int8", "--rtol", "0.1", "--atol", "5", "--out", tmp_path / "pack")
    assert done.exit_code == 0, done.output
    assert read_pack(tmp_path / "pack").manifest.precision == "int8"
    assert (tmp_path / "pack/weights.bin").stat().st_size < 256 * 256 * 2


def test_int8_outside_the_tolerance_is_not_kept_and_the_miss_is_said(tmp_path: Path) -> None:
    source = dense(tmp_path / "m.onnx", rows=256, columns=256)
    done = _pack(source, "--precision", "int8", "--out", tmp_path / "pack")
    assert done.exit_code == 0, done.output
    assert "int8 missed" in done.output
    assert "kept fp32" in done.output
    assert read_pack(tmp_path / "pack").manifest.precision == "fp32"


def test_another_opset_is_converted_to(tmp_path: Path) -> None:
    done = _pack(dense(tmp_path / "m.onnx"), "--opset", "20", "--out", tmp_path / "pack")
    assert done.exit_code == 0, done.output
    assert read_pack(tmp_path / "pack").manifest.opset == 20


def test_the_report_opens_without_a_network_and_shows_both_starts(packed: Path) -> None:
    page = packed.with_name("report.html").read_text()
    assert page.count("<rect") == 2 * 4 + 4
    assert "http" not in page
    assert "onnxruntime, as usual" in page
    assert "this pack" in page


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_report_s_text_stands_out_and_the_browser_has_nothing_to_complain_of(
    packed: Path, tmp_path: Path, dark: bool
) -> None:
    page = tmp_path / "report.html"
    page.write_text(packed.with_name("report.html").read_text())
    faint, seen = browser.faint(page, tmp_path / "profile", dark=dark)
    assert (faint, {"text", "td", "pre"} <= seen) == ([], True)
    assert browser.complaints(page, tmp_path / "profile") == []


def test_verify_finds_a_good_pack_good(packed: Path) -> None:
    done = _pack("--verify", packed)
    assert done.exit_code == 0, done.output
    assert done.output.count("right") == 3


def test_verify_finds_one_changed_byte(packed: Path, tmp_path: Path) -> None:
    copy = _copy(packed, tmp_path / "copy")
    weights = bytearray((copy / "weights.bin").read_bytes())
    weights[100] ^= 1
    (copy / "weights.bin").write_bytes(weights)
    done = _pack("--verify", copy)
    assert done.exit_code == 1
    assert "SHA-256 of weights.bin" in done.output


def test_verify_finds_a_manifest_that_lies_about_shapes(packed: Path, tmp_path: Path) -> None:
    copy = _copy(packed, tmp_path / "copy")
    body = json.loads((copy / "manifest.json").read_text())
    body["inputs"][0]["shape"] = ["batch", 63]
    (copy / "manifest.json").write_text(json.dumps(body))
    done = _pack("--verify", copy)
    assert done.exit_code == 1
    assert "63" in done.output


def test_explain_says_what_is_in_it_and_why(packed: Path) -> None:
    done = _pack("--explain", packed)
    assert done.exit_code == 0, done.output
    for word in ("25.0% of traffic", "x: float32 [batch, 64]", "weights.bin", "golden questions", "mapped"):
        assert word in done.output


def _copy(pack: Path, to: Path) -> Path:
    to.mkdir()
    for file in pack.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def _unknown_operator(folder: Path) -> Path:
    node = helper.make_node("NoSuchThing", ["x"], ["y"])
    return save(folder / "odd.onnx", [node], {"x": ["batch", 4]}, {"y": ["batch", 4]}, {})


def _free_length(folder: Path) -> Path:
    node = helper.make_node("Relu", ["x"], ["y"])
    return save(folder / "free.onnx", [node], {"x": ["batch", "length"]}, {"y": ["batch", "length"]}, {})


def _cut_short(folder: Path) -> Path:
    model = onnx.load(str(dense(folder / "whole.onnx")))
    (folder / "cut").mkdir()
    onnx.save(
        model, str(folder / "cut/m.onnx"), save_as_external_data=True, location="m.weights", size_threshold=0
    )
    data = folder / "cut/m.weights"
    data.write_bytes(data.read_bytes()[:1000])
    return folder / "cut"


def _not_onnx(folder: Path) -> Path:
    (folder / "text.onnx").write_text("this is no model")
    return folder / "text.onnx"


def _pickle(folder: Path) -> Path:
    (folder / "model.pt").write_bytes(b"\x80\x04.")
    return folder / "model.pt"


def _two_models(folder: Path) -> Path:
    (folder / "two").mkdir()
    dense(folder / "two/a.onnx")
    dense(folder / "two/b.onnx")
    return folder / "two"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param(lambda folder: folder / "none.onnx", "no model at", id="nothing-there"),
        pytest.param(_not_onnx, "is not an ONNX model", id="unreadable"),
        pytest.param(_unknown_operator, "--engine torch", id="an-operator-the-engine-lacks"),
        pytest.param(_free_length, "give --samples", id="free-shapes-without-samples"),
        pytest.param(_cut_short, "copy the model's folder again", id="external-data-cut-short"),
        pytest.param(_pickle, "safetensors.torch.save_file", id="a-pickle"),
        pytest.param(_two_models, "name the file itself", id="two-models-in-a-folder"),
    ],
)
def test_what_cannot_be_packed_says_what_to_do_and_leaves_the_good_pack(
    source: object, says: str, packed: Path, tmp_path: Path
) -> None:
    good = _copy(packed, tmp_path / "good")
    before = {file.name: file.read_bytes() for file in good.iterdir()}
    done = _pack(source(tmp_path), "--name", "good", "--out", good)  # type: ignore[operator]
    assert done.exit_code == 1
    assert says in done.output
    assert {file.name: file.read_bytes() for file in good.iterdir()} == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_samples_the_model_does_not_take_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "samples.npz", x=np.zeros((1, 5), dtype=np.float32))
    done = _pack(dense(tmp_path / "m.onnx"), "--samples", tmp_path / "samples.npz", "--out", tmp_path / "p")
    assert done.exit_code == 1
    assert "cannot answer the samples" in done.output


def test_a_folder_that_holds_other_things_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letters.txt").write_text("dear")
    done = _pack(dense(tmp_path / "m.onnx"), "--out", tmp_path / "mine")
    assert done.exit_code == 1
    assert "something other than a pack" in done.output
    assert (tmp_path / "mine/letters.txt").read_text() == "dear"


def test_a_disk_that_fills_up_is_said_and_leaves_the_good_pack(packed: Path, tmp_path: Path) -> None:
    """In a process that may write files of 10 kB at most: the weights are larger."""
    good = _copy(packed, tmp_path / "good")
    before = {file.name: file.read_bytes() for file in good.iterdir()}
    source = dense(tmp_path / "wide.onnx", rows=256, columns=256)
    done = subprocess.run(
        [Path(sys.executable).with_name("preheat"), "pack", source, "--name", "good", "--out", good],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert done.returncode == 1, done.stderr
    assert "TMPDIR" in done.stderr
    assert {file.name: file.read_bytes() for file in good.iterdir()} == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_every_answer_needs_whole_may_be_read_ahead_and_tables_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"table": np.zeros((5000, 16), np.float32), "a": np.eye(16, dtype=np.float32) * 2}
    weights["b"] = np.ones((16, 512), np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "a"], ["between"]),
        helper.make_node("Relu", ["between"], ["positive"]),
        helper.make_node("MatMul", ["positive", "b"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, [4])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 512])]
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    write_graph(tmp_path / "m.onnx", tmp_path)
    assert dense_stretches(tmp_path) == ()  # too little to matter
    monkeypatch.setattr("preheat_tools.pack.graph.READ_AHEAD_BYTES", 1)
    stretches = dense_stretches(tmp_path)
    content = (tmp_path / "weights.bin").read_bytes()
    assert sum(length for _, length in stretches) >= weights["a"].nbytes + weights["b"].nbytes
    found = b"".join(content[offset : offset + length] for offset, length in stretches)
    assert weights["a"].tobytes() in found and weights["b"].tobytes() in found
    assert len(found) < weights["table"].nbytes
