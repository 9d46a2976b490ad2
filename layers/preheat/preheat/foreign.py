"""Pings of the older warmers, each answered as its own library would."""

from __future__ import annotations

from preheat.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Foreign(Frozen):
    """A ping of another warmer."""

    warmer: str
    reply: Any


def foreign_reply(event: Mapping[str, Any]) -> Foreign | None:
    """Whose ping an event is, and its answer; None where it is nobody's.

    lambda-warmer and lambda-warmer-py: `{"warmer": true, "concurrency": n}`. Neither is fanned out to n here, since
    that needs boto3 and a right to invoke oneself: it is the Preheat warmer's part.
    serverless-plugin-warmup: `{"source": "serverless-plugin-warmup"}`.
    Zappa: an EventBridge schedule whose rule is named `…-zappa-keep-warm-handler.keep_warm_callback`.
    """
    if event.get("warmer") is True:
        return Foreign(warmer="lambda-warmer", reply="warmed")
    source = event.get("source")
    if source == "serverless-plugin-warmup":
        return Foreign(warmer="serverless-plugin-warmup", reply="Lambda is warm!")
    if source == "aws.events" and _rule(event).endswith("handler.keep_warm_callback"):
        return Foreign(warmer="Zappa", reply={})
    return None


def _rule(event: Mapping[str, Any]) -> str:
    """The name of the EventBridge rule an event comes from."""
    resources = event.get("resources")
    first = resources[0] if isinstance(resources, list) and resources else ""
    return first.rsplit("/", 1)[-1] if isinstance(first, str) else ""
