"""The demo's result: the JSON form and the table a person reads."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from preheat_tools.demo.figures import Half, as_json, ping_cost_usd
from preheat_tools.demo.story import Story
from warmer.policy.values import Prices

TOUCHED = (
    "INIT and answers take real time while the trace runs {:g} times as fast: peak concurrency, and so the cold "
    "starts of a batch, are higher than at the trace's own pace. Idle lifetime: 6 min of the trace."
)


def summary(story: Story) -> dict[str, Any]:
    """The form of `--json`: milliseconds are real, cost is what AWS would bill for the pings (x86, us-east-1)."""
    cold, warm, after_s = _half(story.cold), _half(story.warm), story.first_cycle_s
    found = warm.figures()
    prices = Prices.of("x86_64")
    cost = ping_cost_usd(found, story.memory_mb, prices.request, prices.on_demand_gb_s)
    return {
        "first_requests": [
            {"model": one.model, "cold_ms": round(one.cold_ms, 1), "warm_ms": round(one.warm_ms, 1)}
            for one in story.firsts
        ],
        "cold": as_json(cold.figures(), cold.figures(after_s)),
        "warm": as_json(found, warm.figures(after_s), pings=True) | {"pings_cost_usd": round(cost, 8)},
        "burst": {name: as_json(half.figures()) for name, half in story.bursts.items()},
        "first_cycle_s": round(after_s, 1),
        "time_compression": story.compression,
        "memory_mb": story.memory_mb,
    }


def table(found: dict[str, Any]) -> Table:
    """Cold against warm, what each row is named for its scene."""
    shown = Table(title="Measured", caption=TOUCHED.format(found["time_compression"]), caption_justify="left")
    for name in ("", "requests", "cold starts", "p50 ms", "p99 ms", "billed ms", "pings", "pings' cost"):
        shown.add_column(name, justify="left" if not name else "right")
    cold, warm = found["cold"], found["warm"]
    shown.add_row("nothing keeps warm", *_cells(cold), "", "")
    shown.add_row("the warmer ticks", *_cells(warm), str(warm["pings"]), f"${warm['pings_cost_usd']:.6f}")
    shown.add_row("  without, after the first cycle", *_cells(cold["after_first_cycle"]), "", "")
    shown.add_row("  with, after the first cycle", *_cells(warm["after_first_cycle"]), "", "")
    for name, burst in found["burst"].items():
        shown.add_row(f"burst {name} a warm pool", *_cells(burst), "", "")
    for first in found["first_requests"]:
        shown.add_row(
            f"first answer of {first['model']}", "1", "1", f"{first['cold_ms']:.0f}", "", "", "", ""
        )
        shown.add_row("  the next", "1", "0", f"{first['warm_ms']:.1f}", "", "", "", "")
    return shown


def _cells(row: dict[str, Any]) -> list[str]:
    names = ("requests", "cold_starts", "p50_ms", "p99_ms", "billed_ms")
    return [f"{row[name]:,}" for name in names]


def _half(half: Half | None) -> Half:
    if half is None:
        raise RuntimeError("the story was not told to its end")
    return half
