"""What the warmer saved, by its own log lines as it writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from preheat_tools.adviser.savings import saved
from preheat_tools.cli import main

from warmer.policy.outcomes import Outcome
from warmer.policy.values import Expected, Reason, Target

A, B = Target("a", "live"), Target("b", "live")


def line(target: Target, at_s: float, *, spared: float = 2.0, dry_run: bool = False, pings: int = 3) -> str:
    expected = Expected(
        cost_usd=0.001, cold_starts=0.5, cost_without_usd=0.003, cold_starts_without=0.5 + spared
    )
    outcome = Outcome(
        target=target,
        at_s=at_s,
        reason=Reason.PINGS_PAY,
        pings=pings,
        reached=pings,
        made=1,
        expected=expected,
    )
    return json.dumps({**outcome.to_record(), "dry_run": dry_run, "run": "r"})


def test_plans_are_summed_by_target_the_most_saved_first() -> None:
    log = [
        line(A, 0.0),
        line(B, 60.0),
        line(B, 43_200.0, pings=0),
        "START RequestId: x",
        '{"event": "cycle"}',
    ]
    found = saved(log)
    b, a = found.targets
    assert (b.target, a.target) == ("b:live", "a:live")
    assert (b.looks, b.rounds, b.pings, b.made) == (2, 1, 3, 2)
    assert b.cold_starts_spared == pytest.approx(4.0) and b.saved_usd == pytest.approx(0.004)
    assert (found.lines, found.passed_over, found.days) == (3, 2, 0.5)


def test_a_dry_run_saved_nothing_and_lines_may_come_with_a_time_before_them() -> None:
    found = saved([line(A, 0.0, dry_run=True), "2026-11-24T10:00:00 " + line(A, 0.0)])
    assert (found.lines, found.passed_over) == (1, 1)


def test_the_command_reads_standard_input_and_writes_json(tmp_path: Path) -> None:
    out = tmp_path / "s.json"
    result = CliRunner().invoke(main, ["savings", "-", "--json", str(out)], input=line(A, 0.0) + "\n")
    assert result.exit_code == 0, result.output
    assert "a:live" in result.output
    assert json.loads(out.read_text())["targets"][0]["saved_usd"] == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        pytest.param(["-"], "hello\n", "no plan of the warmer among 1 lines", id="another-log"),
        pytest.param([], "", "one of the two", id="nothing-to-read"),
    ],
)
def test_a_log_without_plans_is_told(arguments: list[str], text: str, says: str) -> None:
    result = CliRunner().invoke(main, ["savings", *arguments], input=text)
    assert result.exit_code != 0 and says in result.output
