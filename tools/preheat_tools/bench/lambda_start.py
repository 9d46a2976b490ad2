"""The same starts inside AWS's own `awslambdaric`, so that INIT is what Lambda would bill."""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from preheat_tools.bench.catalog import MissingExtraError
from preheat_tools.bench.runtime_api import environment

VARIANTS = ("onnxruntime_naive", "preheat_plain", "preheat_fast")
_HERE = Path(__file__).parent


def measure_lambda(folder: Path, runs: int) -> list[dict[str, object]]:
    """INIT and the first invocation, ms, a fresh environment a run, variants in turn, page cache warm."""
    if importlib.util.find_spec("awslambdaric") is None:
        raise MissingExtraError(
            "starts inside awslambdaric need it: run `make bench-env`, or pass --no-lambda"
        )
    found: dict[str, list[tuple[float, float]]] = {variant: [] for variant in VARIANTS}
    for _ in range(runs):
        for variant in VARIANTS:
            task = str(folder.resolve())
            variables = {
                "BENCH_VARIANT": variant,
                "BENCH_FOLDER": task,
                "LAMBDA_TASK_ROOT": task,
                "PREHEAT_MODELS": task,
            }
            with environment("lambda_handler.handler", _HERE, variables) as started:
                init_ms = started.init_ms
                found[variant].append((init_ms, started.invoke({})[0]))
    return [
        {
            "model": folder.name,
            "variant": variant,
            "init_ms": _spread([init for init, _ in seen]),
            "first_invocation_ms": _spread([first for _, first in seen]),
        }
        for variant, seen in found.items()
    ]


def print_lambda_rows(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """INIT as Lambda would bill it, by model and variant."""
    table = Table(title="Inside awslambdaric, ms, median (min to max)")
    for column in ("model", "variant", "INIT", "first invocation", "n"):
        table.add_column(column, justify="left" if column in ("model", "variant") else "right")
    for row in rows:
        init, first = row["init_ms"], row["first_invocation_ms"]
        cells = [f"{s['median']:.1f} ({s['min']:.1f} to {s['max']:.1f})" for s in (init, first)]
        table.add_row(row["model"], row["variant"], *cells, str(init["n"]))
    console.print(table)


def _spread(values: Sequence[float]) -> dict[str, float | int]:
    return {
        "median": round(statistics.median(values), 2),
        "min": round(min(values), 2),
        "max": round(max(values), 2),
        "n": len(values),
    }
