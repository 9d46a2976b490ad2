"""What `preheat pack` is wrongly given: said in one line that says what to do, never by a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from onnx import helper
from preheat_tools.pack.command import pack

from .models import dense, save


def _pack(*arguments: object) -> Result:
    return CliRunner().invoke(pack, [str(argument) for argument in arguments])


def _refused(done: Result, says: str) -> None:
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in {1, 2}
    assert says in done.output


def _one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros((1, 64), dtype=np.float32))


def _cut_short(path: Path) -> None:
    np.savez(path, x=np.zeros((1, 64), dtype=np.float32))
    path.write_bytes(path.read_bytes()[:100])


def _objects(path: Path) -> None:
    np.savez(path, x=np.array([{}], dtype=object))


@pytest.mark.parametrize(
    ("write", "says"),
    [
        pytest.param(lambda path: None, "no samples at", id="nothing-there"),
        pytest.param(lambda path: path.write_text("x: 1"), "save it with numpy.savez", id="text"),
        pytest.param(_one_array, "save it with numpy.savez", id="one-array-alone"),
        pytest.param(_cut_short, "save it with numpy.savez", id="cut-short"),
        pytest.param(_objects, "save it with numpy.savez", id="objects"),
    ],
)
def test_samples_that_cannot_be_read(write: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    write(tmp_path / "s.npz")
    done = _pack(dense(tmp_path / "m.onnx"), "--samples", tmp_path / "s.npz", "--out", tmp_path / "p")
    _refused(done, says)
    assert "allow_pickle" not in done.output


def test_a_model_that_takes_nothing(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["w", "w"], ["y"])
    weights = {"w": np.zeros((4, 4), dtype=np.float32)}
    constant = save(tmp_path / "constant.onnx", [node], {}, {"y": [4, 4]}, weights)
    _refused(_pack(constant, "--out", tmp_path / "p"), "takes no inputs")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _refused(_pack(tmp_path / "empty", "--out", tmp_path / "p"), "holds no .onnx file: name")


@pytest.mark.parametrize("name", ["../x", "-x", "a b"])
def test_a_name_that_is_none(name: str, tmp_path: Path) -> None:
    _refused(
        _pack(dense(tmp_path / "m.onnx"), f"--name={name}", "--out", tmp_path / "p"), "is no name for a model"
    )


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_out_that_cannot_be_a_folder(out: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = _pack(dense(tmp_path / "m.onnx"), "--name", "m", "--out", tmp_path / out)
    _refused(done, "give another --out")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_report_without_a_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    report = tmp_path / "none/report.html"
    done = _pack(dense(tmp_path / "m.onnx"), "--out", tmp_path / "p", "--report", report)
    _refused(done, "there is no folder for it")
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("look", ["--verify", "--explain"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(None, "name the folder that `preheat pack` made", id="no-manifest"),
        pytest.param("{", "copy the pack again", id="half-a-manifest"),
        pytest.param('{"format": 2}', "make the pack again with this release", id="another-release"),
    ],
)
def test_a_look_at_what_is_no_pack(look: str, text: str | None, says: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    _refused(_pack(look, tmp_path), says)


@pytest.mark.parametrize("look", ["--verify", "--explain"])
def test_a_pack_whose_weights_end_too_soon_says_so_and_what_to_do(tmp_path: Path, look: str) -> None:
    done = _pack(dense(tmp_path / "m.onnx"), "--out", tmp_path / "pack")
    assert done.exit_code == 0, done.output
    weights = tmp_path / "pack" / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    done = _pack(look, tmp_path / "pack")
    assert done.exit_code != 0
    assert "weights.bin has" in done.output and "copy the pack again" in done.output
