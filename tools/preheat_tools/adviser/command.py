"""`preheat advise`: what keeping a function warm is worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

FILE = click.Path(dir_okay=False, path_type=Path)
GIVEN = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True})
@click.argument("target", required=False)
@click.option("--trace", type=GIVEN, help="A request trace in place of a function's own metrics.")
@click.option("--function", "functions", multiple=True, help="One function of the trace; repeat for several.")
@click.option("--durations", type=GIVEN, help="CSV with HashFunction and Average (ms), for a trace.")
@click.option(
    "--memory-mb", type=click.IntRange(128, 10240), help="Memory.  [default: the function's, or 2048]"
)
@click.option(
    "--architecture", type=click.Choice(["x86_64", "arm64"]), help="[default: the function's, or x86_64]"
)
@click.option(
    "--init-ms", type=click.FloatRange(min=1), help="INIT.  [default: from the function's log, or 3000]"
)
@click.option(
    "--service-ms", type=click.FloatRange(min=0.001), help="An answer.  [default: from metrics, or 200]"
)
@click.option("--cold-start-cost-usd", default=0.001, type=click.FloatRange(min=0),
              help="What sparing one customer one cold start is worth to you.")  # fmt: skip
@click.option("--lifetime", default="6m", type=click.Choice(["6m", "15m", "random"]),
              help="Of idle environments, which AWS does not say.")  # fmt: skip
@click.option("--placement", type=click.Choice(["uniform", "mix"]),
              help="Of requests in their minute.  [default: what CloudWatch's peaks fit, or uniform]")  # fmt: skip
@click.option("--restore-ms", type=click.FloatRange(min=1),
              help="Of SnapStart.  [default: from the function's log, or 500, an assumption]")  # fmt: skip
@click.option("--instance-usd-hour", default=0.1008, type=click.FloatRange(min=0.0001),
              help="Of a managed instance.")  # fmt: skip
@click.option("--instance-gb", default=8.0, type=click.FloatRange(min=0.5), help="Of a managed instance.")
@click.option("--instance-vcpus", default=2, type=click.IntRange(min=1), help="Of a managed instance.")
@click.option("--metrics", default="full", type=click.Choice(["full", "lean", "off"]),
              help="What Preheat is to tell CloudWatch, which costs.")  # fmt: skip
@click.option(
    "--sizes", type=GIVEN, help='JSON: [{"memory_mb": 1769, "init_ms": 1900, "service_ms": 120}, …].'
)
@click.option("--days", default=14.0, type=click.FloatRange(0.1, 15), help="Of metrics.")
@click.option(
    "--warmer-log-group", help="Of a warmer that pings already: its pings are taken out of the traffic."
)
@click.option("--seed", default=1, type=click.IntRange(min=0), help="Of the sample and the simulation.")
@click.option("--json", "json_file", type=FILE, help="Write the advice as JSON.")
@click.option("--html", "html_file", type=FILE, help="Write one page for who decides.")
def advise(
    target: str | None, trace: Path | None, json_file: Path | None, html_file: Path | None, **given: Any
) -> None:
    """Say what keeping TARGET (function:alias) warm is worth, by its own traffic.

    Nothing, pings, provisioned concurrency, SnapStart, managed instances and Preheat's mix, side by side: a month's
    bill, cold starts, what customers wait. Reads CloudWatch with the credentials at hand, or a trace; changes nothing.

    \b
    preheat advise recommend:live --html advice.html
    preheat advise --trace traces/azure2019_dayshapes_dev.csv.gz --function d0594 --init-ms 2000
    """
    if (target is None) == (trace is None):
        raise click.UsageError(
            "say what to look at: a TARGET as function:alias, or --trace FILE (one of the two)"
        )
    from preheat_tools.adviser.advice import advise as draw
    from preheat_tools.adviser.asked import of_account, of_trace
    from preheat_tools.adviser.tables import print_advice

    try:
        asked = of_trace(trace, given) if trace else of_account(str(target), given)
        with _bars() as progress:
            advice = draw(
                asked.case, sizes=asked.sizes, notes=asked.notes, target=asked.target, progress=progress
            )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    print_advice(advice)
    if json_file:
        json_file.write_text(json.dumps(advice.to_json(), indent=1) + "\n")
    if html_file:
        from preheat_tools.adviser.page import page

        html_file.write_text(page(advice), encoding="utf-8")
        click.echo(f"Report: {html_file.resolve().as_uri()}")


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
