from __future__ import annotations

import pytest
from preheat_tools.demo.figures import Half, as_json, figures, percentile, ping_cost_usd
from preheat_tools.demo.player import Answered


def answer(at_s: float, took_ms: float, status: int = 200) -> Answered:
    return Answered(at_s=at_s, model="short_form", status=status, took_ms=took_ms)


def ran(kind: str, started_s: float, *, cold: bool = False, billed_ms: int = 10) -> dict[str, object]:
    return {
        "kind": kind,
        "cold": cold,
        "billed_ms": billed_ms,
        "started_s": started_s,
        "init_ms": 0.0,
        "duration_ms": float(billed_ms),
    }


HALF = Half(
    answered=[answer(1, 900), answer(400, 5), answer(401, 7, status=503)],
    invocations=[
        ran("request", 1001, cold=True, billed_ms=900),
        ran("ping", 1300, cold=True, billed_ms=800),
        ran("request", 1400),
        ran("request", 1401),
        ran("other", 1402, billed_ms=5000),
    ],
    began_s=1000,
)


def test_only_requests_count_as_cold_starts_and_pings_are_billed_too() -> None:
    found = HALF.figures()
    assert (found.requests, found.cold_starts, found.failed, found.pings) == (3, 1, 1, 1)
    assert found.billed_ms == 900 + 800 + 20
    assert (found.p50_ms, found.p99_ms) == (7, 900)


@pytest.mark.parametrize(
    ("at_s", "compression", "met"),
    [(99.9, 1.0, 0), (100.0, 1.0, 1), (100.5, 1.0, 1), (100.6, 1.0, 0), (120.0, 60.0, 1), (131.0, 60.0, 0)],
)
def test_a_cold_start_while_a_ping_is_answered_met_it(at_s: float, compression: float, met: int) -> None:
    """The ping began at 100 and took half a second of the wall clock."""
    found = figures([], [ran("ping", 100, billed_ms=500), ran("request", at_s, cold=True)], compression)
    assert (found.cold_starts, found.pings_met) == (1, met)


def test_the_first_cycle_can_be_left_out() -> None:
    found = HALF.figures(from_s=350)
    assert (found.requests, found.cold_starts, found.pings, found.p99_ms) == (2, 0, 0, 7)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 99, 0.0), ([3.0], 50, 3.0), ([1.0, 2.0, 3.0, 4.0], 50, 2.0), ([1.0, 2.0, 3.0, 4.0], 99, 4.0)],
)
def test_percentiles_are_by_nearest_rank(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


def test_pings_cost_their_requests_and_their_gigabyte_seconds() -> None:
    found = figures([], [ran("ping", 0, billed_ms=500), ran("ping", 0, billed_ms=500)])
    assert ping_cost_usd(found, 2048, request_usd=0.2e-6, gb_s_usd=1e-5) == pytest.approx(0.4e-6 + 2e-5)


def test_the_json_form_tells_pings_of_the_warm_half_alone() -> None:
    assert "pings" not in as_json(HALF.figures(), HALF.figures(350))
    warm = as_json(HALF.figures(), HALF.figures(350), pings=True)
    assert warm["pings"] == 1
    assert warm["after_first_cycle"]["pings"] == 0
