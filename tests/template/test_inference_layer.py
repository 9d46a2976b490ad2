"""The layer `inference`: small, nothing left out that is not named with its reason, and enough to serve every pack."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers/inference"
MODELS = ROOT / "functions/recommend/models"
BUILDING = f"{sys.version_info.major}.{sys.version_info.minor}"
MOST_BYTES = 120_000_000
LEFT_OUT = [
    line.partition("  # ")[::2]
    for line in (LAYER / "left_out.txt").read_text().splitlines()
    if not line.startswith("#")
]
"""Path or glob, and why."""


def is_left_out(file: str, pattern: str) -> bool:
    """Whether a file below python/, or a folder that it is in, is what a line of the list names."""
    path = PurePosixPath(file)
    name = pattern.removeprefix("**/")
    if name != pattern:
        return any(PurePosixPath(part).match(name) for part in path.parts)
    return any(PurePosixPath("/", place).match(f"/{pattern}") for place in (path, *path.parents))


@dataclass(frozen=True, slots=True)
class Built:
    """The layer as `sam build` makes it, and what its packages were before anything was left out."""

    folder: Path
    whole: frozenset[str]

    @property
    def python(self) -> Path:
        return self.folder / "python"

    def files(self) -> frozenset[str]:
        found = (file for file in self.python.rglob("*") if file.is_file() and file.suffix != ".pyc")
        return frozenset(file.relative_to(self.python).as_posix() for file in found)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("inference")
    make = ["make", "-s", f"ARTIFACTS_DIR={folder}", f"PYTHON={sys.executable}", f"PREHEAT_PYTHON={BUILDING}"]
    subprocess.run([*make, "installed"], cwd=LAYER, check=True)
    whole = Built(folder, frozenset()).files()
    subprocess.run([*make, "--old-file=installed", "build-InferenceLayer"], cwd=LAYER, check=True)
    return Built(folder, whole)


def test_every_line_of_the_list_has_a_reason_and_stands_once() -> None:
    assert all(pattern and " " not in pattern and len(why.split()) >= 2 for pattern, why in LEFT_OUT)
    patterns = [pattern for pattern, _ in LEFT_OUT]
    assert len(set(patterns)) == len(patterns) > 20


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in LEFT_OUT])
def test_what_the_list_names_was_there_and_is_left_out(built: Built, pattern: str) -> None:
    assert [file for file in built.whole if is_left_out(file, pattern)]
    assert not [file for file in built.files() if is_left_out(file, pattern)]


def test_nothing_else_is_left_out(built: Built) -> None:
    missing = built.whole - built.files()
    patterns = [pattern for pattern, _ in LEFT_OUT]
    assert [file for file in missing if not any(is_left_out(file, pattern) for pattern in patterns)] == []


def test_it_is_small(built: Built) -> None:
    files = [file for file in built.folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES
    assert any(file.name.startswith("libonnxruntime.so") for file in files)


def test_it_ships_bytecode_that_is_not_checked_again(built: Built) -> None:
    sources = set(built.folder.rglob("*.py"))
    compiled = {f.parents[1] / f"{f.name.split('.')[0]}.py": f for f in built.folder.rglob("*.pyc")}
    assert compiled.keys() == sources
    assert {f.read_bytes()[4:8] for f in compiled.values()} == {
        b"\x01\x00\x00\x00"
    }  # PEP 552: unchecked hash


SERVING = """
import json, sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path] + sys.argv[1:3]
from preheat import ModelHost
from preheat.engines import open_session
from preheat.golden import difference, read_golden
from preheat.pack import pack_folders, read_pack

host = ModelHost.from_packs(sys.argv[3])
found = {"fast": {name: report.level.name + report.problem for name, report in host.report().items()}}
found["plain"] = {}
for pack in map(read_pack, pack_folders(sys.argv[3])):
    session = open_session(pack, fast=False)
    wrong = [
        difference(question.answers, session.run(question.inputs), pack.manifest.golden)
        for question in read_golden(pack)
    ]
    found["plain"][pack.name] = "".join(wrong)
import numpy, onnxruntime
found["from"] = [numpy.__file__, onnxruntime.__file__]
for name in host:  # numpy arrays in, as a handler gives them
    host[name].run({"visited": numpy.zeros((1, 294), numpy.float32)})["scores"].numpy()
print("#found", json.dumps(found))
"""


def test_with_it_alone_every_pack_is_served_by_both_paths(built: Built) -> None:
    command = [sys.executable, "-I", "-S", "-c", SERVING, str(built.python), str(ROOT / "layers/preheat")]
    done = subprocess.run([*command, str(MODELS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.rpartition("#found ")[2])
    names = {folder.name for folder in MODELS.iterdir()}
    assert found["fast"] == dict.fromkeys(names, "HOT")
    assert found["plain"] == dict.fromkeys(names, "")
    assert all(path.startswith(str(built.python)) for path in found["from"])
    assert "Python API" not in done.stderr  # the C API fits
