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

PLAYED = (
    "CodeDeploy's order of events is played by a stand-in; the hook, its pings, the versions, the alias's weights and "
    "the alarms are real. The wrong one differs in one weight, its hashes agree."
)
STARTED = (
    "First and next: over HTTP through the API. Starts: from the start of a process to an answer that was checked, by "
    "onnxruntime as usually written and by the host; both import Powertools and boto3, which the host defers."
)
RELEASED = ("requests", "met_new_version", "failed", "cold_starts", "p50_ms", "p99_ms")


def summary(story: Story) -> dict[str, Any]:
    """The form of `--json`: milliseconds are real, cost is what AWS would bill for the pings (x86, us-east-1)."""
    cold, warm, after_s = _half(story.cold), _half(story.warm), story.first_cycle_s
    return {
        "first_requests": [
            {"model": one.model, "cold_ms": round(one.cold_ms, 1), "warm_ms": round(one.warm_ms, 1)}
            for one in story.firsts
        ],
        "process_starts": {
            model: {"usual_ms": round(one.usual_ms, 1), "host_ms": round(one.host_ms, 1)}
            for model, one in story.starts.items()
        },
        "cold": as_json(cold.figures(), cold.figures(after_s)),
        "warm": _warm(story, warm),
        "burst": {name: as_json(half.figures()) for name, half in story.bursts.items()},
        "releases": {
            name: as_json(one.half.figures())
            | {"outcome": one.outcome.stopped or "took over", "met_new_version": one.met}
            for name, one in story.releases.items()
        },
        "first_cycle_s": round(after_s, 1),
        "time_compression": story.compression,
        "memory_mb": story.memory_mb,
    }


def _warm(story: Story, warm: Half) -> dict[str, Any]:
    """The half with the warmer, with what its pings cost."""
    found, after = warm.figures(), warm.figures(story.first_cycle_s)
    prices = Prices.of("x86_64")
    body = as_json(found, after, pings=True)
    for figures, row in ((found, body), (after, body["after_first_cycle"])):
        cost = ping_cost_usd(figures, story.memory_mb, prices.request, prices.on_demand_gb_s)
        row["pings_cost_usd"] = round(cost, 8)
    return body


def _left(after: dict[str, Any]) -> str:
    """Which cold starts are left while the warmer ticks."""
    if not after["cold_starts"]:
        return "After the first cycle no customer met a cold start."
    others = after["cold_starts"] - after["pings_met"]
    met_none = f", {others} a pool that was busy or gone" if others else ""
    return f"Cold starts after the first cycle: {after['pings_met']} met a round of pings{met_none}."


def table(found: dict[str, Any]) -> Table:
    """Cold against warm: a row for each stretch of traffic."""
    shown = Table(
        title="Cold against warm", caption=TOUCHED.format(found["time_compression"]), caption_justify="left"
    )
    after = found["warm"]["after_first_cycle"]
    shown.caption = f"{_left(after)} {shown.caption}"
    shown.add_column("", no_wrap=True)
    for name in ("requests", "cold starts", "p50 ms", "p99 ms", "billed ms", "pings", "their cost"):
        shown.add_column(name, justify="right", no_wrap=True)
    for title, row in rows(found).items():
        pings = [str(row["pings"]), f"${row['pings_cost_usd']:.6f}"] if "pings" in row else ["", ""]
        shown.add_row(title, *_cells(row), *pings)
    return shown


def firsts_table(found: dict[str, Any]) -> Table:
    """The first answer of each model in a new environment, beside the next one, and beside the usual way to start."""
    shown = Table(title="First answer, in a new environment", caption=STARTED, caption_justify="left")
    shown.add_column("model", no_wrap=True)
    for name in ("first ms", "next ms", "usual start ms", "host's start ms", "times sooner"):
        shown.add_column(name, justify="right")
    for first in found["first_requests"]:
        start = found["process_starts"].get(first["model"])
        beside = (
            [
                f"{start['usual_ms']:.0f}",
                f"{start['host_ms']:.0f}",
                f"{start['usual_ms'] / start['host_ms']:.1f}",
            ]
            if start
            else []
        )
        shown.add_row(first["model"], f"{first['cold_ms']:.0f}", f"{first['warm_ms']:.1f}", *beside)
    return shown


def releases_table(found: dict[str, Any]) -> Table:
    """What customers met while a wrong version and a good one were deployed."""
    shown = Table(title="Deployments, while customers ask", caption=PLAYED, caption_justify="left")
    shown.add_column("version", no_wrap=True)
    for name in ("requests", "met the new one", "failed", "cold starts", "p50 ms", "p99 ms"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("outcome")
    for name, row in found["releases"].items():
        figures = [f"{row[one]:,}" for one in RELEASED]
        shown.add_row(name, *figures, row["outcome"])
    return shown


def rows(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The table's rows by title."""
    return {
        "nothing keeps warm": found["cold"],
        "the warmer ticks": found["warm"],
        "without, after the first cycle": found["cold"]["after_first_cycle"],
        "with, after the first cycle": found["warm"]["after_first_cycle"],
        **{f"burst {name} a warm pool": burst for name, burst in found["burst"].items()},
    }


def _cells(row: dict[str, Any]) -> list[str]:
    names = ("requests", "cold_starts", "p50_ms", "p99_ms", "billed_ms")
    return [f"{row[name]:,}" for name in names]


def _half(half: Half | None) -> Half:
    if half is None:
        raise RuntimeError("the story was not told to its end")
    return half
