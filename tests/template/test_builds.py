"""What `sam build` runs in each folder: pinned, trimmed, and able to run on what it ships alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILDING = f"{sys.version_info.major}.{sys.version_info.minor}"
MOST_BYTES = 120_000_000


def pins(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if "==" in line and not line.startswith("#"))
    pairs = (line.split("==") for line in lines)
    return {name.lower().replace("-", "_"): version for name, version in pairs}


@pytest.mark.parametrize(
    "folder", ["layers/inference", "functions/recommend", "functions/recommend_torch", "warmer"]
)
def test_what_is_shipped_is_what_was_tested(folder: str) -> None:
    shipped, tested = pins(ROOT / folder / "requirements.txt"), pins(ROOT / "constraints.txt")
    assert shipped == {name: tested[name] for name in shipped}


@pytest.fixture(scope="module")
def inference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("inference")
    make = ["make", "-s", "build-InferenceLayer", f"ARTIFACTS_DIR={built}", f"PYTHON={sys.executable}"]
    subprocess.run([*make, f"PREHEAT_PYTHON={BUILDING}"], cwd=ROOT / "layers/inference", check=True)
    return built


def test_the_inference_layer_is_small(inference: Path) -> None:
    files = [file for file in inference.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES
    assert not [file for file in files if file.suffix == ".pyi" or "tests" in file.parts]
    assert any(file.name.startswith("libonnxruntime.so") for file in files)


def test_the_inference_layer_ships_bytecode_that_is_not_checked_again(inference: Path) -> None:
    sources = set(inference.rglob("*.py"))
    compiled = {f.parents[1] / f"{f.name.split('.')[0]}.py": f for f in inference.rglob("*.pyc")}
    assert compiled.keys() == sources
    assert {f.read_bytes()[4:8] for f in compiled.values()} == {
        b"\x01\x00\x00\x00"
    }  # PEP 552: unchecked hash


def test_the_inference_layer_answers_with_nothing_else_installed(inference: Path) -> None:
    model = ROOT / "functions/recommend/models/short_form"
    inputs = json.loads((model / "manifest.json").read_text())["inputs"]
    script = f"""
import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p] + [{str(inference / "python")!r}]
import numpy, onnxruntime
session = onnxruntime.InferenceSession({str(model / "model.onnx")!r})
feed = {{i['name']: numpy.zeros([1, *i['shape'][1:]], i['type']) for i in {inputs!r}}}
print(session.run(None, feed)[0].shape[0], numpy.__file__, onnxruntime.__file__)
"""
    run = [sys.executable, "-I", "-S", "-c", script]
    printed = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
    assert printed[0] == "1" and all(path.startswith(str(inference)) for path in printed[1:])


@pytest.mark.parametrize(
    ("folder", "target", "ships"),
    [
        pytest.param("layers/preheat", "PreheatLayer", "python/preheat/ping.py", id="preheat"),
        pytest.param("warmer", "Warmer", "warmer/cycle.py", id="warmer"),
    ],
)
def test_a_folder_builds_to_the_names_that_are_imported(
    folder: str, target: str, ships: str, tmp_path: Path
) -> None:
    make = ["make", "-s", f"build-{target}", f"ARTIFACTS_DIR={tmp_path}", f"PYTHON={sys.executable}"]
    subprocess.run([*make, f"PREHEAT_PYTHON={BUILDING}"], cwd=ROOT / folder, check=True)
    assert (tmp_path / ships).is_file()
    assert not list(tmp_path.rglob("Makefile"))
