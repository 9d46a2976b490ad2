"""What a stack costs a month before its first customer comes, at us-east-1's list prices. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from preheat_tools.simulator.assumptions import Assumptions
from warmer.policy.values import Prices

MONTH_S = 730 * 3600.0
METRIC_USD, ALARM_USD = 0.30, 0.10
"""An alarm for each metric that it watches: https://aws.amazon.com/cloudwatch/pricing/"""
METRICS = {"full": (4, 4), "lean": (2, 2), "off": (0, 0)}
"""Of each inference function, of the warmer."""
SNAPSHOT_GB_S, RESTORE_GB = 0.0000015046, 0.0001397998
"""SnapStart's cache of a version, and a restore: https://aws.amazon.com/lambda/pricing/"""
FEW_READS = 3.0
"""Reads and writes of the table a run, for one target."""


@dataclass(frozen=True, slots=True)
class Cost:
    what: str
    usd: float


def warms(parameters: Mapping[str, str]) -> bool:
    """Whether the schedule runs, as the template's condition Warms says; `parameters` are all of a stack's."""
    needed = parameters["Strategy"] == "Ping" or parameters["WarmTargets"] == "tagged"
    return parameters["WarmerState"] == "ENABLED" and needed


def fixed_costs(parameters: Mapping[str, str], assumed: Assumptions | None = None) -> Iterator[Cost]:
    """Costs a month that are the same whatever the traffic; `parameters` are all of the template's."""
    assumed = assumed or Assumptions()
    prices = Prices.of(parameters["Architecture"])
    gb, functions = float(parameters["Memory"]) / 1024, 1 + bool(parameters["TorchImageUri"])
    strategy = parameters["Strategy"]
    if strategy == "Provisioned":
        count = int(parameters["ProvisionedEnvironments"]) * functions
        yield Cost(f"{count} provisioned environments", count * gb * MONTH_S * prices.provisioned_gb_s)
    if strategy == "SnapStart":
        yield Cost(
            "a snapshot of one version each, and $%.5f a restore" % (gb * RESTORE_GB),
            functions * gb * MONTH_S * SNAPSHOT_GB_S,
        )
    warmer = warms(parameters)
    if warmer:
        runs = MONTH_S / float(parameters["WarmerPeriod"])
        run_gb_s = float(parameters["WarmerMemory"]) / 1024 * assumed.warmer_run_ms / 1000
        each = run_gb_s * prices.on_demand_gb_s + prices.request + assumed.scheduler_usd
        each += FEW_READS * prices.table_read
        yield Cost(
            f"{runs:,.0f} runs of the warmer ({assumed.warmer_run_ms:g} ms each, assumed)", runs * each
        )
    by_function, by_warmer = METRICS[parameters["Metrics"]]
    metrics = by_function * functions + by_warmer * warmer
    alarms = (5 + 2 * warmer if by_function else 2) + warmer
    watched = alarms + bool(by_function)  # the objective's is of two metrics
    yield Cost(f"{metrics} metrics, {alarms} alarms", metrics * METRIC_USD + watched * ALARM_USD)
