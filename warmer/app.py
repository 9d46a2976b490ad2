"""The schedule's handler: one cycle an invocation. Clients, clock and environment are touched here only."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

import boto3
from botocore.config import Config

from warmer.adapters.cloudwatch import CloudWatchDemand
from warmer.adapters.departure import PunctualPinger
from warmer.adapters.expected import DynamoExpected
from warmer.adapters.histories import ROUTES, Due, DynamoHistories
from warmer.adapters.invocation import LambdaEndpoint
from warmer.adapters.pings import LambdaPinger
from warmer.adapters.provisioned import LambdaProvisioner
from warmer.adapters.shifts import Routes, ShiftingPinger, ShiftingProvisioner, read_routes
from warmer.adapters.targets import Catalogue, Found, parse_targets
from warmer.adapters.told import DynamoColdStarts
from warmer.cycle import run_cycle
from warmer.dry_run import NoPinger, ReadOnlyHistories, ReadOnlyProvisioner
from warmer.expectations import DETAIL_TYPE, ExpectError, parse
from warmer.kill_switch import GuardedPinger
from warmer.metrics import KEPT, emf
from warmer.policy.history import History
from warmer.policy.outcomes import Outcome
from warmer.policy.preheat import Preheat
from warmer.policy.values import Expectation, Failed, Target, Terms
from warmer.ports import Ports
from warmer.settings import fingerprint

AWS = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=3,
    read_timeout=10,
    max_pool_connections=16,  # as many as an adapter has threads
)
"""For the calls that read and write facts. Pings do not go through boto3 and are never retried by a client."""


class Context(Protocol):
    """What is asked of Lambda's context."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The function's settings by environment variable."""

    table: str
    targets: tuple[Target, ...]
    parameter: str
    dry_run: bool
    autoscaling: str
    function: str
    announces: tuple[Target, ...] = ()
    """Targets of which a log subscription tells the cold starts (`warmer.burst`)."""
    shifts: tuple[Target, ...] = ()
    """Targets whose alias CodeDeploy shifts from version to version."""
    metrics: str = "full"
    """How many metrics are told of (`warmer.metrics.KEPT`)."""

    @staticmethod
    def of(variables: Mapping[str, str]) -> Environment:
        """Parse; raises ValueError naming the variable, the value and what is allowed."""
        if not (table := variables.get("WARMER_TABLE", "")):
            raise ValueError("WARMER_TABLE must name the DynamoDB table of histories, was: ''")
        return Environment(
            table=table,
            targets=parse_targets("WARMER_TARGETS", variables.get("WARMER_TARGETS", "")),
            parameter=variables.get("WARMER_SETTINGS", ""),
            dry_run=_truth("WARMER_DRY_RUN", variables.get("WARMER_DRY_RUN", "")),
            autoscaling=_one_of(
                "WARMER_AUTOSCALING", variables.get("WARMER_AUTOSCALING", "move"), "move", "leave", "off"
            ),
            function=variables.get("AWS_LAMBDA_FUNCTION_NAME", "warmer"),
            announces=parse_targets("WARMER_ANNOUNCES", variables.get("WARMER_ANNOUNCES", "")),
            shifts=parse_targets("WARMER_SHIFTS", variables.get("WARMER_SHIFTS", "")),
            metrics=_one_of("WARMER_METRICS", variables.get("WARMER_METRICS", "full"), *KEPT),
        )


@dataclass(slots=True)
class Warmer:
    """What outlives a cycle in one Lambda environment: clients, what the pinger learnt, what is known to be not due."""

    environment: Environment
    session: boto3.Session
    due: dict[Target, Due] = field(default_factory=dict)
    expected: Mapping[Target, tuple[Expectation, ...]] = field(default_factory=dict)
    """As read last: where they cannot be read, these still hold."""
    lambda_: Any = field(init=False)
    catalogue: Catalogue = field(init=False)
    demand: CloudWatchDemand = field(init=False)
    provisioner: LambdaProvisioner = field(init=False)
    pinger: LambdaPinger = field(init=False)
    table: Any = field(init=False)

    def __post_init__(self) -> None:
        def made(service: Any) -> Any:
            return self.session.client(service, config=AWS)

        functions, env = made("lambda"), self.environment
        self.lambda_ = functions
        self.table = made("dynamodb")
        self.catalogue = Catalogue(
            functions, made("resourcegroupstaggingapi"), made("ssm"), env.parameter, env.targets
        )
        self.demand = CloudWatchDemand(made("cloudwatch"))
        self.provisioner = LambdaProvisioner(
            functions,
            made("application-autoscaling") if env.autoscaling != "off" else None,
            move_minimum=env.autoscaling == "move",
        )
        credentials = self.session.get_credentials()
        assert credentials is not None, "no AWS credentials: on Lambda the role provides them"
        self.pinger = LambdaPinger(
            LambdaEndpoint(functions.meta.endpoint_url, functions.meta.region_name, credentials)
        )

    def cycle(self, now_s: float, context: Context) -> tuple[Found, list[Outcome]]:
        """Find the targets and look at each that is due."""
        found = self._expecting(self.catalogue.find(now_s), now_s)
        targets, env = [configured.target for configured in found.configured], self.environment
        routes = read_routes(self.lambda_, [target for target in targets if target in env.shifts])
        told = DynamoColdStarts(self.table, env.table, frozenset(env.announces), keeps=env.dry_run)
        histories = DynamoHistories(
            self.table,
            env.table,
            run=context.aws_request_id,
            until_s=time.time() + context.get_remaining_time_in_millis() / 1000,
            due=self.due,
            awake=told.awake(targets),
            settings={
                c.target: fingerprint(c.objective, c.levels) + marked(routes, c.target)
                for c in found.configured
            },
        )
        try:
            ports = replace(self._ports(histories, routes, now_s), cold_starts=told)
            # metrics are only a check where the cold starts of every target are told
            terms = Terms(send_s=self.pinger.rate.per_ping_s, announces=set(targets) <= set(env.announces))
            return found, run_cycle(found.configured, ports, Preheat(), now_s, terms)
        finally:
            histories.release()

    def expect(self, event: Mapping[str, Any], now_s: float) -> dict[str, Any]:
        """Keep what an event `preheat.expect` tells, or say why not; not an error, since events are delivered again."""
        record = {"event": "expect", "detail": event.get("detail"), "dry_run": self.environment.dry_run}
        settings, held = self.catalogue.settings(now_s)
        try:
            told = parse(event, [*settings, *held], now_s)
        except ExpectError as refusal:
            return {**record, "problems": [str(refusal)]}
        if self.environment.dry_run:
            return record
        failed = DynamoExpected(self.table, self.environment.table).add(told, now_s)
        return {**record, **({"problems": [failed.reason]} if failed else {})}

    def _expecting(self, found: Found, now_s: float) -> Found:
        """The targets with what is expected of them."""
        known = DynamoExpected(self.table, self.environment.table).read(now_s)
        if isinstance(known, Failed):
            log({"event": "expect", "problems": [known.reason]})
        else:
            self.expected = known
        return replace(
            found,
            configured=tuple(
                replace(c, objective=replace(c.objective, expected=self.expected.get(c.target, ())))
                for c in found.configured
            ),
        )

    def _ports(self, histories: DynamoHistories, routes: Routes, now_s: float) -> Ports[History]:
        if self.environment.dry_run:
            return Ports(
                demand=self.demand,
                provisioner=ReadOnlyProvisioner(self.provisioner),
                pinger=NoPinger(),
                histories=ReadOnlyHistories(histories),
            )
        return Ports(
            demand=self.demand,
            provisioner=ShiftingProvisioner(self.provisioner, routes),
            pinger=GuardedPinger(
                ShiftingPinger(PunctualPinger(self.pinger, now_s), routes), histories, now_s
            ),
            histories=histories,
        )


def marked(routes: Routes, target: Target) -> str:
    """What a fingerprint says of routing: nothing where that is not known."""
    mark = routes.mark(target)
    return f"{ROUTES}{mark}" if mark else ""


@cache
def warmer() -> Warmer:
    """One a Lambda environment, made by its first cycle."""
    return Warmer(Environment.of(os.environ), boto3.Session())


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Run one cycle for the instant the schedule names, and answer a summary with what went wrong by target; or keep
    what an event `preheat.expect` tells."""
    if event.get("detail-type") == DETAIL_TYPE:
        record = warmer().expect(event, time.time())
        log({**record, "run": context.aws_request_id})
        return record
    return tick(warmer(), event, context)


def tick(this: Warmer, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The handler, given its warmer."""
    now_s = scheduled_s(event)
    found, outcomes = this.cycle(now_s, context)
    dry_run = this.environment.dry_run
    for outcome in outcomes:
        log({**outcome.to_record(), "dry_run": dry_run, "run": context.aws_request_id})
    for target, why in found.held.items():
        log(_held(target, why, now_s, context))
    summary = summarise(now_s, found, outcomes, dry_run)
    log(emf(this.environment.function, summary, this.environment.metrics))
    return summary


def scheduled_s(event: Mapping[str, Any]) -> float:
    """The cycle's instant, Unix s: the schedule's own, or now where no schedule sent the event."""
    text = event.get("scheduled_time", "")
    if not text or text.startswith("<"):  # the placeholder, as `sam local` and a bare tick leave it
        return time.time()
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"scheduled_time must be ISO 8601, as in 2026-11-24T13:50:00Z, was: {text!r}"
        ) from error
    return instant.replace(tzinfo=instant.tzinfo or UTC).timestamp()


def summarise(now_s: float, found: Found, outcomes: Sequence[Outcome], dry_run: bool) -> dict[str, Any]:
    """What one cycle came to, over all targets."""
    problems = {str(target): why.reason for target, why in found.held.items()}
    problems |= {str(o.target): "; ".join(o.problems) for o in outcomes if o.problems}
    return {
        "at_s": now_s,
        "dry_run": dry_run,
        "targets": len(found.configured) + len(found.held) + len(found.off),
        "looked_at": len(outcomes),
        "off": [str(target) for target in found.off],
        "pings": sum(o.pings for o in outcomes),
        "reached": sum(o.reached for o in outcomes),
        "made": sum(o.made for o in outcomes),
        "expected_cost_usd": sum(o.expected.cost_usd for o in outcomes if o.expected),
        "provisioned_failed": sum(o.provisioned_failed for o in outcomes),
        "budget_used": max((o.budget_used for o in outcomes if o.budget_used is not None), default=None),
        "problems": problems,
    }


def _held(target: Target, why: Failed, now_s: float, context: Context) -> dict[str, Any]:
    outcome = {"event": "held", "target": str(target), "at_s": round(now_s, 3), "reason": "unknown"}
    return {**outcome, "problems": [why.reason], "run": context.aws_request_id}


def log(record: Mapping[str, Any]) -> None:
    """One line of JSON, as CloudWatch Logs searches it."""
    sys.stdout.write(json.dumps(record) + "\n")


def _truth(name: str, text: str) -> bool:
    words = {"": False, "false": False, "0": False, "no": False, "true": True, "1": True, "yes": True}
    if text.lower() not in words:
        raise ValueError(f"{name} must be true or false, was: {text!r}")
    return words[text.lower()]


def _one_of(name: str, text: str, *allowed: str) -> str:
    if text not in allowed:
        raise ValueError(f"{name} must be {', '.join(allowed[:-1])} or {allowed[-1]}, was: {text!r}")
    return text
