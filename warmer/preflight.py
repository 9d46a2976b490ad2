"""The deployment hook (CodeDeploy, BeforeAllowTraffic): warms the new version, judges it beside the old, answers.

Whatever goes wrong here, the deployment fails: a version nobody could judge takes no traffic.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import boto3
from preheat.ping import MAX_HOLD_S, Level, Reply

from warmer.adapters.histories import DynamoHistories
from warmer.adapters.invocation import LambdaEndpoint
from warmer.adapters.pings import Asked, LambdaPinger
from warmer.adapters.pings import Limits as SendingLimits
from warmer.adapters.volley import Timeouts
from warmer.app import AWS, Context, log
from warmer.gate import Limits, Verdict, incomplete, judge, verified
from warmer.policy.values import Round, Target

HOLD_S = 0.1
MOST = 900
"""Environments that one sender can reach at once."""
ASKED_OF_OLD = 2
"""Environments of the version that serves: each is kept from customers while it is asked, and two say how fast."""
AGAIN = 5
"""How often in vain a step is asked again for environments that a busy sender missed, or models not yet verified."""
TURNS = 3
"""How often both versions are timed in turn where the new one was slower by the times of each one's own start."""
RESERVE_S = 10.0
"""Of the hook's own time, kept for its answer to CodeDeploy."""
_VERSION = re.compile(r"(?:.*:)?([A-Za-z0-9_-]+):(\d+)")


class Asker(Protocol):
    """Asks the environments of a target what they are, until an instant of its clock at the latest."""

    def ask(self, wanted: Round, until_s: float) -> Asked: ...


@dataclass(frozen=True, slots=True)
class Preflight:
    """Warms and judges one version."""

    asker: Asker
    limits: Limits
    clock: Callable[[], float]

    def judge(self, new: Target, old: Target | None, until_s: float) -> Verdict:
        """The verdict on `new`, warmed in steps of 1, 2, 4…, so that a version that cannot start is paid for once.

        Times are compared at the last step, and in turn where `new` is slower by those. `old` is the alias (or
        version) that serves now; None for a first deployment. Over at `until_s` at the latest.
        """
        few = min(self.limits.environments, ASKED_OF_OLD)
        before = self._reach(old, few, {}, until_s) if old else Asked((), ())
        levels = {name: Level.HOT.name for reply in before.replies for name in reply.models}
        if silent := (*before.problems, *before.unreached):
            return judge((), (), self.limits, [f"{old} (old): {problem}" for problem in silent])
        environments = 1
        while True:
            asked = self._reach(new, environments, levels, until_s)
            last = environments >= self.limits.environments
            step = replace(self.limits, environments=environments, ratio=math.inf)
            verdict = judge(asked.replies, before.replies, step, (*asked.problems, *asked.unreached))
            if not verdict.passed:
                return verdict
            if last:
                compared = judge(asked.replies, before.replies, self.limits)
                if compared.passed or not old:
                    return compared
                return self._in_turn(new, old, asked.replies, levels, until_s) or compared
            if self.clock() >= until_s:
                return judge(asked.replies, before.replies, self.limits, ["the hook's own time is over"])
            environments = min(2 * environments, self.limits.environments)

    def _reach(self, target: Target, environments: int, levels: Mapping[str, str], until_s: float) -> Asked:
        """As many environments as asked for, each as it was found last; again where some were missed.

        They are missed where one is free again before the last ping of the round has come: so they are held longer
        then, and more are asked for.
        """
        found: dict[str, Reply] = {}
        known, in_vain = 0, -1
        while True:
            missed = environments - len(found) if found else 0
            hold_s = HOLD_S * 2 ** max(in_vain, 0)
            asked = self._ask(target, environments + max(missed, 0), levels, until_s, hold_s)
            found |= {reply.environment: reply for reply in asked.replies}
            seen = tuple(found.values())
            complete = not incomplete(seen, environments) and not asked.unreached
            known, before = verified(seen), known
            in_vain = 0 if known > before else in_vain + 1
            if complete or asked.problems or in_vain >= AGAIN or self.clock() >= until_s:
                return Asked(seen, asked.problems, asked.unreached)

    def _in_turn(
        self, new: Target, old: Target, after: Sequence[Reply], levels: Mapping[str, str], until_s: float
    ) -> Verdict | None:
        """The verdict where `new` was slower: each one's start saw a machine of its own, busy or idle, this or that.

        Both answer again, one after the other, and the best of these times count; each turn has one more environment
        of `new`, for its first answer. What is slower of itself stays so. None where time or the old version does
        not allow it.
        """
        few, most = min(self.limits.environments, ASKED_OF_OLD), self.limits.environments
        before, verdict = tuple[Reply, ...](), None
        found = {reply.environment: reply for reply in after}
        for turn in range(1, 1 + TURNS):
            if self.clock() >= until_s:
                break
            of_old = self._ask(old, few, {}, until_s)
            of_new = self._ask(new, most + turn, levels, until_s)
            if of_old.problems:
                break
            if not of_old.replies:
                continue
            before, after = (*before, *of_old.replies), (*after, *of_new.replies)
            found |= {reply.environment: reply for reply in of_new.replies}
            verdict = judge(tuple(found.values()), before, self.limits, of_new.problems, earlier=after)
            if verdict.passed or of_new.problems:
                break
        return verdict

    def _ask(
        self,
        target: Target,
        environments: int,
        levels: Mapping[str, str],
        until_s: float,
        hold_s: float = HOLD_S,
    ) -> Asked:
        """What so many environments say once every model of theirs is verified; `levels` names those that must be."""
        wanted = Round(
            target=target,
            environments=min(environments, MOST),
            hold_s=min(hold_s, MAX_HOLD_S),
            levels=levels,
            every=True,
        )
        return self.asker.ask(wanted, until_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The hook's settings by environment variable."""

    version: Target
    alias: str
    environments: int
    """The least that must be warm and sound; more where the version that serves has more."""
    ratio: float
    topic: str
    table: str = ""
    """The warmer's table, which knows how many the version that serves has; empty leaves it at `environments`."""

    @staticmethod
    def of(variables: Mapping[str, str]) -> Environment:
        """Parse; raises ValueError naming the variable, the value and what is allowed."""
        named = variables.get("PREFLIGHT_VERSION", "")
        if not (shape := _VERSION.fullmatch(named)):
            raise ValueError(
                f"PREFLIGHT_VERSION must be the ARN of a version (!Ref Fn.Version), was: {named!r}"
            )
        return Environment(
            version=Target(shape.group(1), shape.group(2)),
            alias=variables.get("PREFLIGHT_ALIAS", "live"),
            environments=int(_number(variables, "PREFLIGHT_ENVIRONMENTS", "2", 1, MOST)),
            ratio=_number(variables, "PREFLIGHT_RATIO", "1.5", 1, 100),
            topic=variables.get("PREFLIGHT_TOPIC", ""),
            table=variables.get("PREFLIGHT_TABLE", ""),
        )


class Deployments(Protocol):
    """What is asked of boto3's client `codedeploy`."""

    def put_lifecycle_event_hook_execution_status(self, **request: Any) -> Any: ...


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Judge the version and tell CodeDeploy Succeeded or Failed; a crash is Failed, and raised for the log."""

    def work() -> Verdict:
        environment = Environment.of(os.environ)
        left_s = context.get_remaining_time_in_millis() / 1000 - RESERVE_S
        session = boto3.Session()
        environments = environment.environments
        if environment.table:
            target = Target(environment.version.function, environment.alias)
            warm = kept_warm(session.client("dynamodb", config=AWS), environment.table, target)
            environments = min(max(environments, warm), MOST)
        verdict = check(
            session,
            environment.version,
            alias=environment.alias,
            environments=environments,
            ratio=environment.ratio,
            left_s=left_s,
        )
        log(_record(environment, verdict))
        if environment.topic:
            _tell(environment, verdict)
        return verdict

    deployments: Any = boto3.client("codedeploy", config=AWS)
    return answer(event, deployments, work)


def answer(event: Mapping[str, Any], deployments: Deployments, work: Callable[[], Verdict]) -> dict[str, Any]:
    """Tell CodeDeploy what `work` came to, and Failed where it came to nothing."""
    status = "Failed"
    try:
        verdict = work()
        status = "Succeeded" if verdict.passed else "Failed"
        return {"status": status, "doubts": list(verdict.doubts)}
    finally:
        deployments.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )


def kept_warm(client: Any, table: str, target: Target) -> int:
    """Environments that the warmer had ready of a target after its last round; raises RuntimeError where that cannot
    be read."""
    histories = DynamoHistories(client, table, run="preflight", until_s=0.0)
    loaded = histories.load([target])
    if target in loaded.failed:
        raise RuntimeError(f"how many environments are needed is not known: {loaded.failed[target].reason}")
    return int(loaded.history["reached"][0] + loaded.history["provisioned"][0])


def check(
    session: boto3.Session,
    version: Target,
    *,
    alias: str,
    environments: int,
    ratio: float,
    left_s: float,
) -> Verdict:
    """Judge `version` beside what `alias` serves now, within `left_s` seconds."""
    functions = session.client("lambda", config=AWS)
    credentials = session.get_credentials()
    assert credentials is not None, "no AWS credentials: on Lambda the role provides them"
    endpoint = LambdaEndpoint(functions.meta.endpoint_url, functions.meta.region_name, credentials)
    answer_s = max(
        1.0, min(60.0, left_s / 6)
    )  # six rounds at most wait for an environment that never answers
    pinger = LambdaPinger(endpoint, SendingLimits(timeouts=Timeouts(answer_s=answer_s)))
    facts = functions.get_function_configuration(FunctionName=version.function, Qualifier=version.alias)
    limits = Limits(environments=environments, ratio=ratio, memory_mb=facts["MemorySize"])
    old = _serving(functions, version.function, alias)
    until_s = time.time() + left_s
    return Preflight(pinger, limits, time.time).judge(version, None if old == version else old, until_s)


def _serving(functions: Any, function: str, alias: str) -> Target | None:
    """The version that the alias names now; None where there is no alias yet."""
    try:
        return Target(function, functions.get_alias(FunctionName=function, Name=alias)["FunctionVersion"])
    except functions.exceptions.ResourceNotFoundException:
        return None


def _record(environment: Environment, verdict: Verdict) -> dict[str, Any]:
    return {
        "event": "preflight",
        "version": str(environment.version),
        "passed": verdict.passed,
        "doubts": list(verdict.doubts),
        "report": verdict.report(),
    }


def _tell(environment: Environment, verdict: Verdict) -> None:
    topics: Any = boto3.client("sns", config=AWS)
    subject = f"{environment.version} {'passed' if verdict.passed else 'failed'} its preflight"
    topics.publish(TopicArn=environment.topic, Subject=subject[:100], Message=verdict.report())


def _number(variables: Mapping[str, str], name: str, default: str, low: float, high: float) -> float:
    text = variables.get(name, default)
    try:
        number = float(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise ValueError(f"{name} must be {low:g} to {high:g}, was: {text!r}")
    return number
