"""Requests as API Gateway, function URLs and load balancers hand them to a function."""

from __future__ import annotations

from types import MappingProxyType

from preheat.frozen import Frozen
from preheat.problems import CONTENT_TYPE, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_BODY_BYTES = 1 << 20
"""Larger questions than any model here has; Lambda's own limit is 6 MB."""


class ApiRequest(Frozen):
    """One HTTP request."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})
    """By lower-case name."""


def api_request(event: Any, prefix: str = "") -> ApiRequest | None:
    """The request in an event of payload format 1.0 or 2.0, its path after a prefix; None where it is no request."""
    context = event.get("requestContext") if isinstance(event, dict) else None
    if not isinstance(context, dict):
        return None
    if "rawPath" in event:  # format 2.0: HTTP APIs and function URLs
        stage = context.get("stage", "$default")
        path = event["rawPath"].removeprefix(f"/{stage}") if stage != "$default" else event["rawPath"]
        method = context.get("http", {}).get("method", "")
    else:
        path, method = event.get("path") or "", event.get("httpMethod") or ""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    return ApiRequest(method=method, path=path.removeprefix(prefix), body=_body(event), headers=headers)


def parsed(body: bytes | str) -> Any:
    """A JSON body; Problem 413 where it is too large, 400 where it is not JSON."""
    import json

    if len(body) > MAX_BODY_BYTES:
        raise Problem(413, f"a body may have {MAX_BODY_BYTES} bytes, was: {len(body)}", "body")
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body must be JSON: {error}", "body") from None


def json_response(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """An answer in the form that API Gateway takes back."""
    import json

    kind = "application/json" if status < 400 else CONTENT_TYPE
    return {
        "statusCode": status,
        "headers": {"Content-Type": kind},
        "body": json.dumps(body, separators=(",", ":"), allow_nan=False),
        "isBase64Encoded": False,
    }


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode()
    from base64 import b64decode

    try:
        return b64decode(body, validate=True)
    except ValueError:
        return b"\xff"  # no JSON: refused where the body is parsed


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
