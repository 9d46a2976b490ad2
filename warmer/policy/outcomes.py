"""What became of one target in one cycle, ready to be logged as one JSON line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from warmer.policy.values import Expected, Reason, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A plan and what carrying it out came to."""

    target: Target
    at_s: float
    reason: Reason
    pings: int = 0
    """Environments asked for; `reached` is how many distinct ones answered, `made` how many of those were new."""
    hold_s: float = 0.0
    reached: int = 0
    made: int = 0
    unsound: tuple[str, ...] = ()
    """Models in quarantine in any of the environments reached."""
    provisioned: int | None = None
    """Provisioned concurrency asked for in this cycle; None where it was left alone."""
    said: str = ""
    """Its status and why, in the words of Lambda or of what asked; empty where it was not looked at."""
    provisioned_failed: bool = False
    """Whether Lambda says that its allocation failed."""
    spent_usd: float | None = None
    """This month on rounds and provisioned concurrency, before this cycle; None where nothing could be planned."""
    budget_used: float | None = None
    """Share of the month's budget that is spent; None without one."""
    levels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """In how many of the environments reached each model was found at which level, after the ping's work."""
    expected: Expected | None = None
    """Until the next look, with the plan and without; None where nothing could be planned."""
    basis: str = ""
    next_look_s: float = 0.0
    problems: tuple[str, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """The log line's fields: numbers rounded to what they mean, names flat."""
        expected = asdict(self.expected) if self.expected else {}
        return {
            "event": "plan",
            "target": str(self.target),
            "at_s": round(self.at_s, 3),
            "reason": self.reason.value,
            "pings": self.pings,
            "hold_ms": round(self.hold_s * 1000, 1),
            "reached": self.reached,
            "made": self.made,
            "unsound": list(self.unsound),
            "provisioned": self.provisioned,
            "said": self.said,
            "provisioned_failed": self.provisioned_failed,
            "spent_usd": None if self.spent_usd is None else float(f"{self.spent_usd:.6g}"),
            "budget_used": self.budget_used,
            "levels": {name: dict(found) for name, found in self.levels.items()},
            **{name: float(f"{value:.6g}") for name, value in expected.items()},
            "basis": self.basis,
            "next_look_s": round(self.next_look_s, 3),
            "problems": list(self.problems),
        }
