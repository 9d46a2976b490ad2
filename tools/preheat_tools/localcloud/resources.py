"""CloudFormation resources that ministack does not know, or knows in part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from preheat_tools.localcloud.stack import Expected, Stack

EXPECTS = (
    Expected("services.cloudformation.provisioners:_RESOURCE_HANDLERS"),
    Expected("services.cloudformation.provisioners:_iam_policy_create", "e6a70f2b96"),
    Expected("services.cloudformation.provisioners:_iam_policy_update", "bc0fe62dbb"),
    Expected("services.cloudformation.provisioners:_iam_policy_delete", "cf2ce15be2"),
    Expected("services.cloudformation.provisioners:_apigw_v2_api_create", "0002e18b41"),
    Expected("services.apigateway:_create_integration", "970005e3a9"),
    Expected("services.apigateway:_create_route", "9fffc0fee7"),
)

Properties = Mapping[str, Any]


_ANY = "x-amazon-apigateway-any-method"
_METHODS = ("get", "post", "put", "delete", "patch", "head", "options", _ANY)


def install(stack: Stack) -> None:
    """Teach ministack's CloudFormation what templates by SAM need."""
    _role_policies(stack)
    _http_routes(stack)


def _role_policies(stack: Stack) -> None:
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


def _http_routes(stack: Stack) -> None:
    """SAM writes an HTTP API's routes into its Body, which ministack drops."""
    handlers = stack.provisioners._RESOURCE_HANDLERS
    theirs = dict(handlers["AWS::ApiGatewayV2::Api"])

    def create(logical: str, properties: Properties, stack_name: str) -> Any:
        api, attributes = theirs["create"](logical, properties, stack_name)
        for path, item in ((properties.get("Body") or {}).get("paths") or {}).items():
            for method in _METHODS:
                if integration := (item.get(method) or {}).get("x-amazon-apigateway-integration"):
                    _add_route(stack, api, _verb(method, path), integration)
        return api, attributes

    handlers["AWS::ApiGatewayV2::Api"] = {**theirs, "create": create}


def _verb(method: str, path: str) -> str:
    return "$default" if path == "/$default" else f"{'ANY' if method == _ANY else method.upper()} {path}"


def _add_route(stack: Stack, api: str, key: str, integration: Properties) -> None:
    made = stack.http._create_integration(
        api,
        {
            "integrationType": str(integration.get("type", "aws_proxy")).upper(),
            "integrationUri": integration.get("uri", ""),
            "integrationMethod": integration.get("httpMethod", "POST"),
            "payloadFormatVersion": integration.get("payloadFormatVersion", "2.0"),
        },
    )
    identifier = json.loads(made[2])["integrationId"]
    stack.http._create_route(api, {"routeKey": key, "target": f"integrations/{identifier}"})
