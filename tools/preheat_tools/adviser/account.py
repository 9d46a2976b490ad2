"""A function as its account tells it: traffic by CloudWatch, INIT and other sizes by its log, what it is set up as."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from preheat_tools.adviser.advice import Size
from preheat_tools.adviser.logs import COLD, MOST, LogError, Report, Sent, messages, of_size, report
from preheat_tools.adviser.setup import Setup
from preheat_tools.adviser.traffic import LEAST_S, TrafficError, caution
from preheat_tools.simulator.traces import Series, Trace
from warmer.policy.values import Demand, Failed, Target

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

    from warmer.ports import DemandSource

DAYS = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was found."""

    trace: Trace
    peaks: Sequence[int]
    """The most at once by minute, as CloudWatch saw it."""
    memory_mb: int
    architecture: str
    service_ms: float
    init_ms: float | None
    """Mean of the INITs in its log; None where the log has none, or may not be read."""
    restore_ms: float | None
    """The same of restores, where SnapStart is on."""
    sizes: Sequence[Size]
    """Other memory sizes that the log has a cold start of."""
    setup: Setup
    notes: Sequence[str]


def observed(  # noqa: PLR0917
    target: Target,
    functions: LambdaClient,
    demand: DemandSource,
    logs: Any,
    now_s: float,
    days: float = DAYS,
    rounds: Iterable[Sent] = (),
) -> Observed:
    """What CloudWatch kept of an alias, a minute at a time; raises TrafficError. `rounds` are taken out of it."""
    facts = _configuration(target, functions)
    since_s = now_s - days * 86_400
    read = demand.read({target: since_s}, now_s)[target]
    if isinstance(read, Failed):
        raise TrafficError(f"CloudWatch's metrics of {target} could not be read: {read.reason}")
    customers = without(read, rounds)
    trace, first = _traffic(target, customers, days)
    group = str(facts.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{target.function}")
    cold, problem = _cold_starts(logs, group, since_s)
    memory_mb = int(facts["MemorySize"])
    taken = sum(read.invocations) - sum(customers.invocations)
    return Observed(
        trace=trace,
        peaks=customers.peak_concurrency[first:],
        memory_mb=memory_mb,
        architecture=str(facts.get("Architectures", ["x86_64"])[0]),
        service_ms=customers.duration_s * 1000,
        init_ms=_mean([one.init_ms for one in cold if one.memory_mb == memory_mb]),
        restore_ms=_mean([one.restore_ms for one in cold if one.memory_mb == memory_mb]),
        sizes=_sizes(logs, group, since_s, cold, memory_mb),
        setup=Setup.of(facts),
        notes=(
            *caution(trace.span_s),
            *([f"{taken:,} pings of the warmer are taken out of the traffic."] if taken else []),
            *([problem] if problem else []),
        ),
    )


def without(demand: Demand, rounds: Iterable[Sent]) -> Demand:
    """Demand less the warmer's rounds: out of the minute that each was planned for, and the next for what is left.

    The peaks of those minutes say nothing of customers, and become zeros.
    """
    counts = np.array(demand.invocations, np.int64)
    peaks = np.array(demand.peak_concurrency, np.int64)
    busy_s = demand.duration_s * float(counts.sum())
    for sent in rounds:
        left = sent.pings
        minute = int((sent.at_s - demand.start_s) // demand.period_s)
        for at in (minute, minute + 1):
            if 0 <= at < len(counts) and (taken := min(left, int(counts[at]))):
                counts[at] -= taken
                left -= taken
                peaks[at] = 0
        busy_s -= (sent.pings - left) * sent.hold_s
    total = int(counts.sum())
    return replace(
        demand,
        invocations=tuple(counts.tolist()),
        peak_concurrency=tuple(peaks.tolist()),
        duration_s=max(busy_s, 0.0) / total if total else 0.0,
    )


def _configuration(target: Target, functions: LambdaClient) -> Any:
    try:
        return functions.get_function_configuration(FunctionName=target.function, Qualifier=target.alias)
    except BotoCoreError as error:
        raise TrafficError(f"AWS could not be asked for {target}: {error}") from error
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        advice = {
            "ResourceNotFoundException": "there is none of that name with that alias in this region and account",
            "AccessDeniedException": "the credentials may not call lambda:GetFunctionConfiguration",
        }.get(code, str(error))
        raise TrafficError(f"{target}: {advice}") from error


def _traffic(target: Target, customers: Demand, days: float) -> tuple[Trace, int]:
    """From the first minute that had a request on: before it the function may not have been there."""
    counts = np.array(customers.invocations, np.int64)
    if not counts.any():
        raise TrafficError(
            f"CloudWatch has no invocations of {target} in the last {days:g} days: requests must come through the "
            f"alias (its metrics are kept apart), or give a trace with --trace"
        )
    first = int(counts.nonzero()[0][0])
    trace = Trace(
        "CloudWatch", (Series(name=str(target), pattern="", counts=counts[first:], bin_s=customers.period_s),)
    )
    if trace.span_s < LEAST_S:
        raise TrafficError(
            f"the first request of {target} is {trace.span_s / 60:.3g} minutes old: look again in an hour"
        )
    return trace, first


def _cold_starts(logs: Any, group: str, since_s: float) -> tuple[list[Report], str]:
    """REPORT lines of environments that began; with what is to be said where the log cannot be read."""
    try:
        found = [report(line) for line in messages(logs, group, since_s, COLD, MOST)]
    except LogError as error:
        return [], f"INIT is not measured: {error}."
    return [one for one in found if one is not None], ""


def _sizes(logs: Any, group: str, since_s: float, cold: Sequence[Report], own_mb: int) -> tuple[Size, ...]:
    """Every other size that the log has both a cold start and a warm answer of."""
    inits: dict[int, list[float]] = defaultdict(list)
    for one in cold:
        if one.memory_mb != own_mb and one.init_ms is not None:
            inits[one.memory_mb].append(one.init_ms)
    sizes = []
    for memory_mb, times in sorted(inits.items()):
        found = [report(line) for line in messages(logs, group, since_s, of_size(memory_mb), MOST)]
        if warm := [one.duration_ms for one in found if one and one.init_ms is None]:
            mean = sum(warm) / len(warm)
            sizes.append(Size(memory_mb=memory_mb, init_ms=sum(times) / len(times), service_ms=mean))
    return tuple(sizes)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
