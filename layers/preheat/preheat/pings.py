"""Pings answered before any user code."""

from __future__ import annotations

from functools import wraps

from preheat.foreign import foreign_reply
from preheat.ping import MAX_HOLD_S, MAX_HOLD_SHARE, Level, ModelReport, Ping, PingError, Reply, refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from preheat.host import ModelHost

    Handler = Callable[[Any, Any], Any]

WORK_SHARE = 0.8
"""Of the time an invocation has left, what a ping may spend on warming models."""


def answers_pings(host: ModelHost) -> Callable[[Handler], Handler]:
    """Decorate a Lambda handler: pings are answered here, and each cold start is recorded before the handler runs."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def answering(event: Any, context: Any) -> Any:
            kind = foreign_reply(event) if is_direct(event) else None
            own = kind is None and is_direct(event) and "preheat" in event
            arrived_s = host.clock.steady_s()
            idle_s = host.life.idle_s(arrived_s)
            cold = host.begin_invocation(ping=own or kind is not None)
            try:
                if own:
                    return _answer(host, event, context, cold, arrived_s, idle_s)
                if kind is not None:
                    _warm(host, Ping(), context)
                    return kind.reply
                return handler(event, context)
            finally:
                host.life.ends(host.clock.steady_s())

        return answering

    return decorate


def is_direct(event: Any) -> bool:
    """Whether whoever sent the event may invoke the function itself: no request came through an API, a function URL
    or a load balancer, all of which put a request context beside the body they were given."""
    return isinstance(event, dict) and "requestContext" not in event


def hold_s(ping: Ping, now_s: float, remaining_s: float) -> float:
    """How long to hold a ping that is ready at `now_s` (Unix time)."""
    return max(min(ping.release_at_ms / 1e3 - now_s, MAX_HOLD_S, remaining_s * MAX_HOLD_SHARE), 0.0)


def _answer(  # noqa: PLR0917
    host: ModelHost, event: Mapping[str, Any], context: Any, cold: bool, arrived_s: float, idle_s: float
) -> Any:
    try:
        ping = Ping.from_event(event)
    except PingError as error:
        return refusal(error)
    _warm(host, ping, context)
    held_s = hold_s(ping, host.clock.wall_s(), _remaining_s(context))
    if held_s:
        host.clock.sleep(held_s)
    strangers = {
        name: ModelReport(
            level=Level.COLD, version="", problem=f"no model {name!r}; there are {', '.join(sorted(host))}"
        )
        for name in ping.models
        if name not in host and name not in host.unreadable
    }
    return Reply(
        environment=host.life.environment,
        initialization=host.settings.initialization,
        cold=cold,
        age_s=round(arrived_s, 3),
        idle_s=round(idle_s, 3),
        requests=host.life.take_requests(),
        held_ms=round(held_s * 1e3, 3),
        init_ms=round(host.init_ms, 3),
        models=host.take_report() | strangers,
        models_mb=host.settings.memory_mb if host.settings.memory_mb != float("inf") else 0.0,
    ).to_payload()


def _warm(host: ModelHost, ping: Ping, context: Any) -> None:
    host.leave_if_worthless(ping.departures)
    deadline_s = host.clock.steady_s() + _remaining_s(context) * WORK_SHARE
    if ping.every:
        host.verify_every_model(deadline_s)
    else:
        host.warm(ping.models, deadline_s)
    host.leave_if_worthless(ping.departures)


def _remaining_s(context: Any) -> float:
    return float(context.get_remaining_time_in_millis()) / 1e3
