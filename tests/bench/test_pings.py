"""`preheat bench pings` measures what it says, on real sockets."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from preheat_tools.cli import main


def test_each_way_of_sending_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    result = CliRunner().invoke(main, ["bench", "pings", "--sizes", "3", "--runs", "1", "--json", str(file)])
    assert result.exit_code == 0, result.output
    figures = json.loads(file.read_text())
    assert [one["sender"] for one in figures] == ["preheat", "boto3, threads", "boto3, 2 processes"]
    for one in figures:
        assert one["pings"] == 3 and 0 < one["distinct"] <= 1
        assert 0 < one["arrival_ms"] < one["whole_ms"]


def test_sizes_that_are_no_numbers_are_refused() -> None:
    result = CliRunner().invoke(main, ["bench", "pings", "--sizes", "ten"])
    assert result.exit_code == 2 and "--sizes must be whole numbers" in result.output
