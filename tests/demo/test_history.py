from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from preheat_tools.demo.history import history_series, peak_concurrency

counts = st.lists(st.integers(min_value=0, max_value=30), max_size=20)


@given(counts, st.floats(min_value=0.001, max_value=30))
def test_a_peak_is_at_most_the_requests_and_none_without_any(counts: list[int], service_s: float) -> None:
    peaks = peak_concurrency(counts, service_s)
    assert len(peaks) == len(counts)
    for minute, (peak, count) in enumerate(zip(peaks, counts, strict=True)):
        assert bool(peak) == bool(count)
        assert peak <= sum(counts[: minute + 1])


def test_an_instant_answer_never_meets_another() -> None:
    assert peak_concurrency([5, 0, 9], 1e-9) == [1, 0, 1]


def test_an_endless_answer_meets_every_later_request() -> None:
    assert peak_concurrency([2, 3], 1e9) == [2, 5]


def test_the_series_end_with_the_last_whole_minute_and_leave_gaps_out() -> None:
    series = history_series("f", "live", [3, 0, 4], 0.2, until_s=6_030.0)
    assert {one["name"] for one in series} == {"Invocations", "ConcurrentExecutions", "Duration"}
    assert {one["dimensions"].get("Resource") for one in series} == {None, "f:live"}
    for one in series:
        assert one["start_s"] == 6_000 - 3 * 60
        assert one["values"][1] is None
