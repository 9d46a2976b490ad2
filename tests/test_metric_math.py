"""Expressions over metrics, as CloudWatch works them out."""

from __future__ import annotations

import pytest
from preheat_tools.metric_math import Points, evaluate


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a + b * 2", {0.0: 7.0, 60.0: 3.0}),
        ("(a + b) / 4 - 1", {0.0: 0.0, 60.0: -0.25}),
        ("a / b", {0.0: 1 / 3}),
        ("a * 0.0000002", {0.0: 2e-7, 60.0: 6e-7, 120.0: 1e-6}),
        ("(a > 2) * a", {0.0: 0.0, 60.0: 3.0, 120.0: 5.0}),
        ("a <= 3", {0.0: 1.0, 60.0: 1.0, 120.0: 0.0}),
    ],
)
def test_arithmetic_has_a_value_where_all_rows_have_one(expression: str, value: Points) -> None:
    series = {"a": {0.0: 1.0, 60.0: 3.0, 120.0: 5.0}, "b": {0.0: 3.0, 60.0: 0.0}}
    assert evaluate(expression, series, period_s=60, until_s=300.0) == pytest.approx(value)


def test_what_is_filled_repeats_the_last_value_until_now() -> None:
    filled = evaluate("FILL(a, REPEAT)", {"a": {60.0: 1.0, 180.0: 3.0}}, period_s=60, until_s=300.0)
    assert filled == {60.0: 1.0, 120.0: 1.0, 180.0: 3.0, 240.0: 3.0}
    assert evaluate("FILL(a, REPEAT)", {"a": {}}, period_s=60, until_s=300.0) == {}


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("a + c", "'c'"),
        ("SUM(a)", "SUM"),
        ("FILL(c, REPEAT)", "'c'"),
        ("a ** 2", "a ** 2"),
        ("0 < a < 2", "0 < a < 2"),
    ],
)
def test_what_is_no_arithmetic_of_the_rows_is_refused(expression: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        evaluate(expression, {"a": {0.0: 1.0}}, period_s=60, until_s=300.0)
    assert says in str(caught.value)
