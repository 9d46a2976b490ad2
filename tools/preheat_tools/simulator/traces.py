"""Readers of request traces: wide (a column a minute), long (series, minute, count), bins, and one row a request."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (0.0, 0.01, 0.25, 0.50, 0.75, 0.99, 1.0)
_NOT_SERIES = {"minute", "count", "t_s", "iat_cv"}


class TraceError(ValueError):
    """A file that is no trace; the text says what it has and what is read."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One function's requests: a count a bin of `bin_s`, or their instants."""

    name: str
    pattern: str
    """The file's own `pattern` or `Trigger`; empty where it names none."""
    counts: NDArray[np.int64]
    bin_s: float = 60.0
    instants_s: NDArray[np.float64] | None = None
    """Where the trace has one row a request: seconds from the trace's start, sorted."""
    service_s: NDArray[np.float64] | None = None
    """Of each request, where the trace says it."""
    key: str = ""
    """What a file of durations calls it."""

    @property
    def requests(self) -> int:
        return int(self.counts.sum())

    @property
    def span_s(self) -> float:
        return len(self.counts) * self.bin_s


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    name: str
    series: tuple[Series, ...]

    @property
    def span_s(self) -> float:
        return max(series.span_s for series in self.series)


@dataclass(frozen=True, slots=True)
class Duration:
    """What a file of durations says of one function, in s."""

    mean_s: float


def read_trace(path: Path) -> Trace:
    """The trace in a CSV file (gzipped or not), its shape told from its header; raises TraceError."""
    try:
        return _read(path)
    except TraceError:
        raise
    except (ValueError, OverflowError, IndexError, OSError, EOFError) as error:
        raise TraceError(f"{path} has a value or a row that is none of a trace: {error}") from error


def _read(path: Path) -> Trace:
    rows = _rows(path)
    header = next(rows, None)
    if not header:
        raise TraceError(f"{path} is empty; a trace is a CSV file with a header line")
    if len([name for name in header if name.isdigit()]) >= 2:
        series = _wide(header, rows)
    elif {"minute", "count"} <= set(header):
        series = _long(header, rows, "minute", 1.0, 60.0)
    elif {"t_s", "count"} <= set(header):
        series = _long(header, rows, "t_s", 600.0, 600.0)
    elif "t_s" in header or {"end_timestamp", "duration"} <= set(header):
        series = _per_request(header, rows)
    else:
        raise TraceError(
            f"{path} has columns {', '.join(header[:8])}: a trace has a column a minute (1, 2, 3 …), or `minute` and "
            "`count`, or `t_s` and `count`, or a row a request with `t_s` (and `function`, `duration_ms`)"
        )
    if not series:
        raise TraceError(f"{path} has a header and no rows")
    if any((one.counts < 0).any() for one in series):
        raise TraceError(f"{path} has a count below 0")
    name = path.name
    for suffix in (".gz", ".csv"):
        name = name.removesuffix(suffix)
    return Trace(name, tuple(series))


def read_durations(path: Path) -> Mapping[str, Duration]:
    """Mean duration by function of a file with `HashFunction` (or `function`) and `Average` in ms."""
    rows = _rows(path)
    header = next(rows, [])
    key = next((name for name in ("HashFunction", "function", "fn") if name in header), None)
    if key is None or "Average" not in header:
        raise TraceError(
            f"{path} must have the columns HashFunction and Average (ms), has: {', '.join(header[:8])}"
        )
    at, mean = header.index(key), header.index("Average")
    return {row[at]: Duration(max(0.001, float(row[mean]) / 1000)) for row in rows if row}


def _rows(path: Path) -> Iterator[list[str]]:
    if not path.is_file():
        raise TraceError(f"{path} is no file")
    with _open(path) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as text:
        yield from csv.reader(text)


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _wide(header: Sequence[str], rows: Iterator[list[str]]) -> list[Series]:
    first = next(i for i, name in enumerate(header) if name.isdigit())
    names = header[:first]
    name_at = _first(names, ("fn", "HashFunction", "function", "series"))
    kind_at = _first(names, ("pattern", "Trigger", "trigger"))
    series = []
    for i, row in enumerate(row for row in rows if row):
        counts = np.array([round(float(value or 0)) for value in row[first:]], np.int64)
        key = row[name_at] if name_at is not None else f"row{i}"
        series.append(
            Series(name=key, pattern=row[kind_at] if kind_at is not None else "", counts=counts, key=key)
        )
    return series


def _long(
    header: Sequence[str], rows: Iterator[list[str]], time: str, unit: float, bin_s: float
) -> list[Series]:
    name_at = [i for i, name in enumerate(header) if name not in _NOT_SERIES]
    time_at, count_at = header.index(time), header.index("count")
    bins: dict[str, list[tuple[int, int]]] = {}
    last = 0
    for row in rows:
        if row:
            at = int(float(row[time_at]) / unit)
            last = max(last, at)
            bins.setdefault("/".join(row[i] for i in name_at) or "all", []).append(
                (at, round(float(row[count_at])))
            )
    series = []
    for name, pairs in bins.items():
        counts = np.zeros(last + 1, np.int64)
        for at, count in pairs:
            counts[at] += count
        series.append(Series(name=name, pattern="", counts=counts, bin_s=bin_s, key=name))
    return series


def _per_request(header: Sequence[str], rows: Iterator[list[str]]) -> list[Series]:
    """`t_s` is a request's start; Azure 2021's `end_timestamp` less its `duration` (both s) is one as well."""
    columns = {name: i for i, name in enumerate(header)}
    name_at = next((columns[n] for n in ("function", "func", "series", "fn") if n in columns), None)
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if not row:
            continue
        if "t_s" in columns:
            start = float(row[columns["t_s"]])
            ms = next((float(row[columns[n]]) for n in ("duration_ms", "service_ms") if n in columns), 0.0)
            length = ms / 1000
        else:
            length = float(row[columns["duration"]])
            start = float(row[columns["end_timestamp"]]) - length
        found.setdefault(row[name_at] if name_at is not None else "all", []).append((start, length))
    if not found:
        return []
    origin = min(start for pairs in found.values() for start, _ in pairs)
    origin = np.floor(origin / 60.0) * 60.0
    series = []
    for name, pairs in found.items():
        table = np.array(sorted(pairs))
        instants = table[:, 0] - origin
        counts = np.bincount((instants // 60).astype(np.int64))
        lengths = table[:, 1] if table[:, 1].any() else None
        series.append(
            Series(name=name, pattern="", counts=counts, instants_s=instants, service_s=lengths, key=name)
        )
    return series


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)
