"""`preheat advise` and `preheat savings`: what warmth is worth, before and after."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from preheat_tools.adviser.advice import Size

FILE = click.Path(dir_okay=False, path_type=Path)
GIVEN = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True})
@click.argument("target", required=False)
@click.option("--trace", type=GIVEN, help="A request trace in place of a function's own metrics.")
@click.option("--function", "functions", multiple=True, help="One function of the trace; repeat for several.")
@click.option(
    "--durations", type=GIVEN, help="CSV with HashFunction and Average (ms), as for `preheat simulate`."
)
@click.option(
    "--memory-mb", type=click.IntRange(128, 10240), help="Memory.  [default: the function's, or 2048]"
)
@click.option(
    "--init-ms", type=click.FloatRange(min=1), help="INIT.  [default: from the function's log, or 3000]"
)
@click.option(
    "--service-ms", type=click.FloatRange(min=0.001), help="An answer.  [default: from metrics, or 200]"
)
@click.option("--cold-start-cost-usd", default=0.001, type=click.FloatRange(min=0),
              help="What sparing one customer one cold start is worth to you.")  # fmt: skip
@click.option(
    "--lifetime", default="6m", type=click.Choice(["6m", "15m", "random"]), help="Of idle environments."
)
@click.option(
    "--placement",
    default="uniform",
    type=click.Choice(["uniform", "mix"]),
    help="In their minute.",
)
@click.option(
    "--restore-ms",
    default=500.0,
    type=click.FloatRange(min=1),
    help="Of SnapStart: an assumption.",
)
@click.option(
    "--instance-usd-hour",
    default=0.1008,
    type=click.FloatRange(min=0.0001),
    help="Of a managed instance.",
)
@click.option("--instance-gb", default=8.0, type=click.FloatRange(min=0.5), help="Of a managed instance.")
@click.option(
    "--sizes",
    type=GIVEN,
    help='JSON: [{"memory_mb": 1769, "init_ms": 1900, "service_ms": 120}, …].',
)
@click.option(
    "--days",
    default=14.0,
    type=click.FloatRange(0.1, 15),
    help="Of metrics.",
)
@click.option("--seed", default=1, type=click.IntRange(min=0))
@click.option("--json", "json_file", type=FILE, help="Write the advice as JSON.")
@click.option("--html", "html_file", type=FILE, help="Write one page for who decides.")
def advise(  # noqa: PLR0917  (click gives them by name)
    target: str | None,
    trace: Path | None,
    functions: Sequence[str],
    durations: Path | None,
    sizes: Path | None,
    json_file: Path | None,
    html_file: Path | None,
    **given: Any,
) -> None:
    """Say what keeping TARGET (function:alias) warm is worth, by its own traffic.

    Nothing, pings, provisioned concurrency, SnapStart, managed instances and Preheat's mix, side by side: a month's
    bill, cold starts, what customers wait. Reads CloudWatch with the credentials at hand, or a trace; changes nothing.

    \b
    preheat advise recommend:live --html advice.html
    preheat advise --trace traces/azure2019_dayshapes_dev.csv.gz --function d0594 --init-ms 2000
    """
    from preheat_tools.adviser.advice import advise as draw
    from preheat_tools.adviser.strategies import Elsewhere
    from preheat_tools.adviser.tables import print_advice
    from preheat_tools.simulator.traces import TraceError, read_durations

    if (target is None) == (trace is None):
        raise click.UsageError(
            "say what to look at: a TARGET as function:alias, or --trace FILE (one of the two)"
        )
    try:
        traffic, world, notes = (
            _from_trace(trace, functions, given) if trace else _from_account(str(target), given)
        )
        elsewhere = Elsewhere(
            restore_ms=given["restore_ms"],
            instance_usd_hour=given["instance_usd_hour"],
            instance_gb=given["instance_gb"],
        )
        lengths = read_durations(durations) if durations else None
        measured = _sizes(sizes) if sizes else ()
        with _bars() as progress:
            advice = draw(
                traffic, world, lengths, elsewhere=elsewhere, sizes=measured, notes=notes, progress=progress
            )
    except (TraceError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    print_advice(advice)
    if json_file:
        json_file.write_text(json.dumps(advice.to_json(), indent=1, default=str) + "\n")
    if html_file:
        from preheat_tools.adviser.page import page

        html_file.write_text(page(advice), encoding="utf-8")
        click.echo(f"Report: {html_file.resolve().as_uri()}")


@click.command(context_settings={"show_default": True})
@click.argument("log", required=False, type=click.File("r"))
@click.option("--log-group", help="The warmer's log group in CloudWatch, as in /aws/lambda/preheat-warmer.")
@click.option("--days", default=30.0, type=click.FloatRange(min=0.01), help="How far back in the log group.")
@click.option("--json", "json_file", type=FILE, help="Write the figures as JSON.")
def savings(log: Any, log_group: str | None, days: float, json_file: Path | None) -> None:
    """Say what the warmer saved, from its own log lines: LOG is a file, or - for standard input.

    Each plan said what it expected until the next look, with itself and without; those are summed. Not a measurement.

    \b
    preheat savings --log-group /aws/lambda/preheat-warmer --days 30
    aws logs tail /aws/lambda/preheat-warmer --since 7d --format short | preheat savings -
    """
    from preheat_tools.adviser.savings import saved
    from preheat_tools.adviser.tables import print_savings

    if (log is None) == (log_group is None):
        raise click.UsageError(
            "say what to read: a LOG (- is standard input), or --log-group NAME (one of the two)"
        )
    found = saved(log if log is not None else _events(str(log_group), days))
    if not found.lines:
        raise click.ClickException(
            f'no plan of the warmer among {found.passed_over} lines: its log lines are JSON with "event": "plan"'
        )
    print_savings(found)
    if json_file:
        json_file.write_text(json.dumps(found.to_json(), indent=1) + "\n")


def _from_trace(path: Path, functions: Sequence[str], given: dict[str, Any]) -> tuple[Any, Any, list[str]]:
    from preheat_tools.adviser.traffic import sampled
    from preheat_tools.simulator.traces import read_trace

    trace, note = sampled(read_trace(path), functions, given["seed"])
    return trace, _world(given, 2048, 3000.0, 200.0), [note] if note else []


def _from_account(text: str, given: dict[str, Any]) -> tuple[Any, Any, list[str]]:
    import boto3

    from preheat_tools.adviser.traffic import observed
    from warmer.adapters.cloudwatch import CloudWatchDemand
    from warmer.adapters.targets import parse_targets
    from warmer.policy.values import Prices

    target, *others = parse_targets("TARGET", text)
    if others:
        raise ValueError(f"TARGET must be one function:alias, was: {text!r}")
    seen = observed(
        target,
        boto3.client("lambda"),
        CloudWatchDemand(boto3.client("cloudwatch")),
        boto3.client("logs"),
        time.time(),
        given["days"],
    )
    init_ms = given["init_ms"] or seen.init_ms
    if init_ms is None:
        raise ValueError(
            f"the log of {target} shows no INIT in {given['days']:g} days (or may not be read): say it with --init-ms"
        )
    notes = [
        f"INIT {init_ms:,.0f} ms and answers of {seen.service_ms:,.0f} ms on average, by its own log and metrics."
    ]
    return (
        seen.trace,
        _world(given, seen.memory_mb, init_ms, seen.service_ms, Prices.of(seen.architecture)),
        notes,
    )


def _world(
    given: dict[str, Any], memory_mb: int, init_ms: float, service_ms: float, prices: Any = None
) -> Any:
    from preheat_tools.simulator.assumptions import Assumptions

    return Assumptions(
        memory_mb=given["memory_mb"] or memory_mb,
        init_ms=given["init_ms"] or init_ms,
        service_ms=given["service_ms"] or service_ms,
        lifetime=given["lifetime"],
        placement=given["placement"],
        cold_start_cost_usd=given["cold_start_cost_usd"],
        seed=given["seed"],
        **({"prices": prices} if prices else {}),
    )


def _sizes(path: Path) -> list[Size]:
    from preheat_tools.adviser.advice import Size

    try:
        rows = json.loads(path.read_text())
        return [
            Size(
                memory_mb=int(row["memory_mb"]),
                init_ms=float(row["init_ms"]),
                service_ms=float(row["service_ms"]),
            )
            for row in rows
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} must be a JSON list of {{"memory_mb": …, "init_ms": …, "service_ms": …}}: '
            f"{type(error).__name__} {error}"
        ) from error


def _events(group: str, days: float) -> Iterator[str]:
    import boto3
    from botocore.exceptions import ClientError

    pages = (
        boto3.client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=group,
            filterPattern='{ $.event = "plan" }',
            startTime=int((time.time() - days * 86_400) * 1000),
        )
    )
    try:
        for one in pages:
            yield from (event["message"] for event in one["events"])
    except ClientError as error:
        raise click.ClickException(f"the log group {group} could not be read: {error}") from error


@contextmanager
def _bars() -> Iterator[Callable[[str, float], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def progress(name: str, share: float) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=1.0)
            bars.update(tasks[name], completed=share)

        yield progress
