"""Says what it was given."""

import json
from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "requestContext" not in event:
        print(json.dumps({"scheduled": event.get("scheduled_time")}))  # noqa: T201
        return event
    seen = {"method": event.get("httpMethod"), "base64": event["isBase64Encoded"], "body": event.get("body")}
    return {"statusCode": 200, "body": json.dumps(seen | {"arn": context.invoked_function_arn})}
