"""APIs from OpenAPI documents, whole: validators, models, ANY methods, required parameters, media types, routes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from preheat_tools.localcloud.stack import Expected, Stack

EXPECTS = (
    Expected("services.apigateway_v1:time"),
    Expected("services.apigateway_v1:_import_rest_api", "ef72f93127"),
    Expected("services.apigateway_v1:_import_path_item", "5634327444"),
    Expected("services.apigateway_v1:_import_operation", "ca6b0dd9dc"),
    Expected("services.apigateway_v1:_OPENAPI_HTTP_METHODS"),
    Expected("services.apigateway_v1:_create_request_validator", "c3894407d1"),
    Expected("services.apigateway_v1:_create_model", "d53064b06f"),
    Expected("services.apigateway_v1:_put_gateway_response", "93e727fc38"),
    Expected("services.apigateway_v1:_gateway_error_response", "c0a3f091df"),
    Expected("services.apigateway_v1:_handle_execute_in_scope", "60ed580555"),
    Expected("services.apigateway_v1:_take_token", "b0a4a8defc"),
)

ANY = "x-amazon-apigateway-any-method"
_VALIDATOR = "x-amazon-apigateway-request-validator"
Document = Mapping[str, Any]

_document: ContextVar[Document] = ContextVar("preheat_api_document")
_request: ContextVar[tuple[str, str]] = ContextVar("preheat_api_request", default=("", ""))
_LOCATIONS = {"query": "querystring", "header": "header", "path": "path"}


def install(stack: Stack, virtual_time: Any) -> None:
    """Complete ministack's import of a REST API; its throttles and quotas count virtual time."""
    rest = stack.rest
    rest.time = virtual_time
    rest._OPENAPI_HTTP_METHODS = rest._OPENAPI_HTTP_METHODS | {ANY}
    import_api, import_operation = rest._import_rest_api, rest._import_operation

    def whole_api(document: Document, given: Mapping[str, Any] | None = None) -> str:
        data = dict(given or {})
        # CloudFormation escapes the slash of a media type, as JSON pointers do.
        types = [
            *data.get("binaryMediaTypes", []),
            *document.get("x-amazon-apigateway-binary-media-types", []),
        ]
        data["binaryMediaTypes"] = list(dict.fromkeys(one.replace("~1", "/") for one in types))
        token = _document.set(document)
        try:
            api = str(import_api(document, data))
        finally:
            _document.reset(token)
        for kind, response in (document.get("x-amazon-apigateway-gateway-responses") or {}).items():
            rest._put_gateway_response(api, kind, response)
        return api

    def whole_operation(
        api: str, resource: str, method: str, operation: Document | None, *security: Any
    ) -> None:
        method = "ANY" if method == ANY.upper() else method
        import_operation(api, resource, method, operation, *security)
        _complete(stack, api, resource, method, operation or {})

    rest._import_rest_api, rest._import_operation = whole_api, whole_operation
    _refusals(rest)


def _refusals(rest: Any) -> None:
    """The variables of gateway responses that ministack leaves as they stand."""
    execute, render = rest._handle_execute_in_scope, rest._gateway_error_response

    async def handle(api: str, stage: str, method: str, path: str, *rest_of: Any) -> Any:
        token = _request.set((method, f"/{stage}{path}"))
        try:
            return await execute(api, stage, method, path, *rest_of)
        finally:
            _request.reset(token)

    def rendered(error: Any, request: Any) -> Any:
        status, headers, body = render(error, request)
        method, path = _request.get()
        known = {
            b"$context.error.validationErrorString": error.message or "",
            b"$context.httpMethod": method,
            b"$context.path": path,
        }
        for name, value in known.items():
            body = body.replace(name, json.dumps(value)[1:-1].encode())
        return status, headers, body

    rest._handle_execute_in_scope, rest._gateway_error_response = handle, rendered


def _complete(stack: Stack, api: str, resource: str, method: str, operation: Document) -> None:
    rest, document = stack.rest, _document.get()
    made = rest._resources[api][resource]["resourceMethods"][method]
    made["requestParameters"] = {
        f"method.request.{_LOCATIONS[one['in']]}.{one['name']}": bool(one.get("required"))
        for one in operation.get("parameters", [])
        if one.get("in") in _LOCATIONS
    }
    for media_type, reference in _models(operation).items():
        model = reference.rsplit("/", 1)[-1]
        schema = _schemas(document).get(model, {})
        rest._create_model(
            api, {"name": model, "contentType": media_type, "schema": _standalone(schema, document)}
        )
        made["requestModels"] = {**made["requestModels"], media_type: model}
    name = operation.get(_VALIDATOR) or document.get(_VALIDATOR)
    if name:
        made["requestValidatorId"] = _validator(stack, api, name, document)


def _models(operation: Document) -> dict[str, str]:
    """Media type to the reference of its body's schema, as OpenAPI 3 or Swagger 2 say it."""
    content = (operation.get("requestBody") or {}).get("content", {})
    found = {kind: body.get("schema", {}).get("$ref") for kind, body in content.items()}
    for one in operation.get("parameters", []):
        if one.get("in") == "body":
            found["application/json"] = one.get("schema", {}).get("$ref")
    return {kind: reference for kind, reference in found.items() if reference}


def _schemas(document: Document) -> dict[str, Any]:
    return dict(document.get("definitions") or (document.get("components") or {}).get("schemas") or {})


def _standalone(schema: Any, document: Document) -> str:
    """A model is validated by itself: schemas that it refers to go along."""
    text = json.dumps(schema)
    if "$ref" not in text:
        return text
    return json.dumps({**schema, "definitions": dict(_schemas(document))}).replace(
        "#/components/schemas/", "#/definitions/"
    )


def _validator(stack: Stack, api: str, name: str, document: Document) -> str:
    known = stack.rest._request_validators.get(api, {})
    for identifier, validator in known.items():
        if validator["name"] == name:
            return str(identifier)
    rules = (document.get("x-amazon-apigateway-request-validators") or {}).get(name, {})
    answer = stack.rest._create_request_validator(api, {"name": name, **rules})
    return str(json.loads(answer[2])["id"])
