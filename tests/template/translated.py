"""The template as CloudFormation gets it: SAM's own translator, then parameters and conditions filled in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cfnlint.decode import cfn_yaml
from samtranslator.translator.transform import transform

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
CODE = {
    "Recommend": "CodeUri",
    "Warmer": "CodeUri",
    "Burst": "CodeUri",
    "Preflight": "CodeUri",
    "PreheatLayer": "ContentUri",
    "InferenceLayer": "ContentUri",
}
PSEUDO = {
    "AWS::Region": "us-east-1",
    "AWS::Partition": "aws",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "preheat",
    "AWS::URLSuffix": "amazonaws.com",
}
ABSENT = object()

Template = dict[str, Any]


class NoManagedPolicies:
    """The template names no managed policy, so no account is asked for their list."""

    def load(self) -> dict[str, str]:
        return {}


def translated(content: Mapping[str, str] = MappingProxyType({}), /, **parameters: str) -> Template:
    """The template with these parameters; `content` names what is packaged for a resource, and stands for its hash."""
    template = json.loads(json.dumps(cfn_yaml.load(str(TEMPLATE))))
    for name, key in CODE.items():
        template["Resources"][name]["Properties"][key] = f"s3://built/{content.get(name, name)}"
    defaults = {name: str(p["Default"]) for name, p in template["Parameters"].items()}
    values = defaults | PSEUDO | parameters
    os.environ.setdefault(
        "AWS_DEFAULT_REGION", PSEUDO["AWS::Region"]
    )  # the translator makes a client for nothing
    return Filled(transform(template, dict(values), NoManagedPolicies()), values).template()


def refusals(**parameters: str) -> list[str]:
    """What CloudFormation says to these parameters by the template's Rules, before anything is made."""
    template = json.loads(json.dumps(cfn_yaml.load(str(TEMPLATE))))
    defaults = {name: str(p["Default"]) for name, p in template["Parameters"].items()}
    return Filled(template, defaults | PSEUDO | parameters).refusals()


def holding(**parameters: str) -> set[str]:
    """The template's conditions that these parameters fulfil."""
    template = json.loads(json.dumps(cfn_yaml.load(str(TEMPLATE))))
    defaults = {name: str(p["Default"]) for name, p in template["Parameters"].items()}
    filled = Filled(template, defaults | PSEUDO | parameters)
    return {name for name in template["Conditions"] if filled.holds(name)}


class Filled:
    """A CloudFormation template with its parameters and conditions put in, as a stack would see it."""

    def __init__(self, template: Template, values: Mapping[str, str]) -> None:
        self._raw, self._values = json.loads(json.dumps(template)), values

    def template(self) -> Template:
        kept = {n: r for n, r in self._raw["Resources"].items() if self.holds(r.pop("Condition", None))}
        outputs = {n: o for n, o in self._raw["Outputs"].items() if self.holds(o.pop("Condition", None))}
        return {"Resources": self._fill(kept), "Outputs": self._fill(outputs)}

    def refusals(self) -> list[str]:
        rules = [rule for rule in self._raw["Rules"].values() if self.holds(rule["RuleCondition"])]
        asserted = [one for rule in rules for one in rule["Assertions"]]
        return [one["AssertDescription"] for one in asserted if not self.holds(one["Assert"])]

    def holds(self, condition: Any) -> bool:
        if condition is None:
            return True
        if isinstance(condition, str):
            return self.holds(self._raw["Conditions"][condition])
        ((name, of),) = condition.items()
        if name == "Fn::Equals":
            return bool(self._fill(of[0]) == self._fill(of[1]))
        if name == "Condition":
            return self.holds(of)
        parts = [self.holds(part) for part in of]
        return {"Fn::Not": not parts[0], "Fn::And": all(parts), "Fn::Or": any(parts)}[name]

    def _fill(self, value: Any) -> Any:
        if isinstance(value, list):
            return [v for v in map(self._fill, value) if v is not ABSENT]
        if not isinstance(value, dict):
            return value
        if "Fn::If" in value:
            condition, yes, no = value["Fn::If"]
            return self._fill(yes if self.holds(condition) else no)
        if "Fn::FindInMap" in value:
            return self._mapped(*map(self._fill, value["Fn::FindInMap"]))
        return self._referred(value)

    def _mapped(self, name: str, *keys: str) -> Any:
        found: Any = self._raw["Mappings"][name]
        for key in keys:
            found = found[key]
        return found

    def _referred(self, value: dict[str, Any]) -> Any:
        if "Ref" in value:
            name = value["Ref"]
            return ABSENT if name == "AWS::NoValue" else self._values.get(name, value)
        if "Fn::Sub" in value:
            given = value["Fn::Sub"]
            text, own = (given, {}) if isinstance(given, str) else (given[0], self._fill(given[1]))
            for name, filling in {**self._values, **own}.items():
                text = text.replace("${" + name + "}", filling) if isinstance(filling, str) else text
            if "${" not in text:
                return text
            left = {name: filling for name, filling in own.items() if not isinstance(filling, str)}
            return {"Fn::Sub": [text, left] if left else text}
        filled = {k: self._fill(v) for k, v in value.items()}
        return {k: v for k, v in filled.items() if v is not ABSENT}
