"""What the command line asks about, made ready to be played: a trace, or a function of an account."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from preheat_tools.adviser.account import observed
from preheat_tools.adviser.advice import Size
from preheat_tools.adviser.calibration import nearest
from preheat_tools.adviser.comparison import Case
from preheat_tools.adviser.elsewhere import ELSEWHERE, Elsewhere
from preheat_tools.adviser.savings import rounds_of
from preheat_tools.adviser.traffic import chosen
from preheat_tools.simulator.assumptions import Assumptions
from preheat_tools.simulator.traces import read_durations, read_trace
from warmer.adapters.cloudwatch import CloudWatchDemand
from warmer.adapters.targets import parse_targets
from warmer.policy.values import Prices, Target

Given = Mapping[str, Any]
"""Options of `preheat advise` by name, as click has checked them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be looked at."""

    case: Case
    sizes: Sequence[Size]
    notes: Sequence[str]
    target: Target | None = None


def of_trace(path: Path, given: Given) -> Asked:
    """Raises ValueError."""
    trace, notes = chosen(read_trace(path), given["functions"], given["seed"])
    world = _world(given, memory_mb=2048, init_ms=3000.0, service_ms=200.0, architecture="x86_64")
    case = Case(
        trace=trace,
        world=world,
        durations=read_durations(given["durations"]) if given["durations"] else {},
        elsewhere=_elsewhere(given, None),
        metrics=given["metrics"],
    )
    return Asked(case, read_sizes(given["sizes"]), notes)


def of_account(text: str, given: Given) -> Asked:
    """Raises ValueError."""
    target, *others = parse_targets("TARGET", text)
    if others:
        raise ValueError(f"TARGET must be one function:alias, was: {text!r}")
    now_s, days, group = time.time(), given["days"], given["warmer_log_group"]
    try:
        functions, metrics = boto3.client("lambda"), boto3.client("cloudwatch")
        logs: Any = boto3.client("logs")
    except BotoCoreError as error:
        raise ValueError(f"AWS cannot be asked: {error}; set AWS_DEFAULT_REGION and credentials") from error
    rounds = rounds_of(logs, group, target, now_s - days * 86_400) if group else ()
    seen = observed(target, functions, CloudWatchDemand(metrics), logs, now_s, days, rounds)
    if (init_ms := given["init_ms"] or seen.init_ms) is None:
        why = next((note for note in seen.notes if note.startswith("INIT")), "The log shows no INIT.")
        raise ValueError(f"how long does an INIT of {target} take? {why} Say it with --init-ms")
    world = _world(
        given, memory_mb=seen.memory_mb, init_ms=init_ms, service_ms=seen.service_ms,
        architecture=seen.architecture,
    )  # fmt: skip
    notes = [f"INIT {init_ms:,.0f} ms and answers of {world.service_ms:,.0f} ms on average.", *seen.notes]
    if given["placement"] is None:
        placement, note = nearest(seen.trace, seen.peaks, world)
        world = replace(world, placement=placement)
        notes += [note] if note else []
    case = Case(
        trace=seen.trace,
        world=world,
        elsewhere=_elsewhere(given, seen.restore_ms),
        setup=seen.setup,
        metrics=given["metrics"],
    )
    return Asked(case, read_sizes(given["sizes"]) or seen.sizes, notes, target)


def _world(
    given: Given, *, memory_mb: int, init_ms: float, service_ms: float, architecture: str
) -> Assumptions:
    return Assumptions(
        memory_mb=given["memory_mb"] or memory_mb,
        init_ms=given["init_ms"] or init_ms,
        service_ms=given["service_ms"] or service_ms,
        lifetime=given["lifetime"],
        placement=given["placement"] or "uniform",
        cold_start_cost_usd=given["cold_start_cost_usd"],
        seed=given["seed"],
        prices=Prices.of(given["architecture"] or architecture),
    )


def _elsewhere(given: Given, restore_ms: float | None) -> Elsewhere:
    return Elsewhere(
        restore_ms=given["restore_ms"] or restore_ms or ELSEWHERE.restore_ms,
        instance_usd_hour=given["instance_usd_hour"],
        instance_gb=given["instance_gb"],
        instance_vcpus=given["instance_vcpus"],
    )


def read_sizes(path: Path | None) -> Sequence[Size]:
    """Measured memory sizes; raises ValueError."""
    if path is None:
        return ()
    try:
        sizes = [
            Size(
                memory_mb=int(row["memory_mb"]),
                init_ms=float(row["init_ms"]),
                service_ms=float(row["service_ms"]),
            )
            for row in json.loads(path.read_text())
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} must be a JSON list of {{"memory_mb": …, "init_ms": …, "service_ms": …}}: '
            f"{type(error).__name__} {error}"
        ) from error
    for size in sizes:
        if not (128 <= size.memory_mb <= 10_240 and size.init_ms > 0 and size.service_ms > 0):
            raise ValueError(
                f"{path} must have memory_mb of 128 to 10240 and times above 0, has: {size.memory_mb} MB, "
                f"init_ms {size.init_ms:g}, service_ms {size.service_ms:g}"
            )
    return sizes
