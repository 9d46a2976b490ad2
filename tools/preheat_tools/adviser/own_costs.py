"""What Preheat itself costs a month beside what it does for the traffic."""

from __future__ import annotations

from preheat_tools.doctor.costs import METRIC_USD, METRICS, fixed_costs
from preheat_tools.simulator.assumptions import Assumptions

HOURS_A_MONTH = 720.0


def own_usd(functions: int, environments: float, world: Assumptions, metrics: str = "full") -> float:
    """The stack's schedule, metrics and alarms, with the metrics of functions outside it.

    A run that finds targets due is counted by the simulator as well: a little too much. A function outside the stack
    tells its metrics when an environment begins, and a metric is billed for the hours in which it has data;
    `environments` is how many begin in a month, over all functions.
    """
    parameters = {
        "Strategy": "Ping", "WarmTargets": "stack", "WarmerState": "ENABLED", "WarmerPeriod": f"{world.cycle_s:g}",
        "WarmerMemory": str(world.warmer_memory_mb), "Memory": str(world.memory_mb), "Metrics": metrics,
        "Architecture": "x86_64", "TorchImageUri": "", "ProvisionedEnvironments": "0",
    }  # fmt: skip
    stack = sum(cost.usd for cost in fixed_costs(parameters, world))
    hours = min(1.0, environments / max(functions, 1) / HOURS_A_MONTH)
    return stack + (functions - 1) * METRICS[metrics][0] * METRIC_USD * hours
