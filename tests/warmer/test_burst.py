"""An announced burst is met by a few pings, once a while, and nothing that is delivered can make it more."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from preheat.life import CUSTOMER, PING
from preheat.record import ColdStart, cold_start_line

from warmer.adapters.cooldown import Cooldown
from warmer.adapters.histories import DynamoHistories
from warmer.announcements import DeliveryError, announced
from warmer.burst import MOST, Burst, read_strikes
from warmer.fakes import EchoPinger
from warmer.kill_switch import ALLOWED, Strikes
from warmer.policy.history import History
from warmer.policy.values import Failed, Objective, Target
from warmer.settings import Settings

EVENT = json.loads((Path(__file__).parents[2] / "events" / "burst_logs.json").read_text())
LIVE = Target("preheat-recommend", "live")


def record(environment: str, waited: str = CUSTOMER, function: str = "preheat-recommend") -> str:
    start = ColdStart(
        environment=environment,
        function=function,
        version="2",
        initialization="on-demand",
        waited=waited,
        import_ms=1.0,
        load_ms=2.0,
        first_answer_ms=3.0,
        init_ms=6.0,
        models={},
    )
    return cold_start_line(start, 1_800_000_000.0)


def delivery(messages: Sequence[str], kind: str = "DATA_MESSAGE") -> dict[str, Any]:
    body = {
        "messageType": kind,
        "logGroup": "/aws/lambda/preheat-recommend",
        "logEvents": [{"id": str(i), "timestamp": i, "message": text} for i, text in enumerate(messages)],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(body).encode())).decode()}}


@dataclass
class OncePerMinute:
    until_s: dict[Target, float] = field(default_factory=dict)

    def begin(self, target: Target, now_s: float) -> bool:
        if self.until_s.get(target, 0.0) > now_s:
            return False
        self.until_s[target] = now_s + 60
        return True


@dataclass
class Notebook:
    told: list[tuple[Target, dict[str, float]]] = field(default_factory=list)
    failure: Failed | None = None

    def tell(self, target: Target, instants_s: Mapping[str, float], now_s: float) -> Failed | None:
        self.told.append((target, dict(instants_s)))
        return self.failure


@dataclass
class World:
    wanted: dict[Target, Settings] = field(default_factory=lambda: {LIVE: Settings()})
    held: dict[Target, Failed] = field(default_factory=dict)
    pinger: EchoPinger = field(default_factory=EchoPinger)
    cooldown: OncePerMinute = field(default_factory=OncePerMinute)
    told: Notebook = field(default_factory=Notebook)
    strikes: Strikes | Failed = field(default_factory=Strikes)
    now_s: float = 1000.0

    def settings(self, now_s: float) -> tuple[Mapping[Target, Settings], Mapping[Target, Failed]]:
        return self.wanted, self.held

    def answer(self, event: Mapping[str, Any], **options: Any) -> list[dict[str, Any]]:
        clock: Callable[[], float] = lambda: self.now_s  # noqa: E731
        return Burst(
            self.settings,
            lambda target: self.strikes,
            self.cooldown,
            self.told,
            self.pinger,
            clock,
            **options,
        ).answer(event)


def test_the_real_payload_is_answered_by_a_few_pings() -> None:
    world = World()
    (answer,) = world.answer(EVENT)
    (sent,) = world.pinger.sent
    assert sent.target == LIVE and sent.environments == 2 * 2 + 1
    assert answer["announced"] == 2 and answer["reached"] == 5 and answer["reason"] == "announced_cold_start"


def test_the_record_that_environments_write_is_the_one_that_is_understood() -> None:
    heard = announced(delivery([record("e1"), record("e2")]))
    assert {name: set(environments) for name, environments in heard.items()} == {
        "preheat-recommend": {"e1", "e2"}
    }


def test_an_announcement_is_of_the_instant_at_which_the_customer_began_to_wait() -> None:
    (instants,) = announced(EVENT).values()
    assert instants == {
        "e1": pytest.approx(1795528200.001 - 0.4981),
        "e2": pytest.approx(1795528200.002 - 0.4981),
    }


def test_what_was_announced_is_kept_for_the_cycle_each_time_though_pings_cool_down() -> None:
    world = World()
    world.answer(delivery([record("e1")]))
    world.answer(delivery([record("e2")]))
    assert [(target, set(instants)) for target, instants in world.told.told] == [
        (LIVE, {"e1"}),
        (LIVE, {"e2"}),
    ]
    assert len(world.pinger.sent) == 1


def test_a_table_that_takes_no_announcement_is_reported_and_the_burst_answered() -> None:
    world = World(told=Notebook(failure=Failed("cold starts of preheat-recommend:live: throttled")))
    (answer,) = world.answer(EVENT)
    assert answer["reached"] == 5
    assert answer["problems"] == ["cold starts of preheat-recommend:live: throttled"]


def test_a_cold_start_that_a_ping_waited_for_is_no_announcement() -> None:
    world = World()
    assert world.answer(delivery([record("e1", waited=PING)])) == []
    assert world.pinger.sent == []


def test_a_record_delivered_twice_counts_once() -> None:
    assert len(announced(delivery([record("e1"), record("e1")]))["preheat-recommend"]) == 1


def test_the_same_delivery_again_is_harmless_until_the_target_has_cooled_down() -> None:
    world = World()
    reasons = [world.answer(EVENT)[0]["reason"] for _ in range(50)]
    assert reasons == ["announced_cold_start"] + ["cooled_down"] * 49
    assert len(world.pinger.sent) == 1
    world.now_s += 60
    world.answer(EVENT)
    assert len(world.pinger.sent) == 2


def test_a_flood_asks_for_no_more_than_the_most() -> None:
    world = World()
    world.answer(delivery([record(f"e{i}") for i in range(5000)]))
    assert world.pinger.sent[0].environments == MOST


def test_the_users_ceiling_holds() -> None:
    world = World(wanted={LIVE: Settings(objective=Objective(ceiling=3))})
    world.answer(EVENT)
    assert world.pinger.sent[0].environments == 3


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        pytest.param(World(wanted={LIVE: Settings(enabled=False)}), "off", id="switched-off"),
        pytest.param(
            World(wanted={LIVE: Settings(objective=Objective(ceiling=0))}), "off", id="ceiling-of-none"
        ),
    ],
)
def test_what_is_switched_off_stays_off(world: World, reason: str) -> None:
    (answer,) = world.answer(EVENT)
    assert answer["reason"] == reason and world.pinger.sent == [] and world.told.told == []


def test_a_target_with_a_budget_is_the_cycles_to_decide_which_knows_what_is_left() -> None:
    world = World(wanted={LIVE: Settings(objective=Objective(monthly_budget_usd=100.0))})
    (answer,) = world.answer(EVENT)
    assert answer["reason"] == "budget" and world.pinger.sent == [] and world.cooldown.until_s == {}
    assert [target for target, _ in world.told.told] == [LIVE]


def test_a_target_whose_warm_ups_fail_is_left_to_the_kill_switch() -> None:
    world = World(strikes=Strikes(failures=ALLOWED))
    (answer,) = world.answer(EVENT)
    assert answer["reason"] == "kill_switch" and world.pinger.sent == []
    world.strikes = Strikes(failures=ALLOWED - 1)
    assert world.answer(EVENT)[0]["reason"] == "announced_cold_start"


def test_a_target_of_which_nobody_knows_whether_its_warm_ups_fail_is_not_pinged() -> None:
    world = World(strikes=Failed("history of preheat-recommend:live: throttled"))
    (answer,) = world.answer(EVENT)
    assert answer["reason"] == "unknown" and world.pinger.sent == []
    assert answer["problems"] == ["history of preheat-recommend:live: throttled"]


def test_the_kill_switch_is_read_where_the_cycle_writes_it(aws: boto3.Session, table: str) -> None:
    client = aws.client("dynamodb")
    cycle = DynamoHistories(client, table, "run", 1e12)
    cycle.lease([LIVE], 1000.0)
    cycle.strike(LIVE, Strikes(failures=4, paused_until_s=2000.0))
    cycle.save([LIVE], History.blank(1), [1060.0], 1000.0)
    assert read_strikes(client, table)(LIVE) == Strikes(failures=4, paused_until_s=2000.0)
    assert read_strikes(client, table)(Target("other", "live")) == Strikes()
    assert isinstance(read_strikes(client, "nowhere")(LIVE), Failed)


def test_a_dry_run_sends_nothing_and_starts_no_cooling_down() -> None:
    world = World()
    (answer,) = world.answer(EVENT, dry_run=True)
    assert answer["reason"] == "dry_run" and world.pinger.sent == [] and world.cooldown.until_s == {}
    assert world.told.told == []


def test_a_function_that_is_no_target_is_passed_over() -> None:
    world = World()
    assert world.answer(delivery([record("e1", function="other")])) == []


def test_a_target_with_a_bad_setting_is_held_and_said() -> None:
    world = World(wanted={}, held={LIVE: Failed("floor must be ...")})
    (answer,) = world.answer(EVENT)
    assert answer["event"] == "held" and answer["problems"] == ["floor must be ..."]


def test_pings_that_fail_are_reported() -> None:
    world = World(pinger=EchoPinger(failures={LIVE: Failed("boom")}))
    (answer,) = world.answer(EVENT)
    assert answer["reason"] == "unknown" and answer["problems"] == ["boom"]


@pytest.mark.parametrize(
    "messages",
    [
        ["REPORT RequestId: 1 Duration: 3 ms"],
        ["[1, 2]"],
        ['{"customer_cold_start": "yes", "waited": "customer"}'],
        ['{"customer_cold_start": true, "waited": "ping"}'],
    ],
)
def test_whatever_else_a_filter_lets_through_is_passed_over(messages: list[str]) -> None:
    assert World().answer(delivery(messages)) == []


def test_a_control_message_is_nothing() -> None:
    assert World().answer(delivery([record("e1")], kind="CONTROL_MESSAGE")) == []


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"awslogs": {}},
        {"awslogs": {"data": "%%%"}},
        {"awslogs": {"data": base64.b64encode(b"no gzip").decode()}},
        {"awslogs": {"data": base64.b64encode(gzip.compress(b"no json")).decode()}},
        {"awslogs": {"data": base64.b64encode(gzip.compress(b"[]")).decode()}},
        {"awslogs": {"data": base64.b64encode(gzip.compress(b"x" * 99)[:-9]).decode()}},
    ],
)
def test_an_event_of_another_kind_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(DeliveryError, match=r"subscription's event|must hold an object"):
        World().answer(event)


def test_the_table_lets_one_of_many_deliveries_act(aws: boto3.Session, table: str) -> None:
    client = aws.client("dynamodb")
    cooldowns = [Cooldown(client, table, lasts_s=60) for _ in range(3)]
    assert [one.begin(LIVE, 1000.0) for one in cooldowns] == [True, False, False]
    assert cooldowns[0].begin(Target("other", "live"), 1000.0), "another target has its own"
    assert cooldowns[1].begin(LIVE, 1060.0)
    (item,) = (
        item for item in client.scan(TableName=table)["Items"] if item["target"]["S"] == f"burst#{LIVE}"
    )
    assert float(item["expires_at"]["N"]) > 1060
