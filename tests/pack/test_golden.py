"""Golden questions: written, and how far an answer is off."""

from pathlib import Path

import numpy as np
import pytest
from preheat_tools.pack.golden import Case, Tolerance, worst_miss, write_golden

CASE = Case(inputs={"x": np.float32([1, 2])}, answers={"y": np.float32([1, -100])})
TOLERANCE = Tolerance(rtol=0.01, atol=0.1)


@pytest.mark.parametrize(
    ("found", "miss"),
    [
        pytest.param(np.float32([1, -100]), 0, id="the-same"),
        pytest.param(np.float32([1.11, -100]), 1, id="off-by-just-what-is-allowed"),
        pytest.param(np.float32([1, -102.2]), 2, id="off-by-twice-what-is-allowed"),
        pytest.param(np.float32([1, np.nan]), np.inf, id="no-number"),
        pytest.param(np.float32([1]), np.inf, id="another-shape"),
        pytest.param(np.float64([1, -100]), np.inf, id="another-type"),
    ],
)
def test_a_miss_is_measured_in_tolerances(found: np.ndarray, miss: float) -> None:
    assert worst_miss([CASE], lambda inputs: {"y": found}, TOLERANCE) == pytest.approx(miss, rel=1e-4)


def test_an_answer_without_the_output_is_off_altogether() -> None:
    assert worst_miss([CASE], lambda inputs: {}, TOLERANCE) == np.inf


def test_the_same_cases_make_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_golden([CASE], tmp_path / name)
    assert (tmp_path / "one/golden.npz").read_bytes() == (tmp_path / "two/golden.npz").read_bytes()
    with np.load(tmp_path / "one/golden.npz") as archive:
        assert archive.files == ["0.in.x", "0.out.y"]
