"""A set of parameters against the template: values that it does not allow, and its Rules. No account is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from preheat_tools.doctor.findings import Finding, Grade


def _function(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    """One of CloudFormation's short functions."""
    if isinstance(node, yaml.ScalarNode):
        content: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        content = loader.construct_sequence(node, deep=True)
    else:
        content = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": content}


_Loader: Any = type("_Loader", (yaml.SafeLoader,), {})
_Loader.add_multi_constructor("!", _function)


def load(template: Path) -> dict[str, Any]:
    """The template as CloudFormation reads it."""
    loaded: dict[str, Any] = yaml.load(template.read_text(), _Loader)  # noqa: S506 - a SafeLoader
    return loaded


def with_defaults(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """All parameters, those that are not given by their defaults."""
    defaults = {name: str(one.get("Default", "")) for name, one in template["Parameters"].items()}
    return defaults | dict(given)


def check(template: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[Finding]:
    """What CloudFormation would refuse, in its own words where the template has them."""
    refused = list(_values(template["Parameters"], given)) + list(_rules(template, given))
    for text in refused:
        yield Finding(Grade.PROBLEM, "parameters", text)
    if not refused:
        yield Finding(Grade.OK, "parameters", "the template takes them")


def _values(known: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    for name, value in given.items():
        if name not in known:
            yield f"{name} is no parameter of the template"
            continue
        one = known[name]
        allowed = [str(choice) for choice in one.get("AllowedValues", ())]
        if allowed and value not in allowed:
            yield f"{name} must be one of {', '.join(allowed)}, was: {value!r}"
        elif "AllowedPattern" in one and not re.search(one["AllowedPattern"], value):
            yield f"{name} must match {one['AllowedPattern']}, was: {value!r}"
        elif one["Type"] == "Number" and (bounds := _out_of_bounds(one, value)):
            yield f"{name} must be {bounds}, was: {value!r}"


def _out_of_bounds(one: Mapping[str, Any], value: str) -> str:
    low, high = float(one.get("MinValue", "-inf")), float(one.get("MaxValue", "inf"))
    try:
        inside = low <= float(value) <= high
    except ValueError:
        inside = False
    return "" if inside else f"a number, {low:g} to {high:g}"


def _rules(template: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    values = with_defaults(template, given)
    for rule in template.get("Rules", {}).values():
        if _holds(rule.get("RuleCondition", {"Fn::Equals": ["", ""]}), values):
            for one in rule["Assertions"]:
                if not _holds(one["Assert"], values):
                    yield one["AssertDescription"]


def _holds(condition: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    ((name, of),) = condition.items()
    if name == "Fn::Equals":
        left, right = (values[one["Ref"]] if isinstance(one, dict) else str(one) for one in of)
        return left == right
    parts = [_holds(one, values) for one in of]
    return {"Fn::Not": not parts[0], "Fn::And": all(parts), "Fn::Or": any(parts)}[name]
