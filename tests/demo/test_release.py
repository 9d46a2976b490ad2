"""What the demo's last scene promises, and when its command fails."""

from __future__ import annotations

import pytest
from preheat_tools.demo.figures import Half
from preheat_tools.demo.release import Release, broken_promise
from preheat_tools.localcloud.canary import Outcome

NOTHING = Half(answered=[], invocations=[], began_s=0.0)
STOPPED = Outcome(old="1", new="2", stopped="BeforeAllowTraffic: Failed", report="FAILED\n- a is slow")
TOOK_OVER = Outcome(old="1", new="3", report="PASSED")


@pytest.mark.parametrize(
    ("wrong", "met", "good", "says"),
    [
        pytest.param(STOPPED, 0, TOOK_OVER, "", id="kept"),
        pytest.param(TOOK_OVER, 0, TOOK_OVER, "a wrong weight took 0 requests", id="the-wrong-one-took-over"),
        pytest.param(STOPPED, 3, TOOK_OVER, "a wrong weight took 3 requests", id="the-wrong-one-met-customers"),
        pytest.param(STOPPED, 0, STOPPED, "was not let through: BeforeAllowTraffic: Failed\nFAILED\n- a is slow",
                     id="the-good-one-was-refused"),
    ],
)  # fmt: skip
def test_a_promise_that_is_broken_is_said_with_its_reason(
    wrong: Outcome, met: int, good: Outcome, says: str
) -> None:
    releases = {
        "wrong": Release(outcome=wrong, half=NOTHING, met=met),
        "good": Release(outcome=good, half=NOTHING, met=50),
    }
    told = broken_promise(releases)
    assert says in told and bool(told) == bool(says)
