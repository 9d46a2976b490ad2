"""Strategies side by side on one trace, and what is concluded from them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from preheat_tools.adviser.advice import Advice, Offer, Size, advise, break_even_usd, settings, verdict
from preheat_tools.adviser.page import page
from preheat_tools.adviser.strategies import Elsewhere, Strategy, quantile, service_ms
from preheat_tools.adviser.tables import print_advice
from preheat_tools.adviser.traffic import TrafficError, sampled
from preheat_tools.cli import main
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.traces import Series, Trace

from tests import browser

ROOT = Path(__file__).parents[2]
WORLD = Assumptions(init_ms=2000.0)


def batches() -> Trace:
    """Ten requests at a time, every quarter of an hour of a day."""
    counts = np.zeros(1440, np.int64)
    counts[::15] = 10
    return Trace("batches", (Series(name="f", pattern="", counts=counts),))


@pytest.fixture(scope="module")
def advice() -> Advice:
    sizes = (Size(memory_mb=4096, init_ms=1200.0, service_ms=100.0),)
    return advise(batches(), WORLD, sizes=sizes, notes=["A note & more."])


def test_each_strategy_is_a_month_of_the_same_traffic(advice: Advice) -> None:
    assert [one.name for one in advice.strategies] == [
        "none", "ping", "static", "target-tracking", "preheat", "snapstart", "managed",
    ]  # fmt: skip
    assert advice.requests == 96 * 10 * 30 and advice.days == 1
    none, own = advice.strategy("none"), advice.strategy("preheat")
    assert none.cold_starts % 30 == 0  # a day's, thirty times
    assert own.cold_starts < none.cold_starts / 5
    for one in advice.strategies:
        assert one.cost_usd == pytest.approx(sum(one.kinds.values()))
        assert one.p50_ms <= one.p99_ms <= one.p999_ms
        assert one.excludes


def test_snapstart_waits_less_for_as_many_and_pays_to_keep_the_snapshot(advice: Advice) -> None:
    none, snapshot = advice.strategy("none"), advice.strategy("snapstart")
    prices = Elsewhere()
    assert snapshot.cold_starts == none.cold_starts and snapshot.wait_ms == 500.0 < none.wait_ms
    assert snapshot.kinds["snapshots"] == pytest.approx(2.0 * 30 * 86_400 * prices.cache_gb_s)
    # a wait a quarter as long costs a quarter of the price
    assert snapshot.total_usd(0.001, 2000.0) == pytest.approx(
        snapshot.cost_usd + snapshot.cold_starts * 0.00025
    )


def test_instances_are_paid_by_the_hour_for_the_most_at_once(advice: Advice) -> None:
    hours, each = 720, Elsewhere().instance_usd_hour * 1.15
    assert advice.strategy("managed").kinds["instances"] == pytest.approx(
        3 * hours * each
    )  # the least there are
    crowded = replace(
        batches().series[0], instants_s=np.zeros(960)
    )  # 960 at once: 240 instances of 4 processes
    assert advise(Trace("crowd", (crowded,)), WORLD).strategy("managed").kinds["instances"] == pytest.approx(
        240 * hours * each
    )


def test_the_best_is_the_least_with_waiting_at_the_user_s_price(advice: Advice) -> None:
    totals = {one.name: one.total_usd(0.001, WORLD.init_ms) for one in advice.strategies}
    assert advice.best == min(totals, key=lambda name: totals[name])


def strategy(cost_usd: float, cold_starts: float, name: str = "none") -> Strategy:
    return Strategy(
        name=name, title=name, cost_usd=cost_usd, cold_starts=cold_starts, wait_ms=2000.0, p50_ms=200, p99_ms=200,
        p999_ms=200, excludes="nothing",
    )  # fmt: skip


def test_from_which_price_on_it_is_worth_it() -> None:
    none = strategy(10.0, 1000)
    dear = Offer(cold_start_cost_usd=0.01, cost_usd=14.0, cold_starts=0)
    fair = Offer(cold_start_cost_usd=0.001, cost_usd=11.0, cold_starts=500)
    assert break_even_usd(none, [dear, fair]) == pytest.approx(0.002)
    assert break_even_usd(none, [Offer(cold_start_cost_usd=0.0, cost_usd=9.0, cold_starts=10)]) == 0
    assert break_even_usd(none, [Offer(cold_start_cost_usd=0.0, cost_usd=11.0, cold_starts=1000)]) is None


@given(
    cost=st.floats(0, 100), spared=st.integers(1, 10_000), more=st.floats(-50, 50),
)  # fmt: skip
def test_at_the_break_even_price_both_cost_the_same(cost: float, spared: int, more: float) -> None:
    none = strategy(100.0 + cost, 10_000)
    offer = Offer(cold_start_cost_usd=0.1, cost_usd=none.cost_usd + more, cold_starts=10_000 - spared)
    price = break_even_usd(none, [offer])
    assert price is not None and price >= 0
    if more > 0:
        assert none.cost_usd + none.cold_starts * price == pytest.approx(
            offer.cost_usd + offer.cold_starts * price
        )


@pytest.mark.parametrize(
    "best", ["none", "static", "snapstart", "preheat", "ping", "managed", "target-tracking"]
)
def test_the_settings_are_parameters_that_the_template_takes(best: str) -> None:
    found = settings(strategy(1.0, 1, best), WORLD, 7)
    template = (ROOT / "template.yaml").read_text()
    for name, value in found.items():
        declared = re.search(rf"^  {name}:\n(?:    .*\n)+", template, re.MULTILINE)
        assert declared, name
        if allowed := re.search(r"AllowedValues: \[(.*)\]", declared[0]):
            assert value in allowed[1].replace("'", "").split(", ")
        if pattern := re.search(r"AllowedPattern: '(.*)'", declared[0]):
            assert re.fullmatch(pattern[1], value)


def test_a_price_far_below_a_cent_is_kept() -> None:
    assert (
        settings(strategy(1.0, 1, "preheat"), replace(WORLD, cold_start_cost_usd=2e-7), 0)["ColdStartCost"]
        == "0.0000002"
    )


def test_the_table_has_a_head_for_every_figure(advice: Advice, capsys: pytest.CaptureFixture[str]) -> None:
    print_advice(advice)
    printed = capsys.readouterr().out
    assert "p99.9" in printed
    rows = [line for line in printed.splitlines() if "nothing" in line and line.count("│") > 4]
    heads = [line for line in printed.splitlines() if line.startswith("┃") and "strategy" in line]
    assert rows[0].count("│") == heads[0].count("┃")


def test_quantiles_count_who_waits() -> None:
    services = [(100.0, 50.0), (200.0, 50.0)]
    assert quantile(services, 0.0, 3000.0, 0.5) == 100.0
    assert quantile(services, 0.02, 3000.0, 0.99) == 3100.0
    assert quantile(services, 0.02, 3000.0, 0.95) == 200.0
    lengths = Series(name="g", pattern="", counts=np.array([4]), service_s=np.array([0.1, 0.1, 0.1, 0.9]),
                     instants_s=np.arange(4.0))  # fmt: skip
    assert max(ms for ms, _ in service_ms(Trace("t", (lengths,)), WORLD, None)) == pytest.approx(
        900.0, rel=0.05
    )


def test_the_verdict_names_what_is_spared_and_from_which_price(advice: Advice) -> None:
    text = verdict(advice)
    none, own = advice.strategy("none"), advice.strategy("preheat")
    assert f"{none.cold_starts - own.cold_starts:,.0f} of {none.cold_starts:,.0f}" in text
    quiet = replace(advice, strategies=[replace(one, cold_starts=0.0) for one in advice.strategies])
    assert "no cold starts" in verdict(quiet)


def test_of_many_functions_a_sample_is_looked_at_and_it_is_said() -> None:
    many = Trace("many", tuple(Series(name=f"f{i}", pattern="", counts=np.array([1])) for i in range(100)))
    some, note = sampled(many, (), seed=1)
    assert len(some.series) == 40 and "40 of the trace's 100" in note
    assert sampled(many, (), seed=1)[0].series == some.series
    assert [s.name for s in sampled(many, ("f7",), seed=1)[0].series] == ["f7"]
    with pytest.raises(TrafficError, match="no function 'g'"):
        sampled(many, ("g",), seed=1)


@pytest.fixture
def report(advice: Advice, tmp_path: Path) -> Path:
    path = tmp_path / "advice.html"
    path.write_text(page(replace(advice, subject="<b>f</b>")), encoding="utf-8")
    return path


def test_the_report_fetches_nothing_and_trusts_no_name(report: Path) -> None:
    text = report.read_text()
    assert not re.findall(r"(?:https?:)?//|\bsrc=|@import|url\(|<script", text)
    assert "<b>f" not in text and "&lt;b&gt;f" in text and "A note &amp; more." in text


@pytest.mark.browser
def test_a_browser_shows_the_verdict_and_every_strategy(report: Path, advice: Advice, tmp_path: Path) -> None:
    document = browser.document(report, tmp_path / "profile")
    assert document.count("<circle") == len(advice.strategies)
    assert document.count('<tr class="best">') == 1
    assert "SETTINGS=" in document and "4096 MB" in document


@pytest.mark.browser
def test_the_report_has_a_light_and_a_dark_face(report: Path, tmp_path: Path) -> None:
    light = browser.picture(report, tmp_path / "profile", tmp_path / "light.png", dark=False)
    dark = browser.picture(report, tmp_path / "profile", tmp_path / "dark.png", dark=True)
    assert light != dark


def test_ink_stands_out_from_its_ground_in_both_faces(report: Path) -> None:
    """WCAG's contrast of at least 4.5 for every colour that text has."""
    faces = re.findall(r":root\{([^}]*)\}", report.read_text())
    light, dark = (dict(re.findall(r"--(\w+):(#[0-9a-f]+)", face)) for face in faces)
    for colours in (light, dark):
        for ink in ("ink", "soft", "good"):
            for ground in ("ground", "card"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["advise", *arguments])


def test_the_command_writes_what_it_promises(tmp_path: Path) -> None:
    trace, files = tmp_path / "t.csv", (tmp_path / "a.json", tmp_path / "a.html")
    trace.write_text("series,minute,count\n" + "".join(f"f,{15 * i},4\n" for i in range(8)))
    result = run("--trace", str(trace), "--json", str(files[0]), "--html", str(files[1]))
    assert result.exit_code == 0, result.output
    body = json.loads(files[0].read_text())
    assert {"strategies", "best", "break_even_usd", "settings", "assumptions", "offers"} <= body.keys()
    assert files[1].read_text().startswith("<!doctype html>")
    assert "make deploy SETTINGS='" in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param((), "one of the two", id="neither-target-nor-trace"),
        pytest.param(("f:live", "--trace", __file__), "one of the two", id="both"),
        pytest.param(("--trace", __file__), "test_advice.py", id="no-trace"),
        pytest.param(("nocolon",), "function:alias", id="no-alias"),
    ],
)
def test_bad_input_is_told(arguments: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    result = run(*arguments)
    assert result.exit_code != 0 and says in result.output


def test_sizes_that_are_none_are_told(tmp_path: Path) -> None:
    sizes, trace = tmp_path / "sizes.json", tmp_path / "t.csv"
    sizes.write_text('[{"memory_mb": 1769}]')
    trace.write_text("series,minute,count\nf,1,1\n")
    result = run("--trace", str(trace), "--sizes", str(sizes))
    assert result.exit_code == 1 and "sizes.json must be a JSON list" in result.output
