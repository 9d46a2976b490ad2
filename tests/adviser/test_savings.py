"""What the warmer saved, by its own log lines as it writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner
from preheat_tools.adviser.logs import LogError, messages
from preheat_tools.adviser.savings import PLANS, rounds_of, saved
from preheat_tools.adviser.tables import COUNTED, cells
from preheat_tools.adviser.words import saved_words
from preheat_tools.cli import main

from warmer.policy.outcomes import Outcome
from warmer.policy.values import Expected, Reason, Target

A, B = Target("a", "live"), Target("b", "live")
EVERY_S = 300.0


def line(
    target: Target, at_s: float, *, spared: float = 2.0, dry_run: bool = False, pings: int = 3,
    reached: int | None = None, spent_usd: float | None = 0.0,
) -> str:  # fmt: skip
    """A plan for five minutes that expects half a cold start, and without it so many more, each at $0.001."""
    without = 0.5 + spared
    expected = Expected(
        cost_usd=0.0005 + 0.0001,
        cold_starts=0.5,
        cost_without_usd=without * 0.001,
        cold_starts_without=without,
    )
    outcome = Outcome(
        target=target, at_s=at_s, reason=Reason.PINGS_PAY, pings=pings, made=min(1, pings), expected=expected,
        reached=0 if dry_run else pings if reached is None else reached, next_look_s=at_s + EVERY_S,
        spent_usd=spent_usd, hold_s=0.02,
    )  # fmt: skip
    return json.dumps({**outcome.to_record(), "dry_run": dry_run, "run": "r"})


def burst(target: str, announced: int) -> str:
    return json.dumps({"event": "burst", "target": target, "announced": announced, "pings": 3, "reached": 3})


def test_plans_are_summed_by_target_the_most_saved_first() -> None:
    log = [
        line(A, 0.0),
        line(B, 60.0),
        line(B, 43_200.0, pings=0, spent_usd=0.0001),
        "START RequestId: x",
        '{"event": "cycle"}',
    ]
    found = saved(log)
    b, a = found.targets
    assert (b.target, a.target) == ("b:live", "a:live")
    assert (b.looks, b.rounds, b.pings, b.made) == (2, 1, 3, 1)
    assert b.cold_starts_spared == pytest.approx(4.0) and b.cold_starts_left == pytest.approx(1.0)
    assert b.spent_usd == pytest.approx(0.0001)
    assert b.cost_usd == pytest.approx(2 * 0.5 * 0.001 + 0.0001)
    assert b.saved_usd == pytest.approx(2 * 2.5 * 0.001 - b.cost_usd)
    assert (found.plans, found.passed_over) == (3, 2)
    assert found.days == pytest.approx(43_140 / 86_400)


def test_of_a_plan_that_another_followed_early_only_its_share_counts() -> None:
    early, late = (saved([line(A, 0.0), line(A, second)]).targets[0] for second in (EVERY_S / 4, EVERY_S))
    assert late.cold_starts_spared == pytest.approx(4.0)
    assert early.cold_starts_spared == pytest.approx(2.5)
    assert early.cost_without_usd == pytest.approx(1.25 * 2.5 * 0.001)


@pytest.mark.parametrize(("reached", "spared"), [(3, 2.0), (0, 0.0), (1, 2.0 / 3)])
def test_a_round_that_reached_fewer_spared_so_many_fewer(reached: int, spared: float) -> None:
    one = saved([line(A, 0.0, reached=reached)]).targets[0]
    assert one.cold_starts_spared == pytest.approx(spared)
    assert one.cold_starts_left == pytest.approx(2.5 - spared)


def test_a_line_that_is_read_twice_counts_once() -> None:
    assert saved([line(A, 0.0), line(A, 0.0)]).targets == saved([line(A, 0.0)]).targets


def test_the_month_s_spending_is_followed_over_its_end() -> None:
    log = [line(A, at * EVERY_S, spent_usd=spent) for at, spent in enumerate([0.8, 1.0, 0.1, None, 0.3])]
    assert saved(log).targets[0].spent_usd == pytest.approx(0.2 + 0.1 + 0.2)


def test_a_dry_run_is_told_apart_and_would_have_saved() -> None:
    """It plans at every run for as long as a plan that is carried out: what overlaps counts once."""
    dry = [line(A, 60.0 * minute, dry_run=True) for minute in range(6)]
    found = saved([*dry, "2026-11-24T10:00:00 " + line(A, 0.0)])
    real, would = found.targets
    assert (real.dry_run, would.dry_run) == (False, True)
    assert would.cold_starts_spared == pytest.approx(2.0 * (5 * 60 + EVERY_S) / EVERY_S)
    assert would.cost_usd == pytest.approx(0.0006 * 2) and would.spent_usd == 0
    assert "would have spared 4 cold starts" in saved_words(found)[1]


def test_cold_starts_left_are_held_against_those_seen() -> None:
    plans = [line(A, 0.0), line(B, 0.0)]
    assert [one.cold_starts_seen for one in saved(plans).targets] == [None, None]
    assert "add the burst handler's log" in saved_words(saved(plans))[-1]
    assert [one.cold_starts_seen for one in saved(plans, heard=True).targets] == [0, 0]
    told = saved([*plans, burst("a:live", 2), burst("a:live", 1)])
    assert {one.target: one.cold_starts_seen for one in told.targets} == {"a:live": 3, "b:live": 0}
    assert saved_words(told)[-1] == "It expected 1 cold starts to be left; customers waited for 3."


def test_an_expectation_is_told_as_one_before_any_figure() -> None:
    (said, *_) = saved_words(saved([line(A, 0.0)]))
    assert said.startswith("By its own expectation") and "cannot be seen" in said
    (said, *_) = saved_words(saved([line(A, 0.0, spared=2.0), line(A, 300.0, spent_usd=9.0)]))
    assert "cost $9.00 more than nothing would have" in said


def test_the_runtime_s_own_record_counts_before_what_was_announced() -> None:
    record = '{"_aws": {}, "FunctionName": "a", "record": "cold_start", "customer_cold_start": true}'
    found = saved([line(A, 0.0), burst("a:live", 9), record, record])
    assert found.targets[0].cold_starts_seen == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"event": "plan"}',
        '{"event": "plan", "target": "a:live", "at_s": "noon"}',
        '{"event": "plan"',
        "[1, 2]",
        '{"event": "burst", "announced": "many"}',
    ],
)
def test_a_line_that_is_none_of_the_warmer_s_is_passed_over(text: str) -> None:
    found = saved([line(A, 0.0), text])
    assert (found.plans, found.passed_over) == (1, 1)


def test_every_figure_has_a_heading() -> None:
    assert len(cells(saved([line(A, 0.0)]).targets[0])) == len(COUNTED)


def test_what_was_spent_agrees_with_the_simulator(tmp_path: Path) -> None:
    """The simulator writes the warmer's own lines; the last round is booked by a look that does not come any more."""
    trace, log, out = tmp_path / "t.csv", tmp_path / "plans.jsonl", tmp_path / "r.json"
    trace.write_text("series,minute,count\n" + "".join(f"f,{15 * i},4\n" for i in range(96)))
    command = ["simulate", str(trace), "--policy", "preheat", "--log", str(log), "--json", str(out)]
    assert CliRunner().invoke(main, command).exit_code == 0
    (result,) = json.loads(out.read_text())["results"]
    made = result["made_by_pings"] * 3.0 * 2.0 * 0.0000166667
    (one,) = saved(log.read_text().splitlines()).targets
    assert one.pings == result["pings"] and one.target.endswith("-f:live")
    assert one.spent_usd == pytest.approx(result["cost_usd"]["pings"] + made, rel=0.05)


def logs() -> tuple[Any, Stubber]:
    client = boto3.client("logs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    return client, Stubber(client)


def test_pages_without_an_event_are_read_past() -> None:
    client, told = logs()
    asked = {"logGroupName": "g", "filterPattern": PLANS, "startTime": 5000}
    told.add_response("filter_log_events", {"events": [], "nextToken": "t"}, asked)
    told.add_response(
        "filter_log_events", {"events": [{"message": line(A, 60.0)}, {"message": line(B, 60.0)}]},
        {**asked, "nextToken": "t"},
    )  # fmt: skip
    with told:
        (sent,) = rounds_of(client, "g", A, 5.0)
    assert (sent.at_s, sent.pings, sent.hold_s) == (60.0, 3, 0.02)


def test_a_log_group_that_cannot_be_read_is_named() -> None:
    client, told = logs()
    told.add_client_error("filter_log_events", "ResourceNotFoundException")
    with told, pytest.raises(LogError, match="log group g could not be read"):
        list(messages(client, "g", 0.0, PLANS))


def test_the_command_reads_standard_input_and_writes_files(tmp_path: Path) -> None:
    out, html = tmp_path / "s.json", tmp_path / "s.html"
    result = CliRunner().invoke(
        main, ["savings", "-", "--json", str(out), "--html", str(html)], input=line(A, 0.0) + "\n"
    )
    assert result.exit_code == 0, result.output
    assert "a:live" in result.output
    body = json.loads(out.read_text())
    assert body["targets"][0]["saved_usd"] == pytest.approx(0.002)
    assert html.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        pytest.param(["-"], "hello\n", "no plan of the warmer among 1 other lines", id="another-log"),
        pytest.param([], "", "one of the two", id="nothing-to-read"),
        pytest.param(["-", "--log-group", "g"], "", "one of the two", id="both"),
    ],
)
def test_a_log_without_plans_is_told(arguments: list[str], text: str, says: str) -> None:
    result = CliRunner().invoke(main, ["savings", *arguments], input=text)
    assert result.exit_code != 0 and says in result.output
