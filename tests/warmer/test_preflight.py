"""A new version takes traffic when every environment of it is sound and no slower; any doubt is a no."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.credentials import Credentials
from preheat.frozen import replace
from preheat.ping import Level, Reply
from preheat_tools.bench.stand_in import Response, StandIn

from tests.warmer.local_lambda import serving
from tests.warmer.replies import GOOD, TWO, model, reply
from warmer.adapters.histories import DynamoHistories
from warmer.adapters.invocation import LambdaEndpoint
from warmer.adapters.pings import Asked, LambdaPinger
from warmer.adapters.pings import Limits as SendingLimits
from warmer.adapters.volley import Timeouts
from warmer.gate import Limits, Verdict
from warmer.policy.history import History
from warmer.policy.values import Round, Target
from warmer.preflight import HOLD_S, Environment, Preflight, answer, kept_warm

EVENT = json.loads((Path(__file__).parents[2] / "events" / "codedeploy_hook.json").read_text())
OLD, NEW = Target("f", "1"), Target("f", "2")


@dataclass
class Scripted:
    """Environments by target; keeps the rounds that were asked."""

    replies: dict[Target, list[Reply]]
    problems: dict[Target, tuple[str, ...]] = field(default_factory=dict)
    asked: list[Round] = field(default_factory=list)

    def ask(self, wanted: Round, until_s: float) -> Asked:
        self.asked.append(wanted)
        known = self.replies.get(wanted.target, [])[: wanted.environments]
        return Asked(tuple(known), self.problems.get(wanted.target, ()))


def preflight(asker: Scripted, environments: int = 5, now_s: float = 0.0) -> Preflight:
    return Preflight(asker, Limits(environments=environments), lambda: now_s)


def test_most_environments_of_the_old_version_are_left_to_its_customers() -> None:
    asker = Scripted({OLD: [reply(str(n)) for n in range(8)], NEW: [reply(str(n)) for n in range(8)]})
    assert preflight(asker, environments=8).judge(NEW, OLD, until_s=60).passed
    assert {one.environments for one in asker.asked if one.target == OLD} == {2}


def test_a_version_is_warmed_in_steps_and_each_model_asked_for_hot() -> None:
    asker = Scripted({NEW: [reply(str(i)) for i in range(5)], OLD: [reply("0")]})
    assert preflight(asker).judge(NEW, OLD, until_s=60).passed
    rounds = [one for one in asker.asked if one.target == NEW]
    assert [one.environments for one in rounds] == [1, 2, 4, 5]
    assert all(one.every and one.levels == {"a": "HOT", "b": "HOT"} for one in rounds)


@dataclass
class Crowded(Scripted):
    """Environments of the new version that are found a round later each: other work kept pings from them."""

    late: int = 0

    def ask(self, wanted: Round, until_s: float) -> Asked:
        found = super().ask(wanted, until_s)
        if wanted.target != NEW or wanted.environments < 3 or self.late <= 0:
            return found
        self.late -= 1
        return Asked(found.replies[:-1], found.problems)


def test_environments_that_a_busy_sender_missed_are_asked_for_again() -> None:
    asker = Crowded({NEW: [reply(str(n)) for n in range(3)], OLD: [reply("0")]}, late=2)
    assert preflight(asker, environments=3).judge(NEW, OLD, until_s=60).passed
    rounds = [(one.environments, one.hold_s) for one in asker.asked if one.target == NEW]
    assert rounds == [(1, HOLD_S), (2, HOLD_S), (3, HOLD_S), (4, HOLD_S), (4, 2 * HOLD_S)]


@dataclass
class Refusing(Scripted):
    """A Lambda that takes a ping or two less at first: throttled, or out of order for a moment."""

    refusals: int = 0
    of: Target = NEW

    def ask(self, wanted: Round, until_s: float) -> Asked:
        found = super().ask(wanted, until_s)
        if wanted.target != self.of or self.refusals <= 0:
            return found
        self.refusals -= 1
        return Asked(found.replies, (), ("1 pings were refused (429)",))


def test_a_step_goes_on_as_long_as_each_round_finds_something_new() -> None:
    class Slowly(Scripted):
        def ask(self, wanted: Round, until_s: float) -> Asked:
            found = super().ask(wanted, until_s)
            count = sum(one.target == NEW for one in self.asked) if wanted.target == NEW else 1
            return Asked(found.replies[:count], ())

    asker = Slowly({NEW: [reply(str(n)) for n in range(9)], OLD: [reply("0"), reply("o")]})
    assert preflight(asker, environments=9).judge(NEW, OLD, until_s=60).passed


@pytest.mark.parametrize("of", [NEW, OLD], ids=["the-new-version", "the-one-that-serves"])
def test_pings_that_came_to_no_environment_are_sent_again(of: Target) -> None:
    asker = Refusing({NEW: [reply("1")], OLD: [reply("0")]}, refusals=2, of=of)
    assert preflight(asker, environments=1).judge(NEW, OLD, until_s=60).passed


def test_pings_that_never_come_to_one_are_a_doubt() -> None:
    asker = Refusing({NEW: [reply("1")], OLD: [reply("0")]}, refusals=100)
    report = preflight(asker, environments=1).judge(NEW, OLD, until_s=60).report()
    assert "1 pings were refused (429)" in report and report.startswith("FAILED")


def test_a_model_that_missed_its_turn_gets_another() -> None:
    waiting = {"a": model(), "b": model(level=Level.COLD, first_answer_ms=0.0, steady_ms=0.0)}
    replies = {NEW: [reply("1", **waiting)], OLD: [reply("0")]}

    class Slow(Scripted):
        def ask(self, wanted: Round, until_s: float) -> Asked:
            if sum(one.target == NEW for one in self.asked) == 2:
                self.replies[NEW] = [reply("1")]
            return super().ask(wanted, until_s)

    assert preflight(Slow(replies), environments=1).judge(NEW, OLD, until_s=60).passed


@pytest.mark.parametrize(
    ("new", "rounds"),
    [
        pytest.param([reply("1")], 1 + 6, id="one-that-never-answers-is-asked-for-again"),
        pytest.param(
            [reply("1"), reply("2", a=model(problem="wrong"), b=model())], 2, id="a-wrong-answer-stands"
        ),
    ],
)
def test_what_stays_a_doubt_is_a_no(new: list[Reply], rounds: int) -> None:
    asker = Scripted({NEW: new, OLD: [reply("0")]})
    assert not preflight(asker, environments=2).judge(NEW, OLD, until_s=60).passed
    assert sum(one.target == NEW for one in asker.asked) == rounds


def test_nothing_is_asked_again_when_the_hook_s_time_is_over() -> None:
    asker = Scripted({NEW: [], OLD: [reply("0")]})
    assert not preflight(asker, now_s=61).judge(NEW, OLD, until_s=60).passed
    assert sum(one.target == NEW for one in asker.asked) == 1


def test_one_that_cannot_start_is_paid_for_once() -> None:
    asker = Scripted({OLD: [reply("0")]}, {NEW: ("no answer within 30 s",)})
    verdict = preflight(asker).judge(NEW, OLD, until_s=60)
    assert "no answer within 30 s" in verdict.report() and not verdict.passed
    assert [one.environments for one in asker.asked if one.target == NEW] == [1]


def test_times_are_compared_when_every_environment_can_be() -> None:
    """One environment's first answer is often late for reasons of the machine's."""
    late = reply("0", a=model(first_answer_ms=600), b=model())
    asker = Scripted({NEW: [late, *(reply(str(i)) for i in range(1, 5))], OLD: [reply("o")]})
    assert preflight(asker).judge(NEW, OLD, until_s=60).passed


@dataclass
class Timed(Scripted):
    """Environments whose model `a` is as fast as the machine lets it be, by the rounds that a target has had."""

    steady_ms: dict[Target, list[float]] = field(default_factory=dict)
    """Of each round; the last stays."""

    def ask(self, wanted: Round, until_s: float) -> Asked:
        times = self.steady_ms[wanted.target]
        now_ms = times.pop(0) if len(times) > 1 else times[0]
        told = [replace(one, models={"a": model(steady_ms=now_ms), "b": model()}) for one in GOOD]
        self.replies[wanted.target] = [*told, *(replace(told[0], environment=f"m{n}") for n in range(3))]
        return super().ask(wanted, until_s)


def test_a_version_that_started_on_a_busy_machine_is_compared_in_turn() -> None:
    asker = Timed({}, steady_ms={OLD: [5.0, 20.0], NEW: [40.0, 40.0, 40.0, 22.0]})
    assert preflight(asker, environments=2).judge(NEW, OLD, until_s=60).passed
    rounds = [(one.target, one.environments) for one in asker.asked]
    assert rounds == [(OLD, 2), (NEW, 1), (NEW, 2), (OLD, 2), (NEW, 3), (OLD, 2), (NEW, 4)]


def test_a_version_that_is_slower_stays_so_in_every_turn() -> None:
    asker = Timed({}, steady_ms={OLD: [5.0, 20.0, 30.0, 20.0], NEW: [40.0]})
    report = preflight(asker, environments=2).judge(NEW, OLD, until_s=60).report()
    assert "a: steady_ms is 40.0, was 20.0: more than 1.5 times as slow" in report
    assert sum(one.target == NEW for one in asker.asked) == 2 + 3


@dataclass
class Silent(Timed):
    """The version that serves says nothing more after its first round: for a reason, or for want of one."""

    problems_then: tuple[str, ...] = ()

    def ask(self, wanted: Round, until_s: float) -> Asked:
        if wanted.target == OLD and any(one.target == OLD for one in self.asked):
            return Asked(
                (), self.problems_then, () if self.problems_then else ("1 pings were refused (429)",)
            )
        return super().ask(wanted, until_s)


@pytest.mark.parametrize(
    ("problems", "now_s"),
    [
        pytest.param(("no answer within 30 s",), 0.0, id="the-old-version-breaks"),
        pytest.param((), 0.0, id="it-cannot-be-reached"),
        pytest.param((), 60.0, id="the-hooks-time-is-over"),
    ],
)
def test_where_they_cannot_be_timed_in_turn_the_first_times_stand(
    problems: tuple[str, ...], now_s: float
) -> None:
    asker = Silent({}, steady_ms={OLD: [5.0], NEW: [40.0, 5.0]}, problems_then=problems)
    verdict = preflight(asker, environments=1, now_s=now_s).judge(NEW, OLD, until_s=60)
    assert verdict.doubts == ("a: steady_ms is 40.0, was 5.0: more than 1.5 times as slow",)


def test_a_model_that_fails_when_asked_in_turn_is_a_doubt() -> None:
    class Breaking(Timed):
        def ask(self, wanted: Round, until_s: float) -> Asked:
            asked = super().ask(wanted, until_s)
            if wanted.target == OLD or wanted.environments < 3:
                return asked
            broken = replace(asked.replies[0], models={"a": model(problem="wrong"), "b": model()})
            return Asked((broken, *asked.replies[1:]), ())

    asker = Breaking({}, steady_ms={OLD: [5.0, 40.0], NEW: [40.0]})
    report = preflight(asker, environments=2).judge(NEW, OLD, until_s=60).report()
    assert "a failed in environment 1: wrong" in report


def test_time_that_runs_out_is_a_no() -> None:
    asker = Scripted({NEW: [reply(str(i)) for i in range(5)]})
    verdict = preflight(asker, now_s=61).judge(NEW, None, until_s=60)
    assert not verdict.passed and "the hook's own time is over" in verdict.report()


def test_an_old_version_that_does_not_answer_is_a_doubt() -> None:
    asker = Scripted({NEW: [reply("1")]}, {OLD: ("HTTP 403",)})
    verdict = preflight(asker, environments=1).judge(NEW, OLD, until_s=60)
    assert not verdict.passed and "f:1 (old): HTTP 403" in verdict.report()


@pytest.mark.parametrize(
    ("misbehave", "says"),
    [
        pytest.param(
            Response(
                200, {"errorType": "Runtime.ImportModuleError"}, (("X-Amz-Function-Error", "Unhandled"),)
            ),
            "ImportModuleError",
            id="import-error",
        ),
        pytest.param(Response(200, {"hello": 1}), "not a reply of ping contract", id="does-not-answer-pings"),
        pytest.param(None, "no answer within 0.3 s", id="hangs-in-init"),
    ],
)
def test_over_real_connections(misbehave: Response | None, says: str) -> None:
    far = StandIn(init_s=0.0 if misbehave else 30.0, misbehave=lambda function, event: misbehave)
    with serving(far) as url:
        endpoint = LambdaEndpoint(url, "eu-west-1", Credentials("x", "y"))
        pinger = LambdaPinger(endpoint, SendingLimits(timeouts=Timeouts(connect_s=2, answer_s=0.3)))
        verdict = Preflight(pinger, Limits(environments=2), time.time).judge(
            NEW, None, until_s=time.time() + 60
        )
    assert not verdict.passed and says in verdict.report()


@pytest.mark.parametrize(
    ("misbehave", "problems", "unreached"),
    [
        pytest.param(Response(429, {}), 0, 1, id="throttled"),
        pytest.param(Response(500, {"Message": "ServiceException"}), 0, 1, id="an-error-of-lambdas-own"),
        pytest.param(
            Response(200, {"errorType": "E"}, (("X-Amz-Function-Error", "Unhandled"),)),
            1,
            0,
            id="the-functions",
        ),
    ],
)
def test_what_an_environment_did_is_told_from_what_kept_a_ping_from_one(
    misbehave: Response, problems: int, unreached: int
) -> None:
    far = StandIn(misbehave=lambda function, event: misbehave)
    with serving(far) as url:
        pinger = LambdaPinger(LambdaEndpoint(url, "eu-west-1", Credentials("x", "y")))
        asked = pinger.ask(Round(target=NEW, environments=1, hold_s=0.0), time.time() + 30)
    assert (len(asked.problems), len(asked.unreached)) == (problems, unreached)


def test_a_round_is_given_up_when_the_hooks_time_is_over() -> None:
    """Else Lambda would end the hook before it has told CodeDeploy anything."""
    with serving(StandIn(init_s=600.0)) as url:
        pinger = LambdaPinger(LambdaEndpoint(url, "eu-west-1", Credentials("x", "y")))
        verdict = Preflight(pinger, TWO, time.time).judge(NEW, None, until_s=time.time() + 0.5)
    assert verdict.doubts[0] == "an environment did not answer: the time to ask in was over"


def test_no_connection_is_no_fault_of_an_environment() -> None:
    endpoint = LambdaEndpoint("http://127.0.0.1:9", "eu-west-1", Credentials("x", "y"))
    asked = LambdaPinger(endpoint).ask(Round(target=NEW, environments=1, hold_s=0.0), time.time() + 30)
    assert asked.problems == () and "no connection" in asked.unreached[0]


@dataclass
class Deployments:
    told: list[dict[str, Any]] = field(default_factory=list)

    def put_lifecycle_event_hook_execution_status(self, **status: Any) -> Any:
        self.told.append(status)


@pytest.mark.parametrize(("doubts", "status"), [((), "Succeeded"), (("slow",), "Failed")])
def test_codedeploy_is_told(doubts: tuple[str, ...], status: str) -> None:
    deployments = Deployments()
    result = answer(EVENT, deployments, lambda: Verdict(doubts=doubts, table=()))
    assert result["status"] == status
    assert deployments.told == [
        {
            "deploymentId": EVENT["DeploymentId"],
            "lifecycleEventHookExecutionId": EVENT["LifecycleEventHookExecutionId"],
            "status": status,
        }
    ]


def test_a_crash_of_the_hook_is_failed_and_raised() -> None:
    deployments = Deployments()

    def crash() -> Verdict:
        raise RuntimeError("no credentials")

    with pytest.raises(RuntimeError, match="no credentials"):
        answer(EVENT, deployments, crash)
    assert [told["status"] for told in deployments.told] == ["Failed"]


def test_the_version_may_be_named_by_its_arn() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:preheat-recommend:7"
    environment = Environment.of({"PREFLIGHT_VERSION": arn, "PREFLIGHT_ENVIRONMENTS": "4"})
    assert environment.version == Target("preheat-recommend", "7") and environment.environments == 4


def test_as_many_are_warmed_as_the_version_that_serves_has(aws: boto3.Session, table: str) -> None:
    target, client = Target("f", "live"), aws.client("dynamodb")
    assert kept_warm(client, table, target) == 0, "nobody has looked at it yet"
    history = History.blank(1)
    history.columns["reached"], history.columns["provisioned"] = 5, 2
    store = DynamoHistories(client, table, run="r", until_s=time.time() + 60)
    store.lease([target], now_s=1.0)
    store.save([target], history, [60.0], now_s=1.0)
    assert kept_warm(client, table, target) == 7


def test_a_table_that_cannot_be_read_is_a_doubt(aws: boto3.Session) -> None:
    with pytest.raises(
        RuntimeError, match="how many environments are needed is not known: history of f:live"
    ):
        kept_warm(aws.client("dynamodb"), "none", Target("f", "live"))


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "PREFLIGHT_VERSION must be the ARN of a version"),
        ({"PREFLIGHT_VERSION": "f:live"}, "was: 'f:live'"),
        (
            {"PREFLIGHT_VERSION": "f:1", "PREFLIGHT_RATIO": "0.5"},
            "PREFLIGHT_RATIO must be 1 to 100, was: '0.5'",
        ),
        (
            {"PREFLIGHT_VERSION": "f:1", "PREFLIGHT_ENVIRONMENTS": "many"},
            "PREFLIGHT_ENVIRONMENTS must be 1 to 900",
        ),
    ],
)
def test_a_bad_variable_is_named(variables: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Environment.of(variables)
