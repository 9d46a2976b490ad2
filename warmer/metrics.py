"""What the warmer tells CloudWatch of each cycle, as one line of its embedded metric format. Pure.

Each metric is billed by the month (https://aws.amazon.com/cloudwatch/pricing/), so they are four, for the whole warmer
and not by target; all else is in the same line for whoever asks the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMESPACE = "Preheat"
UNITS = {
    "PingsPlanned": "Count",
    "EnvironmentsReached": "Count",
    "ProvisionedFailed": "Count",
    "BudgetUsed": "Percent",
}
KEPT: Mapping[str, frozenset[str]] = {
    "full": frozenset(UNITS),
    "lean": frozenset({"ProvisionedFailed", "BudgetUsed"}),  # what alarms watch
    "off": frozenset(),
}
"""What WARMER_METRICS allows, and which metrics each keeps."""


def emf(function: str, summary: Mapping[str, Any], kept: str = "full") -> dict[str, Any]:
    """The line of one cycle. What is not known in it is missing: rounds where no target was due, a budget's share where
    no target that was looked at has a budget."""
    used = summary["budget_used"]
    rounds = {"PingsPlanned": summary["pings"], "EnvironmentsReached": summary["reached"]}
    values = {
        **(rounds if summary["looked_at"] else {}),
        "ProvisionedFailed": summary["provisioned_failed"],
        **({} if used is None else {"BudgetUsed": round(100.0 * used, 3)}),
    }
    metrics = [{"Name": name, "Unit": UNITS[name]} for name in values if name in KEPT[kept]]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Warmer"]], "Metrics": metrics}
    head = {"Timestamp": int(summary["at_s"] * 1000), "CloudWatchMetrics": [directive]}
    return {
        "event": "cycle",
        **({"_aws": head} if metrics else {}),
        "Warmer": function,
        **values,
        "summary": dict(summary),
    }
