"""Pings: answered before any user code, held no longer than they may be, and not to be forged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preheat import answers_pings
from preheat.departures import Departures
from preheat.engines import open_session
from preheat.life import AHEAD_S
from preheat.pack import read_pack
from preheat.ping import Level, Ping, PingError, Reply
from preheat.pings import hold_s
from preheat.settings import PROVISIONED

from .fakes import VISITED, Context, Left, World
from .packs import write_pack

EVENTS = Path(__file__).parents[2] / "events"


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_pack(tmp_path / "models", "short_form")
    return tmp_path / "models"


class Function:
    """A handler behind the decorator, that notes what reaches it."""

    def __init__(self, world: World, serve: Callable[[Any], Any] = lambda event: "served") -> None:
        self.world, self.reached = world, list[Any]()

        @answers_pings(world.host)
        def handler(event: Any, context: Any) -> Any:
            self.reached.append(event)
            return serve(event)

        self.handler = handler

    def __call__(self, event: Any, remaining_s: float = 29.0) -> Any:
        return self.handler(event, Context(remaining_s))

    def ping(self, remaining_s: float = 29.0, **fields: Any) -> Reply:
        return Reply.from_payload(json.loads(json.dumps(self(Ping(**fields).to_event(), remaining_s))))


@pytest.fixture
def function(models: Path) -> Function:
    return Function(World(models).init())


def test_a_ping_is_answered_without_the_handler(function: Function) -> None:
    function.world.clock.now_s += 3.0
    reply = function.ping()
    assert function.reached == []
    assert (reply.cold, reply.initialization, reply.idle_s) == (True, "on-demand", 3.0)
    assert reply.age_s == function.world.clock.now_s
    assert reply.init_ms == 1000.0
    assert reply.models["short_form"].level == Level.HOT
    assert reply.models["short_form"].version == function.world.host["short_form"].manifest.version


def test_a_replys_age_is_that_on_arrival_whatever_the_hold(function: Function) -> None:
    arrived_s = function.world.clock.steady_s()
    release_at_ms = int((function.world.clock.wall_s() + 0.2) * 1000)
    reply = function.ping(release_at_ms=release_at_ms)
    assert reply.held_ms > 100 and reply.age_s == pytest.approx(arrived_s, abs=0.001)


def test_the_warmers_own_event_is_a_ping(function: Function) -> None:
    assert (
        Reply.from_payload(function(event("warmup_ping"))).environment == function.world.host.life.environment
    )
    assert function.reached == []


def test_a_reply_counts_the_requests_since_the_last(function: Function) -> None:
    for _ in range(3):
        function(event("api_models"))
    assert function.ping().requests == 3
    reply = function.ping()
    assert (reply.requests, reply.cold) == (0, False)


def test_a_reply_counts_who_was_asked_for_since_the_last(models: Path) -> None:
    world = World(models).init()
    function = Function(world, lambda _event: world.host["short_form"].run(VISITED))
    for _ in range(3):
        function({})
    told = function.ping().models["short_form"]
    assert told.requests == 3 and told.needs_mb == world.host["short_form"].manifest.memory_mb
    assert function.ping().models["short_form"].requests == 0


def test_a_hot_model_says_how_fast_it_is_now_where_every_model_is_asked(models: Path) -> None:
    world = World(models, answers_s=(0.030, 0.010)).init()
    function = Function(world)
    before = function.ping().models["short_form"]
    world.opener.sessions["short_form"]._answers_s[:] = [0.002]  # the machine has less to do by now
    assert function.ping().models["short_form"] == before
    assert (before.first_answer_ms, before.steady_ms) == (30.0, 10.0)
    now = function.ping(every=True).models["short_form"]
    assert (now.first_answer_ms, now.steady_ms, now.level) == (30.0, 2.0, Level.HOT)


def test_a_model_that_becomes_hot_in_the_ping_is_not_asked_twice(models: Path) -> None:
    runs = []
    for every in (False, True):
        world = World(models).init()
        Function(world).ping(every=every)
        runs.append(world.opener.sessions["short_form"].runs)
    assert runs[0] < runs[1], "INIT had verified it"
    world = World(models, hot=False).init()
    Function(world).ping(every=True)
    assert world.opener.sessions["short_form"].runs == runs[0]


def test_models_that_do_not_fit_at_once_take_turns_and_the_eager_ones_are_hot_in_the_end(
    models: Path,
) -> None:
    for name in ("b", "c", "d"):
        write_pack(models, name, traffic_share=0.1)
    world = World(models, memory_mb=20.0, answers_s=(0.01,)).init()  # two of the four
    function = Function(world)
    assert sum(one.level == Level.HOT for one in function.ping().models.values()) == 2
    told = function.ping(every=True).models
    assert all(one.steady_ms > 0 and not one.problem for one in told.values())
    assert {name for name, one in told.items() if one.level == Level.HOT} == set(world.host.eager())
    opened = len(world.opener.opened)
    function.ping(every=True)
    assert len(world.opener.opened) == opened, "each was verified once here"


def test_a_wrong_answer_when_asked_again_is_a_quarantine(models: Path) -> None:
    world = World(models).init()
    world.opener.sessions["short_form"]._session = open_session(
        read_pack(write_pack(models.parent / "others", "short_form", seed=1))
    )
    told = Function(world).ping(every=True).models["short_form"]
    assert "golden question 0" in told.problem and told.problem.endswith("asked again")
    assert [line["model"] for line in world.around.records("quarantine")] == ["short_form"]


def test_idle_time_is_since_the_last_invocation_ended(models: Path) -> None:
    world = World(models).init()

    def takes_two_seconds(_event: Any) -> None:
        world.clock.now_s += 2.0

    function = Function(world, takes_two_seconds)
    function({})
    world.clock.now_s += 7.0
    assert function.ping().idle_s == 7.0


@given(release_s=st.floats(-10, 10), remaining_s=st.floats(0, 900), now_s=st.floats(1e9, 2e9))
def test_a_hold_is_bounded_whatever_is_asked(release_s: float, remaining_s: float, now_s: float) -> None:
    held_s = hold_s(Ping(release_at_ms=int((now_s + release_s) * 1e3)), now_s, remaining_s)
    assert 0.0 <= held_s <= min(0.25, 0.1 * remaining_s)
    assert held_s <= max(release_s, 0.0) + 1e-6


def test_a_ping_is_held_until_its_release_and_says_how_long(function: Function) -> None:
    now_ms = function.world.clock.wall_s() * 1e3
    assert function.ping(release_at_ms=int(now_ms + 100)).held_ms == pytest.approx(100.0)
    assert function.world.clock.slept_s == [pytest.approx(0.1)]


def test_a_release_in_the_past_answers_at_once(function: Function) -> None:
    assert function.ping(release_at_ms=1).held_ms == 0.0
    assert function.world.clock.slept_s == []


def test_a_ping_finishes_what_init_left(models: Path) -> None:
    function = Function(World(models, init_s=0.0).init())
    assert function.world.levels() == {"short_form": "COLD"}
    assert function.ping().models["short_form"].level == Level.HOT


def test_a_ping_changes_levels_at_run_time(function: Function) -> None:
    reply = function.ping(models={"short_form": Level.COLD, "gone": Level.HOT})
    assert reply.models["short_form"].level == Level.CACHED
    assert reply.models["gone"].problem == "no model 'gone'; there are short_form"


def test_a_quarantined_model_is_in_every_reply(models: Path) -> None:
    write_pack(models, "wrong", wrong_by=1.0)
    function = Function(World(models).init())
    for _ in range(2):
        reply = function.ping()
        assert reply.models["wrong"].problem.startswith("golden question 0")
        assert reply.models["short_form"].problem == ""


@pytest.mark.parametrize(
    "body", [None, "HOT", {"version": 9}, {"version": 1, "models": {"short_form": "WARM"}}]
)
def test_a_malformed_ping_is_told_what_is_wrong_and_hurts_nothing(function: Function, body: Any) -> None:
    answer = function({"preheat": body})
    assert "must be" in answer["preheat"]["error"]
    with pytest.raises(PingError, match=r"the function refused the ping: .*must be"):
        Reply.from_payload(answer)
    assert function.reached == []
    assert function.world.levels() == {"short_form": "HOT"}
    assert function.ping().models["short_form"].level == Level.HOT


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("ping_lambda_warmer", "warmed"),
        ("ping_lambda_warmer_child", "warmed"),
        ("ping_serverless_plugin_warmup", "Lambda is warm!"),
        ("ping_zappa", {}),
    ],
)
def test_older_warmers_are_understood_and_warm_the_models(models: Path, name: str, reply: Any) -> None:
    function = Function(World(models, init_s=0.0).init())
    assert function(event(name)) == reply
    assert function.reached == []
    assert function.world.levels() == {"short_form": "HOT"}
    assert function.world.around.records("cold_start")[0]["waited"] == "ping"


SHAPES = [
    event(name)
    for name in ("warmup_ping", "ping_lambda_warmer", "ping_serverless_plugin_warmup", "ping_zappa")
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "context",
    [
        pytest.param({"httpMethod": "POST", "requestId": "x"}, id="api-gateway"),
        pytest.param(
            {"http": {"method": "POST"}, "domainName": "x.lambda-url.eu-west-1.on.aws"}, id="function-url"
        ),
        pytest.param({"elb": {"targetGroupArn": "arn"}}, id="load-balancer"),
        pytest.param(None, id="an-empty-context"),
    ],
)
def test_what_comes_with_a_request_context_is_an_ordinary_request(
    function: Function, shape: dict[str, Any], context: Any
) -> None:
    assert function({**shape, "requestContext": context}) == "served"
    assert function({"requestContext": context, "body": json.dumps(shape)}) == "served"
    assert function.ping().requests == 2


@pytest.mark.parametrize(
    "other", [None, [], "preheat", {"Records": []}, {"source": "aws.events", "resources": []}]
)
def test_any_other_event_is_the_handlers(function: Function, other: Any) -> None:
    assert function(other) == "served"


# ---- who waited for INIT


@pytest.mark.parametrize(
    ("first", "gap_s", "waited"),
    [
        pytest.param({"requestContext": {}}, 0.0, "customer", id="a-customer"),
        pytest.param(Ping().to_event(), 0.0, "ping", id="a-ping"),
        pytest.param({"warmer": True}, 0.0, "ping", id="a-foreign-ping"),
        pytest.param({"requestContext": {}}, AHEAD_S * 2, "nobody", id="init-ahead-of-a-customer"),
        pytest.param(Ping().to_event(), AHEAD_S * 2, "nobody", id="init-ahead-of-a-ping"),
    ],
)
def test_who_waited(function: Function, first: Any, gap_s: float, waited: str) -> None:
    function.world.clock.now_s += gap_s
    function(first)
    function({"requestContext": {}})
    (record,) = function.world.around.records("cold_start")  # one an environment
    assert record["waited"] == waited
    assert record["ColdStarts"] == [float(waited != "nobody")]
    assert record["CustomerColdStarts"] == [float(waited == "customer")]
    # what the subscription filter `{ $.customer_cold_start IS TRUE }` matches
    assert record.get("customer_cold_start", False) is (waited == "customer")


def test_no_customer_waits_under_provisioned_concurrency(models: Path) -> None:
    function = Function(World(models, initialization=PROVISIONED).init())
    function({"requestContext": {}})
    assert function.world.around.records("cold_start")[0]["waited"] == "nobody"


def test_a_cold_start_is_recorded_before_the_handler_which_may_fail(models: Path) -> None:
    world = World(models).init()
    seen: list[int] = []

    def fails(_event: Any) -> None:
        seen.append(len(world.around.records("cold_start")))
        raise ZeroDivisionError

    function = Function(world, fails)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            function({"requestContext": {}})
    assert seen == [1, 1]


# ---- required models


@pytest.fixture
def unserviceable(tmp_path: Path) -> Path:
    write_pack(tmp_path / "models", "must", wrong_by=1.0, required=True)
    write_pack(tmp_path / "models", "may")
    return tmp_path / "models"


def test_an_environment_leaves_inside_the_ping_that_finds_a_required_model_failed_twice_at_most(
    unserviceable: Path,
) -> None:
    """Each World is a process of one environment: what they share is /tmp."""
    assert [leaves(unserviceable) for _ in range(4)] == [True, True, False, False]
    reply = Function(World(unserviceable).init()).ping()
    assert reply.models["must"].problem.startswith("golden question 0")
    assert "required model must failed" in World(unserviceable).init().host.failed_required()


def leaves(models: Path, **fields: Any) -> bool:
    """Whether a new process ends inside its first ping."""
    try:
        Function(World(models).init()).ping(**fields)
    except Left:
        return True
    return False


def test_a_customers_request_never_makes_it_leave(unserviceable: Path) -> None:
    function = Function(World(unserviceable).init(), lambda _event: "the handler's own 503")
    assert function({"requestContext": {}}) == "the handler's own 503"
    assert function.world.around.left == []


def test_it_does_not_leave_when_the_ping_knows_of_two_that_did(unserviceable: Path) -> None:
    assert not leaves(unserviceable, departures=2)
    assert leaves(unserviceable, departures=1)


def test_an_environment_whose_required_models_are_sound_stays(function: Function) -> None:
    function.ping()
    assert function.world.around.left == []


def test_one_that_fails_only_in_the_ping_leaves_too(unserviceable: Path) -> None:
    function = Function(World(unserviceable, init_s=0.0).init())
    assert function.world.around.records("quarantine") == []
    with pytest.raises(Left):
        function.ping()
    assert len(function.world.around.records("quarantine")) == 1


def test_departures_that_cannot_be_counted_are_not_made(tmp_path: Path) -> None:
    departures = Departures("f", "1", str(tmp_path / "read-only-or-gone"))
    assert not departures.add()
    spoilt = Departures("f", "1", str(tmp_path))
    spoilt.add()
    next(tmp_path.iterdir()).write_text("many")
    assert spoilt.count() == 2


def test_departures_of_another_version_or_long_ago_do_not_count(tmp_path: Path) -> None:
    import os

    departures = Departures("f", "1", str(tmp_path))
    departures.add()
    assert departures.count() == 1
    assert Departures("f", "2", str(tmp_path)).count() == 0
    os.utime(next(tmp_path.iterdir()), (0, 0))
    assert departures.count() == 0


def test_a_request_to_a_model_in_an_environment_that_stays_is_still_answered(unserviceable: Path) -> None:
    world = World(unserviceable).init()
    assert world.host["may"].run(VISITED)["scores"].shape == (1, 4)
