"""What `sam build` runs in each folder: pinned, trimmed, and able to run on what it ships alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILDING = f"{sys.version_info.major}.{sys.version_info.minor}"


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


@pytest.mark.parametrize(
    ("folder", "target", "ships"),
    [
        pytest.param("layers/preheat", "PreheatLayer", "python/preheat/ping.py", id="preheat"),
        pytest.param("warmer", "Warmer", "warmer/cycle.py", id="warmer"),
        pytest.param("functions/recommend", "Recommend", "app.py", id="recommend"),
    ],
)
def test_a_folder_builds_to_the_names_that_are_imported_with_their_bytecode(
    folder: str, target: str, ships: str, tmp_path: Path
) -> None:
    make = ["make", "-s", f"build-{target}", f"ARTIFACTS_DIR={tmp_path}", f"PYTHON={sys.executable}"]
    subprocess.run([*make, f"PREHEAT_PYTHON={BUILDING}"], cwd=ROOT / folder, check=True)
    assert (tmp_path / ships).is_file()
    assert not list(tmp_path.rglob("Makefile"))
    sources = set(tmp_path.rglob("*.py"))
    compiled = {f.parents[1] / f"{f.name.split('.')[0]}.py": f for f in tmp_path.rglob("*.pyc")}
    assert compiled.keys() == sources
    # PEP 552: an unchecked hash, since a zip keeps no times to check by
    assert {f.read_bytes()[4:8] for f in compiled.values()} == {b"\x01\x00\x00\x00"}
