"""What can be set of the local cloud, at its start or while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

ROUTINGS = ("recent", "oldest", "random")


class SettingsError(ValueError):
    """A setting out of its range; the text says what was given and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Durations are virtual seconds but for `init_limit_s`, which is real: INIT is real work."""

    idle_ttl_s: float = 600.0
    """How long an idle environment lives. Undocumented by AWS; published measurements say 5 to 60 min."""
    routing: str = "recent"
    """Which idle environment takes the next event: the most recently used, the oldest, or any."""
    metric_delay_s: float = 120.0
    """How long after its minute a datapoint of AWS/Lambda can be read; CloudWatch is about two minutes late."""
    init_limit_s: float = 10.0
    """INIT on demand is cut off here and run again inside the invocation
    (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html)."""
    provisioned_init_limit_s: float = 900.0
    allocation_s: float = 0.0
    """What allocating provisioned concurrency takes beyond INIT; one to two minutes on AWS."""
    account_concurrency: int = 1000

    def __post_init__(self) -> None:
        if self.routing not in ROUTINGS:
            raise SettingsError(f"routing must be one of {', '.join(ROUTINGS)}, was: {self.routing!r}")
        for name in (one.name for one in fields(self) if one.name != "routing"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise SettingsError(f"{name} must be a number from 0, was: {value!r}")

    def changed(self, values: Mapping[str, Any]) -> Settings:
        """These settings with some replaced; raises SettingsError."""
        known = {one.name for one in fields(self)}
        if unknown := values.keys() - known:
            raise SettingsError(f"unknown settings {sorted(unknown)}; allowed: {', '.join(sorted(known))}")
        return replace(self, **values)


@dataclass(slots=True)
class Current:
    """The settings in force, behind one name that every part holds."""

    value: Settings
