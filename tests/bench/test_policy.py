"""`preheat bench policy` decides what it says it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from preheat_tools.cli import main


def test_a_row_for_each_size_with_every_step(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    result = CliRunner().invoke(
        main, ["bench", "policy", "--sizes", "1,3", "--runs", "2", "--json", str(file)]
    )
    assert result.exit_code == 0, result.output
    rows = json.loads(file.read_text())
    assert [row["targets"] for row in rows] == [1, 3]
    assert all(us > 0 for row in rows for us in row["steps_us"])
    assert "a decision" in result.output


@pytest.mark.parametrize("sizes", ["0", "ten", ""])
def test_sizes_that_are_none_end_with_what_to_do(sizes: str) -> None:
    result = CliRunner().invoke(main, ["bench", "policy", "--sizes", sizes])
    assert result.exit_code == 2
    assert "whole numbers" in result.output
