"""The traffic that advice stands on: a trace, or what CloudWatch kept of a function's alias."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from preheat_tools.simulator.traces import Series, Trace
from warmer.policy.values import Demand, Failed, Target

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

    from warmer.ports import DemandSource

DAYS = 14.0
SAMPLE = 40
"""Functions of a trace that are played where it has more and none is named: the strategies take minutes otherwise."""
INIT = re.compile(r"Init Duration: ([0-9.]+) ms")


class TrafficError(ValueError):
    """Traffic that cannot be had; the text says what was asked for and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A function as its account tells it."""

    trace: Trace
    memory_mb: int
    architecture: str
    service_ms: float
    init_ms: float | None
    """Mean of the INITs in its log; None where the log has none."""


def sampled(trace: Trace, functions: Sequence[str], seed: int, most: int = SAMPLE) -> tuple[Trace, str]:
    """The functions named, or a random sample where there are many; with a note that says which."""
    if functions:
        known = {series.name: series for series in trace.series}
        if missing := [name for name in functions if name not in known]:
            some = ", ".join(list(known)[:5])
            raise TrafficError(
                f"{trace.name} has no function {missing[0]!r}; it has {some}, … ({len(known)} in all)"
            )
        return Trace(trace.name, tuple(known[name] for name in functions)), ""
    if len(trace.series) <= most:
        return trace, ""
    chosen = np.sort(np.random.default_rng(seed).choice(len(trace.series), most, replace=False))
    note = (
        f"{most} of the trace's {len(trace.series)} functions, drawn at random (seed {seed}); money and cold starts "
        "are theirs."
    )
    return Trace(trace.name, tuple(trace.series[i] for i in chosen.tolist())), note


def observed(  # noqa: PLR0917
    target: Target,
    functions: LambdaClient,
    demand: DemandSource,
    logs: Any | None,
    now_s: float,
    days: float = DAYS,
) -> Observed:
    """What CloudWatch kept of an alias, a minute at a time; raises TrafficError."""
    facts = _configuration(target, functions)
    read = demand.read({target: now_s - days * 86_400}, now_s)[target]
    if isinstance(read, Failed):
        raise TrafficError(f"CloudWatch's metrics of {target} could not be read: {read.reason}")
    if not sum(read.invocations):
        raise TrafficError(
            f"CloudWatch has no invocations of {target} in the last {days:g} days: requests must come through the "
            f"alias (its metrics are kept apart), or give a trace with --trace"
        )
    return Observed(
        trace=Trace("CloudWatch", (_series(target, read),)),
        memory_mb=int(facts["MemorySize"]),
        architecture=str(facts.get("Architectures", ["x86_64"])[0]),
        service_ms=read.duration_s * 1000,
        init_ms=_init_ms(facts, target, logs, now_s, days),
    )


def _configuration(target: Target, functions: LambdaClient) -> Any:
    from botocore.exceptions import ClientError

    try:
        return functions.get_function_configuration(FunctionName=target.function, Qualifier=target.alias)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        advice = {
            "ResourceNotFoundException": "there is none of that name with that alias in this region and account",
            "AccessDeniedException": "the credentials may not call lambda:GetFunctionConfiguration",
        }.get(code, str(error))
        raise TrafficError(f"{target}: {advice}") from error


def _series(target: Target, read: Demand) -> Series:
    """From the first minute that had a request on: before it the function may not have been there."""
    counts = np.array(read.invocations, np.int64)
    first = int(counts.nonzero()[0][0])
    return Series(name=str(target), pattern="", counts=counts[first:], bin_s=read.period_s)


def _init_ms(facts: Any, target: Target, logs: Any | None, now_s: float, days: float) -> float | None:
    """From REPORT lines; None where the log cannot be read or has no cold start."""
    from botocore.exceptions import ClientError

    if logs is None:
        return None
    group = str(facts.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{target.function}")
    try:
        found = logs.filter_log_events(
            logGroupName=group,
            filterPattern='"Init Duration"',
            startTime=int((now_s - days * 86_400) * 1000),
            limit=200,
        )
    except ClientError:
        return None
    times = [float(hit[1]) for event in found["events"] if (hit := INIT.search(event.get("message", "")))]
    return sum(times) / len(times) if times else None
