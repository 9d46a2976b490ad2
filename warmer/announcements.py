"""Cold starts that customers waited for, as CloudWatch Logs delivers the records that announce them."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

LOG_GROUP = "/aws/lambda/"


class DeliveryError(ValueError):
    """An event that no subscription filter sends."""


def announced(event: Mapping[str, Any]) -> Mapping[str, Mapping[str, float]]:
    """Environments that customers waited for and since when, Unix s, by function; raises DeliveryError.

    The filter lets through records that say `customer_cold_start`; that is checked again here, so that a filter that is
    too wide cannot make a ping's own cold start send more pings.
    """
    body = _unpack(event)
    if (
        body.get("messageType") != "DATA_MESSAGE"
    ):  # CONTROL_MESSAGE: CloudWatch tries whether anybody is there
        return {}
    found: dict[str, dict[str, float]] = {}
    for written_s, record in _records(body):
        if record.get("customer_cold_start") is True and record.get("waited") == "customer":
            environments = found.setdefault(_function(body, record), {})
            environments[str(record.get("environment"))] = written_s - _init_s(record)
    return found


def _unpack(event: Mapping[str, Any]) -> dict[str, Any]:
    try:
        body = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"], validate=True)))
    except (KeyError, TypeError, ValueError, OSError, EOFError, zlib.error) as error:
        raise DeliveryError(
            f"must be a CloudWatch Logs subscription's event, awslogs.data in base64 of gzip, was: {str(event)[:100]}"
        ) from error
    if not isinstance(body, dict):
        raise DeliveryError(f"awslogs.data must hold an object, was: {str(body)[:100]}")
    return body


def _records(body: Mapping[str, Any]) -> Iterator[tuple[float, dict[str, Any]]]:
    """The log events that are JSON objects, and when each was written; what else a filter lets by is left out."""
    for line in body.get("logEvents", ()):
        try:
            written_s, record = float(line["timestamp"]) / 1000, json.loads(line["message"])
        except (KeyError, TypeError, ValueError):
            continue
        if isinstance(record, dict):
            yield written_s, record


def _init_s(record: Mapping[str, Any]) -> float:
    """INIT, at whose end the record was written: the customer came at its beginning."""
    try:
        return float(record["InitTime"][0]) / 1000
    except (KeyError, IndexError, TypeError, ValueError):
        return 0.0


def _function(body: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """The function's name: its log group may have any name, so the record's own word comes first."""
    named = record.get("FunctionName")
    return str(named) if named else str(body.get("logGroup", "")).removeprefix(LOG_GROUP)
