"""`preheat bench`: cold starts and the warm path, measured on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from preheat_tools.bench import catalog

_MODELS = click.option(
    "--models", default=",".join(m.name for m in catalog.MODELS), show_default=True, help="Which of the four."
)
_FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=catalog.CACHE,
    show_default=True,
    help="Cache of models.",
)
_JSON = click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file."
)


@click.group(name="bench")
def bench() -> None:
    """Measure cold starts and the warm path on this machine; prints ratios, which carry over to others."""


@bench.command("cold-start")
@_MODELS
@click.option(
    "--runs", default=7, show_default=True, type=click.IntRange(1, 100), help="Fresh processes a variant."
)
@click.option(
    "--cache", "caches", default="warm,cold", show_default=True, help="Page cache: warm, cold or both."
)
@click.option(
    "--disk-mb-s",
    type=click.FloatRange(1),
    help="Cold starts also with reads bounded to this; takes root and control groups.",
)
@click.option(
    "--no-torch", is_flag=True, help="Leave torch_naive out; the models must be in the cache folder."
)
@click.option("--no-lambda", is_flag=True, help="Leave out the starts inside awslambdaric.")
@_FOLDER
@_JSON
def cold_start(
    *,
    models: str,
    runs: int,
    caches: str,
    disk_mb_s: float | None,
    no_torch: bool,
    no_lambda: bool,
    folder: Path,
    json_path: Path | None,
) -> None:
    """Process start to first verified answer, as usually written, by Preheat, and at the limit.

    \b
    make bench-env                                    # once: torch and the models' packages
    preheat bench cold-start                          # all four models, 7 runs each
    preheat bench cold-start --models rec --runs 3    # a short one
    preheat bench cold-start --cache cold --disk-mb-s 100
    """
    from preheat_tools.bench.cold_start import Cache, Row, Variant, in_memory_still, measure
    from preheat_tools.bench.disk import NotPossibleError
    from preheat_tools.bench.report import as_json, print_ratios, print_rows
    from preheat_tools.pack.measure import machine

    try:
        chosen = catalog.named(models)
        kinds = [Cache(kind == "cold") for kind in _caches(caches)]
        kinds += [Cache(cold=True, read_mb_s=disk_mb_s)] if disk_mb_s else []
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    progress = Console(stderr=True)
    console = Console() if progress.is_terminal else Console(width=150)
    usual = [] if no_torch else [Variant(name="torch_naive", imports=True)]
    variants = [
        *usual,
        Variant(name="onnxruntime_naive", imports=True),
        Variant(name="preheat_plain", imports=False),
        Variant(name="preheat_fast", imports=False),
        Variant(name="preheat_fast", imports=True),
        Variant(name="limit", imports=False),
    ]
    rows: list[Row] = []
    lambda_rows: list[dict[str, object]] = []
    not_possible: dict[str, str] = {}
    try:
        for model in chosen:
            made = catalog.made(model, folder)
            for cache in (kind for kind in kinds if kind.title not in not_possible):
                if cache.cold and (held := in_memory_still()):
                    progress.print(f"Not cold, since other processes have them open: {', '.join(held)}")
                try:
                    rows += measure(made, variants, cache, runs, progress.print)
                except NotPossibleError as reason:
                    not_possible[cache.title] = str(reason)
            if not no_lambda:
                from preheat_tools.bench.lambda_start import measure_lambda

                lambda_rows += measure_lambda(made, runs)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from None
    print_rows(console, rows)
    print_ratios(console, rows)
    for title, why in not_possible.items():
        console.print(f"Not measured, {title} cache: {why}")
    if lambda_rows:
        from preheat_tools.bench.lambda_start import print_lambda_rows

        print_lambda_rows(console, lambda_rows)
    if json_path:
        json_path.write_text(json.dumps(as_json(machine(), rows, lambda_rows, not_possible), indent=2) + "\n")


def _caches(text: str) -> list[str]:
    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    if not kinds or set(kinds) - {"warm", "cold"}:
        raise ValueError(f"--cache must be warm, cold, or warm,cold; was: {text!r}")
    return kinds


@bench.command("techniques")
@_MODELS
@click.option(
    "--runs", default=5, show_default=True, type=click.IntRange(1, 100), help="Fresh processes a start."
)
@click.option(
    "--cache", "caches", default="warm", show_default=True, help="Page cache: warm, cold or warm,cold."
)
@_FOLDER
@_JSON
def techniques(*, models: str, runs: int, caches: str, folder: Path, json_path: Path | None) -> None:
    """What each technique of a cold start gives: starts with all of them, and with all but one.

    \b
    make bench-env                # once
    preheat bench techniques
    preheat bench techniques --models rec --runs 3 --cache cold
    """
    from preheat_tools.bench.cold_start import Cache, Row
    from preheat_tools.bench.techniques import measure_techniques, print_techniques
    from preheat_tools.pack.measure import machine

    try:
        chosen = catalog.named(models)
        kinds = [Cache(kind == "cold") for kind in _caches(caches)]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    progress = Console(stderr=True)
    rows: list[Row] = []
    try:
        for model in chosen:
            made = catalog.made(model, folder)
            for cache in kinds:
                rows += measure_techniques(made, cache, runs, progress.print)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from None
    print_techniques(Console() if progress.is_terminal else Console(width=150), rows)
    if json_path:
        found = [
            row.to_json() | {"imports": row.variant.imports, "environment": dict(row.variant.environment)}
            for row in rows
        ]
        json_path.write_text(json.dumps({"machine": machine(), "rows": found}, indent=2) + "\n")


@bench.command("pings")
@click.option("--sizes", default="10,50,200,1000", show_default=True, help="Pings of a round.")
@click.option(
    "--runs", default=5, show_default=True, type=click.IntRange(1, 100), help="Rounds of each size."
)
@_JSON
def pings(*, sizes: str, runs: int, json_path: Path | None) -> None:
    """Rounds of pings over local HTTP: the warmer's sender beside boto3 in threads and in processes.

    \b
    preheat bench pings
    preheat bench pings --sizes 20 --runs 1    # a short one
    """
    from rich.table import Table

    from preheat_tools.bench.pings import as_json, measure

    try:
        counts = [int(size) for size in sizes.split(",")]
    except ValueError:
        raise click.UsageError(f"--sizes must be whole numbers, as in 10,50; was: {sizes!r}") from None
    table = Table("sender", "pings", "first to last arrival, ms", "held, ms", "distinct", "whole round, ms")
    figures = []
    for one in measure(counts, runs):
        figures.append(one)
        table.add_row(
            one.sender,
            str(one.pings),
            f"{one.arrival_ms:.1f}",
            f"{one.held_ms:.0f}",
            f"{one.distinct:.1%}",
            f"{one.whole_ms:.0f}",
        )
    Console(width=110).print(table)
    if json_path:
        json_path.write_text(json.dumps(as_json(figures), indent=2) + "\n")


@bench.command("simulator")
@click.option(
    "--minutes", default=60, show_default=True, type=click.IntRange(10, 300), help="Of traffic, each half."
)
@click.option(
    "--compress",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1, 120),
    help="Minutes in a real one.",
)
@_JSON
def simulator(*, minutes: int, compress: float, json_path: Path | None) -> None:
    """The simulator's cold starts beside those of real workers on the local cloud, for the same traffic.

    \b
    preheat bench simulator
    preheat bench simulator --minutes 30 --json agreement.json
    """
    from dataclasses import asdict

    from rich.table import Table

    from preheat_tools.bench.agreement import measure

    if not (Path.cwd() / "template.yaml").exists():
        raise click.UsageError(f"run it in the repository: there is no template.yaml in {Path.cwd()}")
    try:
        found = measure(Path.cwd(), minutes, compress, Console(stderr=True).print)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from None
    table = Table(
        "warmer", "requests", "pings", "cold: workers", "simulated", "made by pings: workers", "simulated"
    )
    for one in found:
        table.add_row(
            "yes" if one.warmer else "no",
            str(one.requests),
            str(one.pings),
            str(one.cold_starts),
            str(one.simulated_cold_starts),
            str(one.made_by_pings),
            str(one.simulated_made_by_pings),
        )
    Console(width=110).print(table)
    if json_path:
        json_path.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n")


@bench.command("policy")
@click.option("--sizes", default="1,100,1000", show_default=True, help="Targets looked at together.")
@click.option(
    "--runs", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Cycles of each size."
)
@_JSON
def policy(*, sizes: str, runs: int, json_path: Path | None) -> None:
    """What a decision of the policy takes, alone and among others.

    \b
    preheat bench policy
    preheat bench policy --sizes 10,10000 --runs 5
    """
    from dataclasses import asdict

    from rich.table import Table

    from preheat_tools.bench.policy import STEPS, measure

    try:
        counts = [int(size) for size in sizes.split(",")]
        if min(counts) < 1:
            raise ValueError(sizes)
    except ValueError:
        raise click.UsageError(f"--sizes must be whole numbers from 1, as in 1,100; was: {sizes!r}") from None
    table = Table("targets", *(f"{step}, µs" for step in STEPS), "a decision, µs")
    costs = list(measure(counts, runs))
    for one in costs:
        table.add_row(str(one.targets), *(f"{us:.1f}" for us in one.steps_us), f"{one.decision_us:.1f}")
    Console(width=110).print(table)
    if json_path:
        json_path.write_text(json.dumps([asdict(one) for one in costs], indent=2) + "\n")


@bench.command("warm-path")
@click.option(
    "--packs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("functions/recommend/models"),
    show_default=True,
    help="Folder of packs.",
)
@click.option(
    "--calls", default=2000, show_default=True, type=click.IntRange(10), help="Calls a model, in turn."
)
@_JSON
def warm_path(*, packs: Path, calls: int, json_path: Path | None) -> None:
    """What the runtime adds to a warm request and to a ping, beyond the model's own time.

    \b
    preheat bench warm-path
    preheat bench warm-path --packs functions/recommend/models --calls 500
    """
    from dataclasses import asdict

    from preheat_tools.bench.warm_path import measure_warm_path, print_warm_path
    from preheat_tools.pack.measure import machine

    rows = list(measure_warm_path(packs, calls))
    progress = Console(stderr=True)
    print_warm_path(Console() if progress.is_terminal else Console(width=150), rows)
    if json_path:
        json_path.write_text(
            json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}, indent=2) + "\n"
        )
