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
from warmer.adapters.histories import DynamoHistories
from warmer.adapters.told import ToldColdStarts
from warmer.announcements import announced
from warmer.app import AWS, Environment, Warmer, log
from warmer.kill_switch import ALLOWED, Strikes
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
    strikes: Callable[[Target], Strikes | Failed]
    """The kill switch's state as the last cycle left it."""
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
        unsent = {one.target: self._why_not(one, wanted[one.target], now_s) for one in rounds}
        due = [one for one in rounds if not unsent[one.target]]
        reports = self.pinger.send(due) if due else {}
        records = []
        for one in rounds:
            answer = reports.get(one.target) or unsent[one.target]
            records.append(_record(one, len(known[one.target]), answer, untold.get(one.target)))
        return records + [_held(target, why) for target, why in held.items() if target.function in heard]

    def _why_not(self, one: Round, settings: Settings, now_s: float) -> str | Failed:
        """Why no round is sent now; empty where one is, which begins the target's cooling down."""
        if not one.environments:
            return "off"
        if self.dry_run:
            return "dry_run"
        if settings.objective.monthly_budget_usd is not None:
            return "budget"  # the cycle knows what is left of it
        strikes = self.strikes(one.target)
        if isinstance(strikes, Failed):
            return strikes
        if strikes.failures >= ALLOWED:
            return "kill_switch"  # when one ping may try again is the cycle's to say
        return "" if self.cooldown.begin(one.target, now_s) else "cooled_down"


@cache
def burst() -> Burst:
    """One a Lambda environment."""
    session, environment = boto3.Session(), Environment.of(os.environ)
    warmer = Warmer(environment, session)
    table = session.client("dynamodb", config=AWS)
    return Burst(
        warmer.catalogue.settings,
        read_strikes(table, environment.table),
        Cooldown(table, environment.table),
        ToldColdStarts(table, environment.table),
        warmer.pinger,
        dry_run=environment.dry_run,
    )


def read_strikes(table: Any, name: str) -> Callable[[Target], Strikes | Failed]:
    """Strikes out of the target's history item, which is read and not leased."""

    def strikes(target: Target) -> Strikes | Failed:
        histories = DynamoHistories(table, name, run="burst", until_s=0.0)
        return histories.load([target]).failed.get(target) or histories.strikes(target)

    return strikes


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
    one: Round, announced: int, answer: RoundReport | Failed | str, untold: Failed | None
) -> dict[str, Any]:
    """`answer` is what the round found, or why there was none."""
    report = answer if isinstance(answer, RoundReport) else RoundReport(sightings=(), sent=0)
    unsound = sorted({name for sighting in report.sightings for name in sighting.unsound})
    problems = [why.reason for why in (untold, answer) if isinstance(why, Failed)]
    problems += [f"{name} is unsound" for name in unsound]
    reason = "announced_cold_start" if isinstance(answer, RoundReport) else "unknown"
    return {
        "event": "burst",
        "target": str(one.target),
        "announced": announced,
        "pings": report.sent,
        "reached": len(report.sightings),
        "made": sum(sighting.cold for sighting in report.sightings),
        "reason": answer if isinstance(answer, str) else reason,
        **({"problems": problems} if problems else {}),
    }


def _held(target: Target, why: Failed) -> dict[str, Any]:
    return {"event": "held", "target": str(target), "reason": "unknown", "problems": [why.reason]}
