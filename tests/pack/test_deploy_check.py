"""Packs on this machine pass the gate of deployments, or are stopped by it with the reason: real processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from preheat_tools.cli import main

from ..runtime.packs import flip_a_byte, write_pack


def check(*arguments: object) -> Result:
    slack = ("--ratio", "100", "--within", "120")  # the machine is anybody's: times are not what is tested
    return CliRunner().invoke(main, ["deploy-check", *map(str, arguments), *slack])


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        write_pack(tmp_path / "serving", name)
    return tmp_path / "serving"


def test_a_good_folder_passes_beside_what_serves(serving: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pack(tmp_path / "new", name, seed=1)
    result = check(tmp_path / "new", "--against", serving)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("PASSED") and "(was " in result.output


def test_one_pack_passes_by_itself(serving: Path) -> None:
    result = check(serving / "a", "--environments", "1")
    assert result.exit_code == 0, result.output


def test_a_wrong_answer_is_stopped_with_the_question(tmp_path: Path, serving: Path) -> None:
    write_pack(tmp_path / "new", "a", wrong_by=1.0)
    write_pack(tmp_path / "new", "b")
    result = check(tmp_path / "new", "--against", serving)
    assert result.exit_code == 1 and "a failed in environment" in result.output
    assert "golden question 0" in result.output


def test_a_model_that_is_missing_is_stopped(tmp_path: Path, serving: Path) -> None:
    write_pack(tmp_path / "new", "a")
    result = check(tmp_path / "new", "--against", serving)
    assert result.exit_code == 1 and "b failed in environment" in result.output


def test_a_damaged_file_is_stopped(tmp_path: Path) -> None:
    flip_a_byte(write_pack(tmp_path / "new", "a") / "model.onnx")
    result = check(tmp_path / "new")
    assert result.exit_code == 1 and "SHA-256" in result.output


def test_a_folder_without_packs_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    result = check(tmp_path / "new")
    assert result.exit_code == 1 and "the process ended before it answered" in result.output


def test_an_alias_serves_no_folder(tmp_path: Path) -> None:
    result = check(tmp_path, "--against", "live")
    assert result.exit_code == 2 and "--against must be a folder" in result.output


def test_what_is_neither_is_refused() -> None:
    result = check("nowhere")
    assert result.exit_code == 2 and "it must be a folder of packs, or FUNCTION:VERSION" in result.output
