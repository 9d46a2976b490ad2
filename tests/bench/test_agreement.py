"""What the local cloud's ledger says of a stretch, beside what the simulator makes of the same instants."""

from __future__ import annotations

from typing import Any

import pytest
from preheat_tools.bench.agreement import compared
from preheat_tools.demo.figures import Half
from preheat_tools.simulator.replay import Pinged, rounds

BEGAN_S = 1_700_000_000.0
COMPRESSION = 60.0


def one(kind: str, at_s: float, *, cold: bool, duration_ms: float = 5.0) -> dict[str, Any]:
    """A row of the ledger; INIT takes half a real second, which is half a minute of the trace."""
    init_ms = 500.0 if cold else 0.0
    return {
        "kind": kind, "cold": cold, "started_s": BEGAN_S + at_s, "duration_ms": duration_ms, "init_ms": init_ms,
    }  # fmt: skip


def half(*invocations: dict[str, Any]) -> Half:
    return Half(answered=[], invocations=invocations, began_s=BEGAN_S, compression=COMPRESSION)


@pytest.mark.parametrize(
    ("later_s", "cold"),
    [
        pytest.param(300, 1, id="within-an-idle-lifetime"),
        pytest.param(500, 2, id="after-it"),
        pytest.param(10, 2, id="while-init-runs"),
    ],
)
def test_a_request_is_simulated_cold_where_no_environment_can_be_idle(later_s: float, cold: int) -> None:
    found = compared(
        half(
            one("request", 0, cold=True),
            one("request", later_s, cold=cold == 2),
            one("request", 2000, cold=True),
            one("request", 2100, cold=False),
        ),
        3600.0,
        warmer=False,
    )
    assert (found.requests, found.init_ms, found.service_ms) == (4, 30_000.0, 300.0)
    assert found.cold_starts == found.simulated_cold_starts == cold + 1


def test_a_round_s_pings_make_what_is_missing_and_keep_it_for_customers() -> None:
    pinged = [one("ping", 0.1 * i, cold=True, duration_ms=20) for i in range(3)]
    asked = [one("request", 200 + 0.1 * i, cold=False) for i in range(3)]
    found = compared(half(*pinged, *asked, one("request", 200.3, cold=True)), 600.0, warmer=True)
    assert (found.pings, found.made_by_pings, found.simulated_made_by_pings) == (3, 3, 3)
    assert found.cold_starts == found.simulated_cold_starts == 1


def test_pings_are_of_one_round_while_they_come_close_together() -> None:
    pings = [Pinged(at, at + 1) for at in (300.0, 0.0, 1.0, 310.0)]
    assert [[ping.at_s for ping in one] for one in rounds(pings)] == [[0.0, 1.0], [300.0, 310.0]]
