"""CloudFormation resources that ministack does not know, or knows in part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preheat_tools.localcloud.stack import Expected, Stack

EXPECTS = (
    Expected("services.cloudformation.provisioners:_RESOURCE_HANDLERS"),
    Expected("services.cloudformation.provisioners:_iam_policy_create", "e6a70f2b96"),
    Expected("services.cloudformation.provisioners:_iam_policy_update", "bc0fe62dbb"),
    Expected("services.cloudformation.provisioners:_iam_policy_delete", "cf2ce15be2"),
    Expected("services.cloudformation.provisioners:_lambda_alias_delete", "fca93922c6"),
)

Properties = Mapping[str, Any]


def install(stack: Stack) -> None:
    """An inline policy as a resource of its own: it is the older `AWS::IAM::Policy` on one role."""
    handlers = stack.provisioners._RESOURCE_HANDLERS
    theirs = dict(handlers["AWS::IAM::Policy"])

    def create(logical: str, properties: Properties, stack_name: str) -> Any:
        return theirs["create"](logical, _as_policy(properties), stack_name)

    def update(physical: str, old: Properties, new: Properties, stack_name: str, logical: str = "") -> Any:
        return theirs["update"](physical, _as_policy(old), _as_policy(new), stack_name, logical)

    def delete(physical: str, properties: Properties) -> Any:
        return theirs["delete"](physical, _as_policy(properties))

    handlers["AWS::IAM::RolePolicy"] = {**theirs, "create": create, "update": update, "delete": delete}


def _as_policy(properties: Properties) -> dict[str, Any]:
    return {"Roles": [properties["RoleName"]], **{k: v for k, v in properties.items() if k != "RoleName"}}
