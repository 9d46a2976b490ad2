"""The settings to copy: parameters of template.yaml, and commands for a function of another stack."""

from __future__ import annotations

from collections.abc import Mapping

from preheat_tools.adviser.comparison import Case
from preheat_tools.adviser.strategies import MONTH_S, Strategy
from warmer.policy.values import Target

OURS = frozenset({"none", "static", "snapstart", "preheat"})
"""Strategies that template.yaml deploys."""


def parameters(best: Strategy, case: Case) -> dict[str, str]:
    """For `make deploy SETTINGS=…`, `case` being at the size that is best; Preheat's where the template does not deploy
    the best."""
    by_strategy: Mapping[str, dict[str, str]] = {
        "none": {"Strategy": "Off"},
        "snapstart": {"Strategy": "SnapStart"},
        "static": {"Strategy": "Provisioned", "ProvisionedEnvironments": str(provisioned(best, case))},
    }
    ours = {"Strategy": "Ping", "ColdStartCost": _decimal(case.world.cold_start_cost_usd)}
    if case.metrics != "full":
        ours["Metrics"] = case.metrics
    return {**by_strategy.get(best.name, ours), "Memory": str(case.world.memory_mb)}


def commands(best: Strategy, case: Case, own_mb: int, target: Target) -> tuple[str, ...]:
    """What sets up a function that is in no stack of this project and has `own_mb` now."""
    function, alias, memory_mb = target.function, target.alias, case.world.memory_mb
    found: list[str] = []
    if memory_mb != own_mb:
        found.append(
            f"aws lambda update-function-configuration --function-name {function} --memory-size {memory_mb}"
        )
    if best.name == "static":
        found.append(
            f"aws lambda put-provisioned-concurrency-config --function-name {function} --qualifier {alias} "
            f"--provisioned-concurrent-executions {provisioned(best, case)}"
        )
    elif best.name == "snapstart":
        found.append(
            f"aws lambda update-function-configuration --function-name {function} "
            "--snap-start ApplyOn=PublishedVersions"
        )
    elif best.name != "none":
        found += [
            "make deploy SETTINGS='Strategy=Ping WarmTargets=tagged'",
            f"aws lambda tag-resource --resource $(aws lambda get-function --function-name {function} "
            "--query Configuration.FunctionArn --output text) "
            f"--tags preheat={alias},preheat:cold-start-cost-usd={_decimal(case.world.cold_start_cost_usd)}",
        ]
    if best.name == "snapstart" or memory_mb != own_mb:
        found.append(f"# then publish a version and move the alias {alias} to it")
    return tuple(found)


def provisioned(best: Strategy, case: Case) -> int:
    """Environments that a month's provisioned bill pays for, a function."""
    each = case.world.memory_mb / 1024 * case.world.prices.provisioned_gb_s * MONTH_S
    environments = best.kinds.get("provisioned", 0.0) / each / len(case.trace.series)
    return max(1, round(environments))


def _decimal(usd: float) -> str:
    return f"{usd:.12f}".rstrip("0").rstrip(".") or "0"
