"""A cold start that a customer waited for: from the environment's log line to a cycle of its target."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import System
from tests.waiting import until

pytestmark = pytest.mark.cloud


def told(system: System) -> dict[str, Any]:
    """The item through which the burst handler speaks to the warmer."""
    answer = system.cloud.client("dynamodb").get_item(
        TableName=system.made.outputs["WarmerTableName"],
        Key={"target": {"S": f"burst#{system.function}:live"}},
    )
    return dict(answer.get("Item", {}))


def test_a_customers_cold_start_is_answered_at_once_and_makes_its_target_due(answering: System) -> None:
    answering.settle({"floor": 1})
    begun_s = answering.cloud.now_s()
    round_s = (begun_s // 300 + 1) * 300 + 240  # the next round is due four minutes later
    assert answering.tick_at(round_s)["reached"] >= 1
    assert answering.tick_at(round_s + 20)["looked_at"] == 0
    answering.expire_all()

    assert answering.ask()[0] == 200
    until(lambda: "told" in told(answering))
    (announced,) = told(answering)["told"]["SS"]
    assert begun_s < float(announced.partition("#")[0]) < answering.cloud.now_s()
    until(lambda: len(answering.environments()) == 3)  # the one that was waited for, made ready twice more

    summary = answering.tick_at(round_s + 40)
    assert summary["looked_at"] == 1 and summary["problems"] == {}
    assert "told" not in told(answering)
    assert answering.tick_at(round_s + 45)["looked_at"] == 0
