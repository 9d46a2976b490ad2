"""Events `preheat.expect`: someone who knows asks for warmth ahead of time. Parsed and checked here. Pure.

{"detail-type": "preheat.expect", "detail": {"target": "recommend:live", "from": "2026-11-27T17:55:00Z",
"until": "2026-11-27T20:00:00Z", "count": 20}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from warmer.policy.values import Expectation, Target

DETAIL_TYPE = "preheat.expect"
LONGEST_S = 7 * 86_400.0
"""What lasts longer is a floor, or a window of the calendar."""
FURTHEST_S = 90 * 86_400.0
MOST_ENVIRONMENTS = 10_000
MOST = 50
"""Expectations of all targets together: they are kept in one item."""
FIELDS = {"target", "from", "until", "count"}


class ExpectError(ValueError):
    """An event that cannot be used; the text names the field, what was given and what is allowed."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Who is expected, when."""

    target: Target
    expectation: Expectation


def parse(event: Mapping[str, Any], targets: Sequence[Target], now_s: float) -> Expected:
    """The event's expectation of one of `targets`; raises ExpectError."""
    detail = event.get("detail")
    if not isinstance(detail, Mapping) or detail.keys() != FIELDS:
        raise ExpectError(f"detail must have {', '.join(sorted(FIELDS))} and nothing else, was: {detail!r}")
    named = {str(target): target for target in targets}
    name = detail["target"]
    if not isinstance(name, str) or (target := named.get(name)) is None:
        allowed = ", ".join(named) or "none"
        raise ExpectError(f"target must be one that is kept warm ({allowed}), was: {name!r}")
    count = detail["count"]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_ENVIRONMENTS:
        raise ExpectError(f"count must be a whole number, 1 to {MOST_ENVIRONMENTS}, was: {count!r}")
    from_s, until_s = (_instant(name, detail[name]) for name in ("from", "until"))
    if not from_s < until_s:
        raise ExpectError(f"until must be after from ({detail['from']}), was: {detail['until']!r}")
    if until_s <= now_s:
        raise ExpectError(f"until must lie ahead, was: {detail['until']!r}")
    if until_s - from_s > LONGEST_S:
        raise ExpectError(f"from and until must be at most {LONGEST_S / 86_400:g} days apart")
    if from_s - now_s > FURTHEST_S:
        raise ExpectError(f"from must be within {FURTHEST_S / 86_400:g} days, was: {detail['from']!r}")
    return Expected(target, Expectation(from_s=from_s, until_s=until_s, floor=count))


def _instant(name: str, text: Any) -> float:
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ExpectError(f"{name} must be ISO 8601 with its zone, as in 2026-11-27T18:00:00Z, was: {text!r}")
    return instant.astimezone(UTC).timestamp()
