"""CodeDeploy's one operation that a deployment hook calls; ministack has none. What it said is kept for `canary`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from preheat_tools.localcloud.asgi import Asgi, body_of, send_json

TARGET = b"CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus"
STATUSES = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Unknown")


@dataclass(slots=True)
class Hooks:
    """What hooks answered, by the execution that they answered for."""

    answers: dict[str, str] = field(default_factory=dict)

    def around(self, application: Asgi) -> Asgi:
        """The application with this operation in front."""

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http" or dict(scope["headers"]).get(b"x-amz-target") != TARGET:
                await application(scope, receive, send)
                return
            status, answer = self.answer(json.loads(await body_of(receive)))
            await send_json(send, status, answer, b"application/x-amz-json-1.1")

        return serve

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """As CodeDeploy does, but that any deployment is known: who plays one made its id himself."""
        execution, status = request.get("lifecycleEventHookExecutionId", ""), request.get("status", "")
        if not (request.get("deploymentId") and execution):
            return 400, {"__type": "InvalidLifecycleEventHookExecutionIdException"}
        if status not in STATUSES:
            return 400, {"__type": "InvalidLifecycleEventHookExecutionStatusException"}
        self.answers[execution] = status
        return 200, {"lifecycleEventHookExecutionId": execution}
