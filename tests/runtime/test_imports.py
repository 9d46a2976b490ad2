"""What the runtime imports before a model does: it is on every cold start's path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .packs import write_pack

HEAVY = {
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "ctypes",
    "dataclasses",
    "hashlib",
    "inspect",
    "json",
    "logging",
    "numpy",
    "onnxruntime",
    "pathlib",
    "pydantic",
    "re",
    "threading",
    "torch",
    "typing",
    "urllib",
    "uuid",
    "zipfile",
}


def modules_after(code: str) -> set[str]:
    """Modules that a fresh interpreter has after running some code, beyond what it began with."""
    program = f"import sys; before = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    environment = {"PYTHONPATH": "layers/preheat"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("name", ["ModelHost", "answers_pings", "inference_protocol"])
def test_what_a_function_needs_imports_nothing_heavy(name: str) -> None:
    assert {module.split(".")[0] for module in modules_after(f"from preheat import {name}")} & HEAVY == set()


def test_the_package_alone_imports_nothing_else_of_itself() -> None:
    """The warmer takes the ping contract and no host."""
    assert modules_after("import preheat") == {"preheat", "__future__"}
    assert "preheat.host" not in modules_after("import preheat.ping")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import preheat

    with pytest.raises(AttributeError, match="'preheat' has no attribute 'Modelhost'"):
        _ = preheat.Modelhost  # type: ignore[attr-defined]


def begun(folder: Path, **variables: str) -> bool:
    """Whether asking for `ModelHost` begins to load the engine."""
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            "from preheat import ModelHost; import sys; print('preheat.engines.fast' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "layers/preheat", "LAMBDA_TASK_ROOT": str(folder)} | variables,
    )
    return done.stdout.strip() == "True"


def test_on_lambda_the_engine_is_begun_before_the_host_is_imported(tmp_path: Path) -> None:
    write_pack(tmp_path / "models", "a")
    write_pack(tmp_path / "torch/models", "a", engine="torch")
    lambdas = {"AWS_LAMBDA_FUNCTION_NAME": "f"}
    assert begun(tmp_path, **lambdas)
    assert not begun(tmp_path)
    assert not begun(tmp_path, **lambdas, PREHEAT_MODE="cold")
    assert not begun(tmp_path, **lambdas, PREHEAT_MODE="lukewarm")
    assert not begun(tmp_path / "torch", **lambdas)
    assert not begun(tmp_path / "nowhere", **lambdas)
