"""The tables of `preheat bench cold-start`: times, and the ratios that carry over to other machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from preheat_tools.bench.cold_start import VARIANTS, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times one variant takes what another takes, on one model, and what issue 4 wants of it."""

    title: str
    over: tuple[str, bool]
    under: tuple[str, bool]
    reach: float
    dream: float | None = None
    at_least: bool = True
    times: tuple[str, str] = ("median_ms", "median_ms")
    """Which times of the two rows are compared."""

    def of(self, rows: Sequence[Row]) -> float | None:
        """Of the rows of one model and cache; None where one of the two was not measured."""
        found = {(row.variant.name, row.variant.imports): row for row in rows}
        if self.over not in found or self.under not in found:
            return None
        over, under = (
            float(getattr(found[one], time))
            for one, time in zip((self.over, self.under), self.times, strict=True)
        )
        return over / under


FAST, FAST_WITH_IMPORTS = ("preheat_fast", False), ("preheat_fast", True)
RATIOS = (
    Ratio(
        title="onnxruntime as usually written / fast",
        over=("onnxruntime_naive", True),
        under=FAST,
        reach=7,
        dream=10,
    ),
    Ratio(
        title="torch as usually written / fast", over=("torch_naive", True), under=FAST, reach=16, dream=30
    ),
    Ratio(title="fast / limit", over=FAST, under=("limit", False), reach=2.2, dream=1.5, at_least=False),
    Ratio(
        title="onnxruntime as usually written / fast, both with boto3 and Powertools",
        over=("onnxruntime_naive", True),
        under=FAST_WITH_IMPORTS,
        reach=2.3,
        dream=4,
    ),
    Ratio(
        title="a later answer, fast after a ping / onnxruntime as usually written",
        over=FAST,
        under=("onnxruntime_naive", True),
        reach=1.03,
        at_least=False,
        times=("pinged_ms", "steady_ms"),
    ),
)


def print_rows(console: Console, rows: Sequence[Row]) -> None:
    """One line a variant, model and cache."""
    table = Table(title="Process start to first verified answer, ms")
    for column in (
        "model",
        "cache",
        "variant",
        "median",
        "min",
        "max",
        "n",
        "phases",
        "steady",
        "after a ping",
    ):
        table.add_column(
            column,
            justify="right" if column in ("median", "min", "max", "n", "steady", "after a ping") else "left",
        )
    for row in rows:
        times = [run.first_answer_ms for run in row.runs]
        phases = row.to_json()["phases"]
        assert isinstance(phases, dict)
        table.add_row(
            row.model,
            row.cache,
            row.variant.name + (" + imports" if row.variant.imports else ""),
            *(f"{value:.1f}" for value in (row.median_ms, min(times), max(times))),
            str(len(times)),
            ", ".join(f"{name} {value:.0f}" for name, value in phases.items()),
            f"{row.steady_ms:.2f}",
            f"{row.pinged_ms:.2f}" if row.pinged_ms else "",
        )
    console.print(table)


def print_ratios(console: Console, rows: Sequence[Row]) -> None:
    """One line a ratio and cache, a column a model."""
    models = list(dict.fromkeys(row.model for row in rows))
    for cache in dict.fromkeys(row.cache for row in rows):
        table = Table(title=f"Ratios, {cache} page cache")
        for column in ("ratio", "reach", "dream", *models):
            table.add_column(column, justify="left" if column == "ratio" else "right")
        for ratio in RATIOS:
            found = [
                ratio.of([row for row in rows if (row.model, row.cache) == (model, cache)])
                for model in models
            ]
            sign = "≥" if ratio.at_least else "≤"
            cells = ["–" if value is None else f"{value:.2f}" for value in found]
            dream = "" if ratio.dream is None else f"{sign} {ratio.dream:g}"
            table.add_row(ratio.title, f"{sign} {ratio.reach:g}", dream, *cells)
        console.print(table)


def as_json(
    machine: str,
    rows: Sequence[Row],
    lambda_rows: Sequence[dict[str, object]],
    not_possible: Mapping[str, str],
) -> dict[str, object]:
    """The document of `--json`: a row of `rows` is a variant as the issue names it; those which import boto3 and
    Powertools beside Preheat's sessions are in `rows_with_imports`, those inside awslambdaric in `lambda_rows`.
    `not_possible` says why a kind of cache has no rows.
    """
    rank = {name: place for place, name in enumerate(VARIANTS)}
    usual = [row for row in rows if row.variant.imports == row.variant.name.endswith("_naive")]
    return {
        "machine": machine,
        "rows": [
            row.to_json() for row in sorted(usual, key=lambda r: (r.model, r.cache, rank[r.variant.name]))
        ],
        "rows_with_imports": [row.to_json() for row in rows if row not in usual],
        "lambda_rows": list(lambda_rows),
        "not_possible": dict(not_possible),
    }
