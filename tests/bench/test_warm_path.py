"""The warm path's figures come from a real host that answers and is pinged."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from preheat_tools.cli import main

from ..runtime.packs import write_pack


def test_each_pack_is_asked_and_pinged_and_the_figures_are_written(tmp_path: Path):
    for name in ("one", "two"):
        write_pack(tmp_path / "packs", name)
    arguments = ["bench", "warm-path", "--packs", str(tmp_path / "packs"), "--calls", "10"]
    result = CliRunner().invoke(main, [*arguments, "--json", str(tmp_path / "out.json")])
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [row["model"] for row in rows] == ["one", "two"]
    for row in rows:
        assert row["calls"] == 10
        assert row["session_us"] > 0 and row["request_us"] > 0
        assert row["ping_us"] > 0
