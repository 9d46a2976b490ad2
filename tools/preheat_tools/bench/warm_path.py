"""What the runtime adds to a warm request and to a ping, beyond the model's own time."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from preheat import ModelHost, answers_pings
from preheat.engines import open_session
from preheat.frozen import replace
from preheat.golden import read_golden
from preheat.pack import pack_folders, read_pack
from preheat.ping import Level, Ping
from preheat.surroundings import Process
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmPath:
    """Medians in µs over calls in turn: the session asked directly, a handler that asks the host, and a ping."""

    model: str
    calls: int
    session_us: float
    request_us: float
    added_us: float
    """Median of each pair's difference."""
    ping_us: float
    """Of a ping that names the model, which is hot already; none is held."""


class _Quiet(Process):
    """This process, with every model in memory and no log."""

    def __init__(self) -> None:
        super().__init__()
        self.settings = replace(self.settings, memory_mb=float("inf"), initialization="on-demand", init_s=1e9)

    def say(self, line: str) -> None:
        """Nothing."""


class _Context:
    """As much of Lambda's context as a ping reads."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class _Handler:
    """A handler that asks one model."""

    def __init__(self, host: ModelHost, name: str, inputs: Any) -> None:
        self._host, self._name, self._inputs = host, name, inputs

    def __call__(self, _event: Any, _context: Any) -> Any:
        return self._host[self._name].run(self._inputs)


def measure_warm_path(root: Path, calls: int) -> Iterator[WarmPath]:
    """Each pack below a folder, hot, by one host that has only it."""
    for folder in pack_folders(root):
        pack = read_pack(folder)
        host = ModelHost([pack], _Quiet())
        host.initialise()
        host.warm({}, float("inf"))
        inputs = read_golden(pack)[0].inputs
        direct = open_session(pack, packed=host[pack.name].packed)

        answering = answers_pings(host)(_Handler(host, pack.name, inputs))
        ping = Ping(models={pack.name: Level.HOT}).to_event()
        yield _measure(
            pack.name,
            calls,
            partial(direct.run, inputs),
            partial(answering, {"body": "{}"}, _Context()),
            partial(answering, ping, _Context()),
        )
        direct.close()


def _measure(
    model: str, calls: int, session: Callable[[], Any], request: Callable[[], Any], ping: Callable[[], Any]
) -> WarmPath:
    for warm_up in (session, request, ping) * 20:
        warm_up()
    triples = [(_us(session), _us(request), _us(ping)) for _ in range(calls)]
    return WarmPath(
        model=model,
        calls=calls,
        session_us=round(statistics.median(t[0] for t in triples), 1),
        request_us=round(statistics.median(t[1] for t in triples), 1),
        added_us=round(statistics.median(t[1] - t[0] for t in triples), 1),
        ping_us=round(statistics.median(t[2] for t in triples), 1),
    )


def print_warm_path(console: Console, rows: list[WarmPath]) -> None:
    """One line a model, with what issue 4 wants."""
    table = Table(title="Warm path, µs, medians; to reach: request +100 (dream +30), ping 1000 (dream 300)")
    for column in ("model", "session alone", "request", "added", "ping", "calls"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for row in rows:
        cells = (row.session_us, row.request_us, row.added_us, row.ping_us)
        table.add_row(row.model, *(f"{value:.1f}" for value in cells), str(row.calls))
    console.print(table)


def _us(work: Callable[[], Any]) -> float:
    begun = perf_counter()
    work()
    return (perf_counter() - begun) * 1e6
