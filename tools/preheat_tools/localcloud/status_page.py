"""What `preheat local status` shows: environments, functions with their capacity, the warmer's last plan."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.table import Table

from preheat_tools.localcloud.process import LocalCloud


def parts(cloud: LocalCloud, state: dict[str, Any]) -> Iterator[str | Table]:
    """One after another, as rich prints them."""
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(state["now_s"]))
    yield f"{cloud.url}, process {cloud.pid}, virtual time {now} UTC ×{state['compression']:g}"
    rows = [
        (
            one["function"],
            one["version"],
            one["provisioned_for"] or "",
            one["state"],
            f"{one['age_s']:.0f}",
            f"{one['idle_s']:.0f}",
            str(one["invocations"]),
            f"{one['init_ms']:.0f}",
            str(one["pid"]),
            ", ".join(f"{name} {level}" for name, level in one["levels"].items()),
        )
        for one in state["environments"]
    ]
    heads = (
        "function",
        "version",
        "provisioned",
        "state",
        "age s",
        "idle s",
        "served",
        "INIT ms",
        "process",
        "models at the last ping",
    )
    yield table("Environments", heads, rows)
    yield _functions(state)
    for plan in _plans(cloud, list(state["functions"])):
        yield f"Last plan: {plan}"


def _functions(state: dict[str, Any]) -> Table:
    rows = []
    for name, one in state["functions"].items():
        counts = one["counts"]
        capacity = ", ".join(
            f"{alias}: {pc['AllocatedProvisionedConcurrentExecutions']}/"
            f"{pc['RequestedProvisionedConcurrentExecutions']} {pc['Status']}"
            for alias, pc in one["provisioned"].items()
        )
        keys = ("requests", "pings", "others", "errors", "throttles", "cold_starts", "billed_ms")
        aliases = ", ".join(f"{alias}→{version}" for alias, version in one["aliases"].items())
        rows.append((name, aliases, capacity, *(str(counts.get(key, 0)) for key in keys)))
    heads = (
        "function",
        "aliases",
        "provisioned",
        "requests",
        "pings",
        "others",
        "errors",
        "429s",
        "cold",
        "billed ms",
    )
    return table("Functions", heads, rows)


def _plans(cloud: LocalCloud, functions: list[str]) -> list[str]:
    """The newest plan that any function has logged: the warmer writes each as one line with the key `plan`."""
    logs = cloud.client("logs")
    newest: list[tuple[int, str]] = []
    for name in functions:
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern='"plan"')
        except logs.exceptions.ResourceNotFoundException:
            continue
        newest += [
            (e["timestamp"], e["message"]) for e in found["events"] if e["message"].lstrip().startswith("{")
        ]
    return [text for _, text in sorted(newest)[-1:]]


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose cells fold where they do not fit."""
    made = Table(title=title, title_justify="left")
    for head in heads:
        made.add_column(head, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made
