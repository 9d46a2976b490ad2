"""`preheat simulate`: policies side by side on request traces."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from preheat_tools.simulator.assumptions import LIFETIMES, PLACEMENTS, ROUTINGS, Assumptions

# the names are spelled here too, so that --help needs no numba; tests/simulator/test_command.py holds them together
POLICIES = ("none", "ping", "pings-5", "static", "target-tracking", "histogram", "clairvoyant", "preheat")


@click.command(context_settings={"show_default": True})
@click.argument(
    "traces", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--durations", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="CSV with HashFunction and Average (ms): each function's own service time.")  # fmt: skip
@click.option("--service-ms", default=200.0, type=click.FloatRange(min=0.001),
              help="Service time where no file says another.")  # fmt: skip
@click.option("--memory-mb", default=2048, type=click.IntRange(128, 10240), help="Memory of every function.")
@click.option("--init-ms", default=3000.0, type=click.FloatRange(min=0), help="INIT of a cold start.")
@click.option(
    "--lifetime", default="6m", type=click.Choice(LIFETIMES), help="Of idle environments; no policy is told."
)
@click.option("--cold-start-cost-usd", default=0.001, type=click.FloatRange(min=0),
              help="Your price of one customer's cold start.")  # fmt: skip
@click.option("--placement", default="uniform", type=click.Choice(PLACEMENTS),
              help="Where in its minute a request falls; mix: timers at second 0, bursts clustered.")  # fmt: skip
@click.option(
    "--jitter-ms", default=10.0, type=click.FloatRange(min=0.001), help="Mean jitter of a ping's arrival."
)
@click.option("--routing", default="recent", type=click.Choice(ROUTINGS),
              help="Which idle environment serves: most recently used, random, least recently used.")  # fmt: skip
@click.option("--metric-delay-s", default=120.0, type=click.FloatRange(min=0), help="How late CloudWatch is.")
@click.option(
    "--seed", default=1, type=click.IntRange(min=0), help="Of placement, jitter, lifetimes, schedule."
)
@click.option("--policy", "policies", multiple=True, type=click.Choice(POLICIES),
              help="Repeat for several.  [default: all of them]")  # fmt: skip
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the results as JSON."
)
@click.option("--decisions", type=click.Path(dir_okay=False, path_type=Path),
              help="Write what each policy decided as CSV.")  # fmt: skip
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the warmer's own log lines of preheat, for `preheat savings`.")  # fmt: skip
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one page with pictures.")
def simulate(  # noqa: PLR0917  (click gives them by name)
    traces: Sequence[Path],
    durations: Path | None,
    policies: Sequence[str],
    json_file: Path | None,
    decisions: Path | None,
    log: Path | None,
    html: Path | None,
    **world: object,
) -> None:
    """Play TRACES to policies and say what each costs and how many requests it leaves cold.

    \b
    A trace is a CSV file (.gz or not): a column a minute, or series,minute,count, or a row a request (t_s).
    Example:
      preheat simulate traces/azure2019_dayshapes_dev.csv.gz --policy none --policy preheat --lifetime 15m
    """
    from preheat_tools.simulator.contenders import contender
    from preheat_tools.simulator.run import Result, play
    from preheat_tools.simulator.traces import TraceError, read_durations, read_trace

    assumptions = Assumptions(**world)  # type: ignore[arg-type]  # click has checked them
    keep = decisions is not None or html is not None or log is not None
    results: list[Result] = []
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    try:
        lengths = read_durations(durations) if durations else None
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            for path in traces:
                trace = read_trace(path)
                for name in policies or POLICIES:
                    task = bars.add_task(f"{trace.name}: {name}", total=1.0)
                    result = play(
                        trace,
                        contender(name, trace, assumptions, lengths),
                        assumptions,
                        lengths,
                        keep=keep,
                        progress=lambda share, task=task: bars.update(task, completed=share),  # type: ignore[misc]
                    )
                    bars.update(task, completed=1.0)
                    results.append(result)
    except TraceError as error:
        raise click.ClickException(str(error)) from error
    out = Console(width=None if sys.stdout.isatty() else 130)
    for trace_name in dict.fromkeys(result.trace for result in results):
        out.print(_table(trace_name, [r for r in results if r.trace == trace_name], assumptions))
    if json_file:
        body = {"assumptions": assumptions.to_json(), "results": [result.to_json() for result in results]}
        json_file.write_text(json.dumps(body, indent=1) + "\n")
    if decisions:
        _write_decisions(decisions, results)
    if log:
        _write_log(log, results)
    if html:
        from preheat_tools.simulator.page import page

        html.write_text(page(results, assumptions), encoding="utf-8")


def _table(trace: str, results: Sequence[object], assumptions: Assumptions) -> Table:
    from preheat_tools.simulator.run import Result

    mine = [result for result in results if isinstance(result, Result)]
    none = next((result for result in mine if result.policy == "none"), None)
    title = (
        f"{trace}: {mine[0].functions} functions, {mine[0].invocations:,} requests, lifetime {assumptions.lifetime}, "
        f"placement {assumptions.placement}, a cold start at ${assumptions.cold_start_cost_usd:g}"
    )
    table = Table(
        title=title, title_justify="left", caption="cost in US dollars, without the price of cold starts"
    )
    for name in (
        "policy",
        "cold",
        "fewer",
        "after 1 h",
        "cost",
        "run",
        "init",
        "pings",
        "provisioned",
        "control",
        "s",
    ):
        table.add_column(name, justify="left" if name == "policy" else "right")
    for result in mine:
        cost = result.cost_usd
        fewer = f"{none.cold_starts / result.cold_starts:.1f}x" if none and result.cold_starts else ""
        table.add_row(
            result.policy,
            f"{result.cold_starts:,}",
            fewer,
            f"{result.cold_starts_after_first_hour:,}",
            *(
                f"{cost[kind]:.2f}"
                for kind in ("total", "execution", "init", "pings", "provisioned", "control")
            ),
            f"{result.wall_s:.1f}",
        )
    return table


def _write_log(path: Path, results: Sequence[object]) -> None:
    from preheat_tools.simulator.run import Result

    with path.open("w") as file:
        for result in results:
            if isinstance(result, Result) and result.policy == "preheat":
                file.writelines(json.dumps(outcome.to_record()) + "\n" for outcome in result.outcomes)


def _write_decisions(path: Path, results: Sequence[object]) -> None:
    """One policy's decisions; with several, each row's policy and trace come after the columns that are promised."""
    from preheat_tools.simulator.run import Result

    mine = [result for result in results if isinstance(result, Result)]
    several = len(mine) > 1
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        header = ["function", "t_s", "kind", "count", "hold_ms", "reason"]
        writer.writerow(header + (["policy", "trace"] if several else []))
        for result in mine:
            tail = [result.policy, result.trace] if several else []
            for name, at_s, kind, count, hold_ms, reason in result.decisions:
                writer.writerow([name, f"{at_s:.3f}", kind, count, f"{hold_ms:.1f}", reason, *tail])
