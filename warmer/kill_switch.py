"""Stops pinging a target whose warm-ups fail: every further ping would pay for one more INIT that comes to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from warmer.policy.values import Failed, Round, RoundReport, Target
from warmer.ports import Pinger

ALLOWED = 3
"""Failed rounds in a row before the switch opens."""
FIRST_PAUSE_S = 900.0
LONGEST_PAUSE_S = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Strikes:
    """Failed rounds in a row, and until when no round is sent."""

    failures: int = 0
    paused_until_s: float = 0.0


class StrikeBook(Protocol):
    """Keeps the strikes of each target between cycles."""

    def strikes(self, target: Target) -> Strikes: ...

    def strike(self, target: Target, strikes: Strikes) -> None: ...


def after(strikes: Strikes, report: RoundReport | Failed, now_s: float) -> Strikes:
    """The strikes once a round has been sent; each further failure doubles the pause, one good round clears all."""
    if not failed(report):
        return Strikes()
    failures = strikes.failures + 1
    if failures < ALLOWED:
        return Strikes(failures=failures)
    pause_s = min(FIRST_PAUSE_S * 2 ** (failures - ALLOWED), LONGEST_PAUSE_S)
    return Strikes(failures=failures, paused_until_s=now_s + pause_s)


def failed(report: RoundReport | Failed) -> bool:
    """Whether most of a round's pings met a failing function; being refused (throttled) is not the function's fault."""
    return isinstance(report, Failed) or report.failed > len(report.sightings)


@dataclass(frozen=True, slots=True)
class GuardedPinger:
    """A Pinger that sends nothing to a target whose switch is open, and one ping only to try it again."""

    inner: Pinger
    book: StrikeBook
    now_s: float

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        """As the port says; a target that is paused has a Failed that says until when."""
        paused = {one.target: self._pause(one.target) for one in rounds}
        free = [self._trial(one) for one in rounds if not paused[one.target]]
        reports = self.inner.send(free) if free else {}
        for target, report in reports.items():
            self.book.strike(target, after(self.book.strikes(target), report, self.now_s))
        return {**{target: Failed(why) for target, why in paused.items() if why}, **reports}

    def _pause(self, target: Target) -> str:
        strikes = self.book.strikes(target)
        left_s = strikes.paused_until_s - self.now_s
        return (
            f"kill switch: {strikes.failures} rounds failed in a row, none is sent for {left_s:.0f} s"
            if left_s > 0
            else ""
        )

    def _trial(self, one: Round) -> Round:
        tripped = self.book.strikes(one.target).failures >= ALLOWED
        return replace(one, environments=1) if tripped else one
