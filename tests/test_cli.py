from __future__ import annotations

import pytest
from click.testing import CliRunner
from preheat_tools.cli import COMMANDS, main


def test_help_lists_every_command() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    assert all(f"  {name}" in text for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output
