"""The log subscription's handler: a burst that begins is met in seconds, by bounded pings and nothing else.

An environment whose cold start a customer waited for says so in its log; CloudWatch Logs delivers such records within
seconds. More are likely to follow, so a few environments are made ready now. What was told is kept in the table: it
makes the target due at the next cycle, which does the rest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import boto3

from warmer.adapters.cooldown import Cooldown
from warmer.adapters.told import ToldColdStarts
from warmer.announcements import announced
from warmer.app import AWS, Environment, Warmer, log
from warmer.policy.values import Failed, Round, RoundReport, Target
from warmer.ports import Pinger
from warmer.settings import Settings

GROWTH = 2
"""Environments asked for, for each that a customer waited for: a burst that doubles again is met."""
MOST = 20
"""However large the burst: what is more than this is the cycle's to decide, which knows what it costs."""
HOLD_S = 0.04


class Cooled(Protocol):
    """Lets one answer to a burst through, a target a while."""

    def begin(self, target: Target, now_s: float) -> bool: ...


class Told(Protocol):
    """Keeps announced cold starts for the next cycle."""

    def tell(self, target: Target, instants_s: Mapping[str, float], now_s: float) -> Failed | None: ...


@dataclass(frozen=True, slots=True)
class Burst:
    """Answers announcements; its clock is the machine's, since the pings are."""

    settings: Callable[[float], tuple[Mapping[Target, Settings], Mapping[Target, Failed]]]
    cooldown: Cooled
    told: Told
    pinger: Pinger
    clock: Callable[[], float] = time.time
    dry_run: bool = False

    def answer(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A record a target that the announced functions have; what is not the warmer's is passed over."""
        heard = announced(event)
        if not heard:
            return []
        now_s = self.clock()
        wanted, held = self.settings(now_s)
        known = {target: heard[target.function] for target in wanted if target.function in heard}
        rounds = [_round(target, len(known[target]), wanted[target]) for target in known]
        on = [one for one in rounds if one.environments and not self.dry_run]
        untold = {one.target: self.told.tell(one.target, known[one.target], now_s) for one in on}
        due = [one for one in on if self.cooldown.begin(one.target, now_s)]
        reports = self.pinger.send(due) if due else {}
        unsent = "dry_run" if self.dry_run else "cooled_down"
        records = [
            _record(one, len(known[one.target]), reports.get(one.target), unsent, untold.get(one.target))
            for one in rounds
        ]
        return records + [_held(target, why) for target, why in held.items() if target.function in heard]


@cache
def burst() -> Burst:
    """One a Lambda environment."""
    session, environment = boto3.Session(), Environment.of(os.environ)
    warmer = Warmer(environment, session)
    table = session.client("dynamodb", config=AWS)
    return Burst(
        warmer.catalogue.settings,
        Cooldown(table, environment.table),
        ToldColdStarts(table, environment.table),
        warmer.pinger,
        dry_run=environment.dry_run,
    )


def handler(event: Mapping[str, Any], context: Any) -> list[dict[str, Any]]:
    """Answer one delivery of the subscription filter `{ $.customer_cold_start IS TRUE }`."""
    records = burst().answer(event)
    for record in records:
        log({**record, "run": context.aws_request_id})
    return records


def _round(target: Target, announced: int, settings: Settings) -> Round:
    environments = min(GROWTH * announced + 1, MOST, settings.objective.ceiling) if settings.enabled else 0
    return Round(target=target, environments=environments, hold_s=HOLD_S, levels=settings.levels)


def _record(
    one: Round, announced: int, report: RoundReport | Failed | None, unsent: str, untold: Failed | None
) -> dict[str, Any]:
    sightings = report.sightings if isinstance(report, RoundReport) else ()
    problems = [why.reason for why in (untold, report) if isinstance(why, Failed)]
    return {
        "event": "burst",
        "target": str(one.target),
        "announced": announced,
        "pings": report.sent if isinstance(report, RoundReport) else one.environments if report else 0,
        "reached": len(sightings),
        "made": sum(sighting.cold for sighting in sightings),
        "reason": _reason(one, report, unsent),
        **({"problems": problems} if problems else {}),
    }


def _reason(one: Round, report: RoundReport | Failed | None, unsent: str) -> str:
    if report is None:
        return unsent if one.environments else "off"
    return "unknown" if isinstance(report, Failed) else "announced_cold_start"


def _held(target: Target, why: Failed) -> dict[str, Any]:
    return {"event": "held", "target": str(target), "reason": "unknown", "problems": [why.reason]}
