"""Traces in, results out: readers, placement, policies side by side, the command's files."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from preheat_tools.cli import main
from preheat_tools.simulator import command, contenders
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.contenders import contender
from preheat_tools.simulator.placement import blocks, kind
from preheat_tools.simulator.run import play
from preheat_tools.simulator.traces import Series, Trace, TraceError, read_durations, read_trace

TRACES = Path(__file__).parents[2] / "traces"
WIDE = "fn,pattern,src,1,2,3,4,5,6\nf1,timer,x,3,0,0,0,0,2\nf2,bursty,x,0,0,9,1,0,0\n"
AZURE = "HashOwner,HashApp,HashFunction,Trigger,480,481,482\no,a," + "f" * 64 + ",http,1,0,2\n"
LONG = "series,minute,count\na,0,2\na,4,1\nb,1,7\n"
BINS = "model,client,t_s,count,iat_cv\nm,0,600,5,1.0\nm,1,0,2,0.5\n"
REQUESTS = "function,t_s,duration_ms\ng,100.5,300\ng,99.0,100\nh,130.0,50\n"


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "names", "counts"),
    [
        pytest.param(WIDE, ["f1", "f2"], [5, 10], id="a-column-a-minute"),
        pytest.param(AZURE, ["f" * 64], [3], id="azure-with-its-hash"),
        pytest.param(LONG, ["a", "b"], [3, 7], id="long-zeros-left-out"),
        pytest.param(BINS, ["m/0", "m/1"], [5, 2], id="ten-minute-bins"),
        pytest.param(REQUESTS, ["g", "h"], [2, 1], id="a-row-a-request"),
    ],
)
def test_a_trace_is_read_by_its_header(
    tmp_path: Path, text: str, names: list[str], counts: list[int]
) -> None:
    trace = read_trace(written(tmp_path, text))
    assert [series.name for series in trace.series] == names
    assert [series.requests for series in trace.series] == counts


def test_a_row_a_request_keeps_instants_and_lengths(tmp_path: Path) -> None:
    g = read_trace(written(tmp_path, REQUESTS)).series[0]
    assert g.instants_s is not None and g.service_s is not None
    assert g.instants_s.tolist() == [39.0, 40.5]  # from the start of the trace's first minute
    assert g.service_s.tolist() == [0.1, 0.3]


@pytest.mark.parametrize(
    "text", ["", "name,value\na,1\n", "fn,1,2\n"], ids=["empty", "other-columns", "no-rows"]
)
def test_what_is_no_trace_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(TraceError, match=r"t\.csv"):
        read_trace(written(tmp_path, text))


def test_the_shipped_traces_are_read_as_they_are() -> None:
    days = read_trace(TRACES / "azure2019_dayshapes_dev.csv.gz")
    assert (len(days.series), sum(s.requests for s in days.series), days.span_s) == (789, 11_778_120, 86400)
    hours = read_trace(TRACES / "azure2019_500fn_8h_invocations.csv.gz")
    lengths = read_durations(TRACES / "azure2019_500fn_durations.csv.gz")
    assert all(series.key in lengths for series in hours.series)
    several = read_trace(TRACES / "multiday_minute_counts.csv.gz")
    assert len(several.series) == 7 and several.span_s == 7200 * 60


@pytest.mark.parametrize("placement", ["uniform", "mix"])
@pytest.mark.parametrize("pattern", ["timer", "bursty", "flat"])
def test_every_request_falls_in_its_own_minute(placement: str, pattern: str) -> None:
    series = Series(name="s", pattern=pattern, counts=np.array([5, 0, 300, 1]))
    placed = np.concatenate(list(blocks(series, placement, 1, 0)))
    assert np.bincount((placed // 60).astype(int), minlength=4).tolist() == [5, 0, 300, 1]
    assert (np.diff(placed) >= 0).all()
    if kind(series, placement) == "timer":
        assert (placed % 60 < 0.1).all()


def small(minutes: int = 360) -> Trace:
    rng = np.random.default_rng(3)
    timer = np.zeros(minutes, np.int64)
    timer[::30] = 20
    series = (
        Series(name="timer", pattern="timer", counts=timer),
        Series(name="steady", pattern="flat", counts=rng.poisson(2.0, minutes)),
        Series(name="rare", pattern="rare", counts=(rng.random(minutes) < 0.02).astype(np.int64)),
    )
    return Trace("small", series)


@pytest.mark.parametrize("name", contenders.NAMES)
def test_no_policy_beats_foresight(name: str) -> None:
    trace, world = small(), Assumptions(placement="mix")
    bound = play(trace, contender("clairvoyant", trace, world), world)
    result = play(trace, contender(name, trace, world), world)
    assert bound.cold_starts == 0 <= result.cold_starts
    assert bound.cost_usd["total"] <= result.cost_usd["total"] + 1e-9
    assert result.invocations == bound.invocations
    assert result.cost_usd["total"] == pytest.approx(
        sum(v for k, v in result.cost_usd.items() if k != "total")
    )


@pytest.mark.parametrize("lifetime", ["6m", "15m", "random"])
def test_preheat_leaves_fewer_requests_cold_than_doing_nothing(lifetime: str) -> None:
    trace, world = small(), Assumptions(lifetime=lifetime, placement="mix")
    none = play(trace, contender("none", trace, world), world)
    own = play(trace, contender("preheat", trace, world), world)
    assert own.cold_starts * 3 < none.cold_starts


def test_environments_used_in_turn_are_not_taken_for_need() -> None:
    steady = Series(name="steady", pattern="flat", counts=np.random.default_rng(3).poisson(60.0, 600))
    trace = Trace("steady", (steady,))

    def pings(routing: str) -> int:
        world = Assumptions(routing=routing)
        return play(trace, contender("preheat", trace, world), world).pings

    last_used = pings("recent")
    for routing in ("random", "oldest"):
        assert pings(routing) < 1.3 * last_used, routing


def test_the_same_seed_gives_the_same_result_and_another_one_another() -> None:
    trace = small()
    one, two, other = (
        play(trace, contender("preheat", trace, world), world)
        for world in (Assumptions(seed=1), Assumptions(seed=1), Assumptions(seed=2))
    )
    assert (one.cold_starts, one.cost_usd) == (two.cold_starts, two.cost_usd)
    assert one.cost_usd != other.cost_usd


def test_a_longer_lifetime_is_learned_and_rounds_go_out_seldomer() -> None:
    trace = small(1440)

    def minutes_between_rounds(world: Assumptions) -> float:
        """Of the function that is called all day, in the second half of it."""
        decisions = play(trace, contender("preheat", trace, world), world, keep=True).decisions
        rounds = [at_s for name, at_s, *_ in decisions if name == "steady" and at_s > 43_200]
        return float(np.median(np.diff(rounds)) / 60)

    short, long = (minutes_between_rounds(Assumptions(lifetime=lifetime)) for lifetime in ("6m", "15m"))
    assert short < 6 and long > 7


def test_the_command_writes_what_it_promises(tmp_path: Path) -> None:
    trace = tmp_path / "day.csv.gz"
    trace.write_bytes(gzip.compress(WIDE.encode()))
    files = {name: tmp_path / name for name in ("out.json", "plans.csv", "page.html")}
    result = CliRunner().invoke(
        main,
        ["simulate", str(trace), "--policy", "preheat", "--json", str(files["out.json"]),
         "--decisions", str(files["plans.csv"]), "--html", str(files["page.html"])],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    body = json.loads(files["out.json"].read_text())
    assert body["assumptions"]["memory_mb"] == 2048 and body["assumptions"]["metric_delay_s"] == 120
    (row,) = body["results"]
    assert {
        "trace", "policy", "functions", "invocations", "cold_starts", "cold_starts_after_first_hour",
        "cold_p50_function", "cold_p75_function", "cost_usd", "wall_s", "by_pattern",
    } <= row.keys()  # fmt: skip
    assert set(row["cost_usd"]) == {"total", "execution", "init", "pings", "provisioned", "control"}
    assert (row["trace"], row["policy"], row["functions"], row["invocations"]) == ("day", "preheat", 2, 15)
    with files["plans.csv"].open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["function", "t_s", "kind", "count", "hold_ms", "reason"]
    assert {r["function"] for r in rows} <= {"f1", "f2"} and {r["kind"] for r in rows} <= {
        "ping",
        "provision",
    }
    page = files["page.html"].read_text()
    assert "<svg" in page and "http" not in page.replace("http-equiv", "") and "prefers-color-scheme" in page


def test_a_file_that_is_no_trace_ends_with_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["simulate", str(written(tmp_path, "a,b\n1,2\n")), "--policy", "none"])
    assert result.exit_code == 1
    assert "a column a minute" in result.output


def test_the_command_knows_every_policy() -> None:
    assert command.POLICIES == contenders.NAMES
