"""Strategies side by side on one trace, and what is concluded from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from preheat_tools.adviser.advice import Advice, Size, advise
from preheat_tools.adviser.comparison import Case, compare, played
from preheat_tools.adviser.copying import commands, parameters
from preheat_tools.adviser.elsewhere import Elsewhere, managed, snapstart
from preheat_tools.adviser.own_costs import own_usd
from preheat_tools.adviser.prices import Line, Offer, break_even_usd, ranges
from preheat_tools.adviser.setup import Setup, barred
from preheat_tools.adviser.strategies import Strategy
from preheat_tools.adviser.traffic import TrafficError, chosen
from preheat_tools.adviser.waits import quantile, service_ms
from preheat_tools.adviser.words import by_price, own_cost, price_usd, verdict
from preheat_tools.doctor.findings import Grade
from preheat_tools.doctor.parameters import check, load
from preheat_tools.simulator.traces import Duration, Series, Trace

from tests.adviser.conftest import WORLD, batches
from warmer.policy.values import Target

ROOT = Path(__file__).parents[2]


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


def test_snapstart_pays_for_restores_and_to_keep_the_snapshot(case: Case, advice: Advice) -> None:
    snapshot, prices = advice.strategy("snapstart"), Elsewhere()
    assert snapshot.wait_ms == 500.0
    assert snapshot.kinds["snapshots"] == pytest.approx(2.0 * 30 * 86_400 * prices.cache_gb_s)
    dearer = snapstart(case.trace, case.world, {}, replace(prices, restore_gb=1.0))
    more = dearer.cost_usd - snapshot.cost_usd
    assert more == pytest.approx(snapshot.cold_starts * 2.0 * (1.0 - prices.restore_gb))
    # a wait a quarter as long costs a quarter of the price
    assert snapshot.total_usd(0.001, 2000.0) == pytest.approx(
        snapshot.cost_usd + snapshot.cold_starts * 0.00025
    )


def test_a_restore_that_takes_less_makes_fewer_others_wait(case: Case) -> None:
    quick, slow = (
        snapstart(case.trace, case.world, {}, Elsewhere(restore_ms=ms)).cold_starts for ms in (100.0, 9000.0)
    )
    assert quick < slow


def test_every_strategy_heeds_each_function_s_own_duration(case: Case) -> None:
    found = compare(replace(case, durations={"f": Duration(0.8)}))
    assert {one.p50_ms for one in found} == {800.0}


def test_instances_are_paid_by_the_hour_for_the_most_at_once(advice: Advice) -> None:
    hours, each = 720, Elsewhere().instance_usd_hour * 1.15
    assert advice.strategy("managed").kinds["instances"] == pytest.approx(
        3 * hours * each
    )  # the least there are
    crowded = Trace("crowd", (replace(batches().series[0], instants_s=np.zeros(960)),))  # 960 at once
    by_memory = managed(crowded, WORLD, {}, Elsewhere())  # 4 processes of 2 GB an instance
    assert by_memory.kinds["instances"] == pytest.approx(240 * hours * each)
    by_vcpu = managed(crowded, replace(WORLD, memory_mb=128), {}, Elsewhere())  # 16 a vCPU, though 64 fit
    assert by_vcpu.kinds["instances"] == pytest.approx(30 * hours * each)


def test_preheat_pays_for_itself_too(advice: Advice, case: Case) -> None:
    own = advice.strategy("preheat").kinds["own"]
    assert own == pytest.approx(3.39, abs=0.1)  # 8 metrics, 8 alarms of 9 metrics, a run a minute
    assert played("preheat", replace(case, metrics="off")).kinds["own"] < own - 2
    assert all("own" not in one.kinds for one in advice.strategies if one.name != "preheat")


def test_metrics_of_further_functions_cost_for_the_hours_in_which_environments_begin() -> None:
    one, two = own_usd(1, 0, WORLD), own_usd(2, 720 * 2, WORLD)
    assert two - one == pytest.approx(4 * 0.30)
    assert own_usd(2, 72 * 2, WORLD) - one == pytest.approx(4 * 0.03)


@pytest.mark.parametrize(
    ("strategy", "setup", "memory_mb", "why"),
    [
        pytest.param("snapstart", Setup(efs=True), 2048, "it mounts EFS", id="snapstart-efs"),
        pytest.param("snapstart", Setup(tmp_mb=1024), 2048, "its /tmp has 1024 MB", id="snapstart-tmp"),
        pytest.param(
            "snapstart", Setup(runtime="python3.11"), 2048, "it runs python3.11", id="snapstart-python"
        ),
        pytest.param("snapstart", Setup(runtime="python3.12"), 2048, "", id="snapstart-can"),
        pytest.param("snapstart", Setup(), 2048, "", id="snapstart-image"),
        pytest.param("managed", Setup(runtime="python3.12"), 2048, "it runs python3.12", id="managed-python"),
        pytest.param("managed", Setup(), 1769, "1769 MB is below their least, 2048 MB", id="managed-memory"),
        pytest.param(
            "static", Setup(snapstart=True), 2048, "SnapStart is on", id="provisioned-with-snapstart"
        ),
        pytest.param("preheat", Setup(efs=True, tmp_mb=9999), 128, "", id="pings-always"),
    ],
)
def test_what_a_function_cannot_have_is_told(strategy: str, setup: Setup, memory_mb: int, why: str) -> None:
    assert barred(strategy, setup, memory_mb) == why


def test_what_it_is_set_up_as_is_in_its_configuration() -> None:
    assert Setup.of({"FunctionName": "f", "PackageType": "Image"}) == Setup()
    configuration = {
        "Runtime": "python3.13", "EphemeralStorage": {"Size": 2048}, "FileSystemConfigs": [{"Arn": "a"}],
        "SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"},
    }  # fmt: skip
    assert Setup.of(configuration) == Setup(runtime="python3.13", efs=True, tmp_mb=2048, snapstart=True)


def test_the_best_is_the_least_with_waiting_at_the_user_s_price(advice: Advice) -> None:
    totals = {one.name: advice.total_usd(one) for one in advice.strategies}
    assert advice.best == min(totals, key=lambda name: totals[name])


def test_what_is_ruled_out_is_never_the_best() -> None:
    free = Elsewhere(restore_ms=0.01, cache_gb_s=0.0, restore_gb=0.0)
    case = Case(trace=batches(), world=WORLD, elsewhere=free)
    assert advise(case).best == "snapstart"
    without = advise(replace(case, setup=Setup(efs=True)))
    assert without.best != "snapstart" and without.strategy("snapstart").barred
    assert "snapstart" not in {one.name for one in without.ranges}


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


@given(cost=st.floats(0, 100), spared=st.integers(1, 10_000), more=st.floats(-50, 50))
def test_at_the_break_even_price_both_cost_the_same(cost: float, spared: int, more: float) -> None:
    none = strategy(100.0 + cost, 10_000)
    offer = Offer(cold_start_cost_usd=0.1, cost_usd=none.cost_usd + more, cold_starts=10_000 - spared)
    price = break_even_usd(none, [offer])
    assert price is not None and price >= 0
    if more > 0:
        assert none.cost_usd + none.cold_starts * price == pytest.approx(
            offer.cost_usd + offer.cold_starts * price
        )


LINES = st.lists(st.tuples(st.integers(1, 500), st.integers(0, 1000)), min_size=1, max_size=6)


@given(found=LINES, price=st.floats(1e-6, 10))
def test_at_every_price_the_range_it_falls_in_names_the_least_costly(
    found: Sequence[tuple[int, int]], price: float
) -> None:
    candidates = [Line(cost, cold, str(i)) for i, (cost, cold) in enumerate(found)]
    spans = ranges(candidates)
    assert [one.from_usd for one in spans] == sorted(one.from_usd for one in spans)
    name = [one.name for one in spans if one.from_usd <= price][-1]
    least = min(line.total_usd(price) for line in candidates)
    assert next(line for line in candidates if line.name == name).total_usd(price) == pytest.approx(least)


@pytest.mark.parametrize(
    "best", ["none", "static", "snapstart", "preheat", "ping", "managed", "target-tracking"]
)
@pytest.mark.parametrize("price", [0.0, 2e-7, 0.001, 2.5])
def test_the_settings_are_parameters_that_the_template_takes(best: str, price: float, case: Case) -> None:
    asked = replace(case, world=replace(WORLD, cold_start_cost_usd=price), metrics="lean")
    found = parameters(strategy(1.0, 1, best), asked)
    findings = list(check(load(ROOT / "template.yaml"), found))
    assert [one.text for one in findings if one.grade is not Grade.OK] == []
    assert float(found.get("ColdStartCost", price)) == price


def test_a_function_of_another_stack_is_tagged(case: Case) -> None:
    said = commands(strategy(1.0, 1, "preheat"), case, 1024, Target("g", "blue"))
    assert "--memory-size 2048" in said[0] and "WarmTargets=tagged" in said[1]
    assert "--tags preheat=blue,preheat:cold-start-cost-usd=0.001" in said[2]
    assert "move the alias blue" in said[3]
    assert commands(strategy(1.0, 1), case, 2048, Target("g", "blue")) == ()


def test_provisioned_concurrency_is_asked_for_by_number_at_every_size(case: Case) -> None:
    for memory_mb in (2048, 1024):
        sized = replace(case, world=replace(WORLD, memory_mb=memory_mb))
        static = played("static", sized)
        assert parameters(static, sized)["ProvisionedEnvironments"] == "2"
        said = commands(static, sized, memory_mb, Target("f", "live"))
        assert [one.rpartition(" ")[2] for one in said] == ["2"]


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
    useless = replace(advice, strategies=[replace(one, cold_starts=9.0) for one in advice.strategies])
    assert "would spare none of 9" in verdict(useless)


def test_the_best_memory_size_is_named_and_set(case: Case) -> None:
    worse = Size(memory_mb=4096, init_ms=9000.0, service_ms=200.0)
    better = Size(memory_mb=2560, init_ms=200.0, service_ms=20.0)
    advice = advise(case, sizes=[worse, better])
    assert [one.size.memory_mb for one in advice.sizes] == [2048, 2560, 4096]
    assert advice.best_size.size == better and advice.settings["Memory"] == "2560"
    assert "At 2,560 MB in place of 2,048" in verdict(advice)


def test_what_preheat_itself_costs_is_said_as_it_grows(advice: Advice) -> None:
    assert "schedule, metrics and alarms, whatever the traffic" in own_cost(advice)
    several = own_cost(replace(advice, functions=40))
    assert "whatever the traffic" not in several and "metrics of 40 functions" in several


def test_prices_are_written_as_people_do() -> None:
    assert [price_usd(price) for price in (0.0, 0.00001, 0.0005777, 0.001, 4.04, 100.0)] == [
        "$0", "$0.00001", "$0.00058", "$0.001", "$4", "$100",
    ]  # fmt: skip


def test_every_price_has_a_row(advice: Advice) -> None:
    rows = by_price(advice)
    assert len(rows) == len(advice.ranges)
    assert by_price(replace(advice, ranges=advice.ranges[:1]))[0][0] == "at any price"


def test_of_many_functions_a_sample_is_looked_at_and_it_is_said() -> None:
    series = tuple(Series(name=f"f{i}", pattern="", counts=np.ones(60, np.int64)) for i in range(100))
    many = Trace("many", series)
    some, notes = chosen(many, (), seed=1)
    assert len(some.series) == 40 and "40 of the trace's 100" in notes[0]
    assert chosen(many, (), seed=1)[0].series == some.series
    assert [s.name for s in chosen(many, ("f7",), seed=1)[0].series] == ["f7"]
    with pytest.raises(TrafficError, match="no function 'g'"):
        chosen(many, ("g",), seed=1)


def minutes(counts: np.ndarray) -> Trace:
    return Trace("t", (Series(name="f", pattern="", counts=counts),))


@pytest.mark.parametrize(
    ("length", "says"),
    [
        pytest.param(60, "less than a day", id="an-hour"),
        pytest.param(1440, "less than a week", id="a-day"),
        pytest.param(10_080, "", id="a-week"),
    ],
)
def test_how_little_traffic_it_is_is_said(length: int, says: str) -> None:
    _, notes = chosen(minutes(np.ones(length, np.int64)), (), 1)
    assert says in " ".join(notes) and bool(notes) == bool(says)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        pytest.param(np.ones(59, np.int64), "less than an hour", id="too-short"),
        pytest.param(np.zeros(90, np.int64), "no request", id="nobody"),
    ],
)
def test_traffic_that_says_nothing_is_refused(counts: np.ndarray, says: str) -> None:
    with pytest.raises(TrafficError, match=says):
        chosen(minutes(counts), (), 1)
