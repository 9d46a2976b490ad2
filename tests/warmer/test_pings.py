"""Rounds of pings over real sockets against a stand-in for Lambda."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from preheat.ping import Reply
from preheat_tools.bench.stand_in import Response, StandIn

from tests.warmer.local_lambda import serving
from warmer.adapters.invocation import LambdaEndpoint
from warmer.adapters.pings import LambdaPinger, Limits, SendingRate
from warmer.adapters.volley import Answer, Timeouts, Volley
from warmer.policy.values import Failed, Round, RoundReport, Target

A, B = Target("a", "live"), Target("b", "live")
KEYS = Credentials("AKIDEXAMPLE", "secret", "session-token")
QUICK = Limits(timeouts=Timeouts(connect_s=2, answer_s=2))


@pytest.fixture
def far() -> StandIn:
    return StandIn()


@pytest.fixture
def url(far: StandIn) -> Iterator[str]:
    with serving(far) as url:
        yield url


def pinger(url: str, limits: Limits = QUICK) -> LambdaPinger:
    return LambdaPinger(LambdaEndpoint(url, "eu-west-1", KEYS), limits)


def ping(url: str, *, environments: int, hold_s: float = 0.1, target: Target = A) -> RoundReport | Failed:
    return pinger(url).send([Round(target=target, environments=environments, hold_s=hold_s)])[target]


def reported(report: RoundReport | Failed) -> RoundReport:
    assert isinstance(report, RoundReport), report
    return report


def test_every_ping_of_a_round_finds_an_environment_of_its_own(far: StandIn, url: str) -> None:
    far.warm("a:live", 30)
    report = reported(ping(url, environments=20))
    assert len({sighting.environment for sighting in report.sightings}) == 20
    assert report.sent == 20 and report.failed == report.throttled == 0


def test_all_pings_let_go_at_one_instant(far: StandIn, url: str) -> None:
    before = time.time()
    report = reported(ping(url, environments=10, hold_s=0.1))
    assert 0 < report.held_s <= 0.25
    assert time.time() - before >= 0.1
    assert max(far.arrivals_s) - min(far.arrivals_s) < 0.1
    assert before < report.departed_s < min(far.arrivals_s) + 0.1  # noted when the write returns


def test_a_round_has_one_release_whoever_sends_it_and_each_round_its_own(far: StandIn, url: str) -> None:
    releases: dict[str, list[float]] = {"a": [], "b": []}

    def note(function: str, event: dict[str, Any]) -> None:
        releases[function].append(event["preheat"]["release_at_ms"] / 1000)

    far.misbehave = note
    far.warm("a:live", 12)
    far.warm("b:live", 5)
    before = time.time()
    pinger(url).send(
        [Round(target=A, environments=12, hold_s=0.05), Round(target=B, environments=5, hold_s=0.2)]
    )
    assert (len(releases["a"]), len(releases["b"])) == (12, 5)
    (of_a,), (of_b,) = set(releases["a"]), set(releases["b"])
    assert of_a >= before + 0.05 and of_b >= before + 0.2


def test_a_round_beyond_what_is_warm_makes_new_environments(far: StandIn, url: str) -> None:
    far.warm("a:live", 2)
    report = reported(ping(url, environments=5))
    assert len(report.sightings) == 5


def answering(far: StandIn, environments: str) -> None:
    """Each ping is answered by the next of `environments`; a later visit to one is not its first invocation."""
    names = iter(environments)
    seen: set[str] = set()

    def answer(function: str, event: dict[str, Any]) -> Response:
        name = next(names)
        cold = name not in seen
        seen.add(name)
        reply = Reply(
            environment=name,
            initialization="on-demand",
            cold=cold,
            age_s=1.0,
            idle_s=1.0,
            requests=0,
            held_ms=0.0,
            init_ms=5.0,
        )
        return Response(200, reply.to_payload())

    far.misbehave = answer


def test_only_what_is_missing_is_pinged_again(far: StandIn, url: str) -> None:
    answering(far, "xxxy" + "zx" + "w")
    report = reported(ping(url, environments=4))
    assert {sighting.environment for sighting in report.sightings} == set("xyzw")
    assert report.sent == 4 + 2 + 1


def test_asking_again_ends_where_it_finds_nothing_new(far: StandIn, url: str) -> None:
    answering(far, "xxxy" + "yx")
    report = reported(ping(url, environments=4))
    assert len(report.sightings) == 2 and report.sent == 4 + 2


def test_asking_again_is_bounded(far: StandIn, url: str) -> None:
    answering(far, "aaaaaaa" + "abbbbb" + "accccc")
    report = reported(ping(url, environments=7))
    assert len(report.sightings) == 3 and report.sent == 7 + 6 + 5


def test_an_environment_seen_twice_keeps_what_was_seen_first(far: StandIn, url: str) -> None:
    sender = pinger(url, Limits(repeats=1, timeouts=QUICK.timeouts))
    answering(far, "xx" + "x")
    report = reported(sender.send([Round(target=A, environments=2, hold_s=0.0)])[A])
    assert [sighting.cold for sighting in report.sightings] == [True]


def test_throttles_are_counted_and_not_pushed_further(far: StandIn, url: str) -> None:
    far.concurrency = 4
    report = reported(ping(url, environments=10, hold_s=0.2))
    assert report.throttled == 6 and len(report.sightings) == 4
    assert report.sent == 10, "a refusal is no reason to ask again"


def test_quarantined_models_and_provisioned_environments_are_told(far: StandIn, url: str) -> None:
    far.warm("a:live", 1, provisioned=True, problem="wrong answer")
    report = reported(ping(url, environments=1))
    assert report.sightings[0].provisioned and report.sightings[0].unsound == ("short_form",)


def test_environments_that_left_are_told_to_the_next_ping_until_the_target_is_sound(
    far: StandIn, url: str
) -> None:
    """Decision 3: what bounds an environment that leaves, where Lambda gives each ping a new one."""
    told: list[int] = []
    exits = Response(200, {"errorType": "Runtime.ExitError"}, (("X-Amz-Function-Error", "Unhandled"),))

    def leaving(function: str, event: dict[str, Any]) -> Response | None:
        told.append(event["preheat"].get("departures", 0))
        return exits if len(told) <= 2 else None

    far.misbehave = leaving
    sender = pinger(url)
    for _ in range(4):
        sender.send([Round(target=A, environments=1, hold_s=0.0)])
    assert told == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(
            Response(200, {"errorMessage": "boom"}, (("X-Amz-Function-Error", "Unhandled"),)),
            "boom",
            id="function-error",
        ),
        pytest.param(Response(404, {"Message": "Function not found"}), "HTTP 404", id="not-found"),
        pytest.param(Response(403, {"Message": "not authorized"}), "HTTP 403", id="no-permission"),
        pytest.param(Response(500, {"Message": "ServiceException"}), "HTTP 500", id="service-error"),
        pytest.param(
            Response(200, {"hello": "world"}), "not a reply of ping contract", id="not-a-ping-reply"
        ),
        pytest.param(Response(200, b"<html>"), "Expecting value", id="not-json"),
        pytest.param(Response(200, b'{"preheat": {"version": 1, "x": 2}}'), "unusable", id="wrong-fields"),
    ],
)
def test_one_targets_failure_is_a_value_and_leaves_the_others_alone(
    far: StandIn, url: str, answer: Response, says: str
) -> None:
    far.misbehave = lambda function, event: answer if function == "b" else None
    reports = pinger(url).send([Round(target=t, environments=2, hold_s=0.05) for t in (A, B)])
    failed = reports[B]
    assert isinstance(failed, Failed) and says in failed.reason
    assert len(reported(reports[A]).sightings) == 2


def test_a_few_failures_among_sightings_are_counted(far: StandIn, url: str) -> None:
    turns = iter([Response(500, {})])
    far.misbehave = lambda function, event: next(turns, None)
    report = reported(ping(url, environments=4))
    assert report.failed == 1 and len(report.sightings) >= 3


def test_a_round_nobody_answers_ends_at_its_deadline() -> None:
    slow = StandIn(init_s=30)
    with serving(slow) as url:
        limits = Limits(timeouts=Timeouts(connect_s=1, answer_s=0.2))
        report = pinger(url, limits).send([Round(target=A, environments=2, hold_s=0.01)])[A]
    assert isinstance(report, Failed) and "no answer within 0.2 s" in report.reason


def test_an_endpoint_that_is_not_there_is_a_failure() -> None:
    report = ping("http://127.0.0.1:1", environments=2)
    assert isinstance(report, Failed) and "no connection to 127.0.0.1:1" in report.reason


def test_a_name_that_does_not_resolve_is_a_failure() -> None:
    report = ping("http://nowhere.invalid", environments=2)
    assert isinstance(report, Failed) and "cannot resolve nowhere.invalid" in report.reason


def test_rounds_wait_for_connections_rather_than_exceed_their_limit(far: StandIn, url: str) -> None:
    targets = [Target(f"f{i}", "live") for i in range(12)]
    limits = Limits(connections=8, timeouts=QUICK.timeouts)
    reports = pinger(url, limits).send([Round(target=t, environments=3, hold_s=0.02) for t in targets])
    assert [len(reported(reports[t]).sightings) for t in targets] == [3] * 12


def test_a_round_beyond_the_connections_is_cut_to_them(far: StandIn, url: str) -> None:
    limits = Limits(connections=5, timeouts=QUICK.timeouts)
    report = reported(pinger(url, limits).send([Round(target=A, environments=12, hold_s=0.1)])[A])
    assert len(report.sightings) == report.sent == 5


def test_the_sender_follows_a_slower_volley_at_once_and_a_faster_one_slowly() -> None:
    rate = SendingRate(first_guess_s=0.001)
    rate.learn(Volley(tuple(Answer(sent_s=1.0) for _ in range(11)), sending_s=0.05))
    assert rate.per_ping_s == pytest.approx(0.005)
    rate.learn(Volley(tuple(Answer(sent_s=1.0) for _ in range(11)), sending_s=0.0))
    assert rate.per_ping_s == pytest.approx(0.004)


def test_one_ping_teaches_no_rate() -> None:
    rate = SendingRate(first_guess_s=0.001)
    rate.learn(Volley((Answer(sent_s=1.0), Answer(problem="no connection")), sending_s=5.0))
    assert rate.per_ping_s == 0.001


def test_a_round_teaches_the_sender(url: str) -> None:
    sender = pinger(url)
    before_s = sender.rate.per_ping_s
    sender.send([Round(target=A, environments=20, hold_s=0.05)])
    assert sender.rate.per_ping_s != before_s


def test_an_unknown_level_fails_its_own_target_only(url: str) -> None:
    rounds = [
        Round(target=A, environments=1, hold_s=0, levels={"short_form": "TEPID"}),
        Round(target=B, environments=1, hold_s=0, levels={"short_form": "HOT"}),
    ]
    reports = pinger(url).send(rounds)
    assert isinstance(reports[A], Failed) and "TEPID" in reports[A].reason
    assert isinstance(reports[B], RoundReport)


def test_the_signed_bytes_are_those_boto3_would_send() -> None:
    """Same path, query, payload and signature, boto3's own telemetry headers apart."""
    sent: list[AWSPreparedRequest] = []

    def keep(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.append(request)
        raise _KeptError

    client = boto3.client(
        "lambda",
        region_name="eu-west-1",
        aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key,
        aws_session_token=KEYS.token,
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send.lambda.Invoke", keep)
    with pytest.raises(_KeptError):
        client.invoke(FunctionName="a", Qualifier="live", Payload=b"{}", InvocationType="RequestResponse")
    ours = LambdaEndpoint(client.meta.endpoint_url, "eu-west-1", KEYS).signed(A, b"{}")
    head, _, body = ours.partition(b"\r\n\r\n")
    request_line, *fields = head.decode().split("\r\n")
    headers = dict(field.split(": ", 1) for field in fields)
    assert body == sent[0].body == b"{}"
    assert request_line == "POST /2015-03-31/functions/a/invocations?Qualifier=live HTTP/1.1"
    assert sent[0].url == f"https://{headers['Host']}/2015-03-31/functions/a/invocations?Qualifier=live"
    for name in ("X-Amz-Security-Token", "X-Amz-Invocation-Type", "Content-Length"):
        assert headers[name] == _text(sent[0].headers[name])
    scope = headers["Authorization"].split("/", 1)[1].split(",")[0]
    assert scope == _text(sent[0].headers["Authorization"]).split("/", 1)[1].split(",")[0]


class _KeptError(Exception):
    pass


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
