from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from preheat.tensor import CODES, Tensor


@given(
    hnp.arrays(
        hnp.boolean_dtypes()
        | hnp.integer_dtypes(endianness="=")
        | hnp.floating_dtypes(endianness="=", sizes=(16, 32, 64)),
        hnp.array_shapes(min_side=0),
    )
)
def test_a_tensor_has_the_numbers_of_its_array(array: Any) -> None:
    tensor = Tensor.from_numpy(array)
    assert np.array_equal(np.array(tensor.values()), array.ravel(), equal_nan=array.dtype.kind == "f")
    assert bytes(tensor.data) == array.tobytes()
    again = Tensor.of(tensor.values(), tensor.type, tensor.shape)
    assert again.shape == array.shape
    if array.dtype.kind != "f":  # a NaN may change its payload on the way through a Python float
        assert bytes(again.data) == array.tobytes()


def test_a_view_of_an_array_is_taken_in_row_major_order() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3).T
    assert Tensor.from_numpy(array).values() == [0, 3, 1, 4, 2, 5]
    assert np.array_equal(Tensor.from_numpy(array).numpy(), array)


@given(hnp.arrays(hnp.floating_dtypes(endianness=">"), hnp.array_shapes()))
def test_a_big_endian_array_is_converted(array: Any) -> None:
    assert np.array_equal(Tensor.from_numpy(array).numpy(), array, equal_nan=True)


@pytest.mark.parametrize(
    ("values", "type", "shape", "said"),
    [
        pytest.param([1.0], "float31", (1,), f"type must be one of {', '.join(CODES)}", id="no-such-type"),
        pytest.param([1, 2, 3], "int64", (2, 2), "shape [2, 2] takes 4 values, was given 3", id="too-few"),
        pytest.param(["x"], "float32", (1,), "not all values are float32", id="a-word"),
        pytest.param([1.5], "int64", (1,), "not all values are int64", id="a-fraction-for-an-integer"),
        pytest.param([300], "uint8", (1,), "not all values are uint8", id="too-large-for-its-type"),
        pytest.param([2], "bool", (1,), "not all values are bool", id="neither-true-nor-false"),
        pytest.param([1e39], "float32", (1,), "not all values are float32", id="beyond-float32"),
        pytest.param([65520.0], "float16", (1,), "not all values are float16", id="beyond-float16"),
        pytest.param([10**400], "float64", (1,), "not all values are float64", id="beyond-float64"),
        pytest.param([None], "float32", (1,), "not all values are float32", id="null"),
    ],
)
def test_values_that_do_not_fit(values: list[Any], type: str, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError) as error:
        Tensor.of(values, type, shape)
    assert said in str(error.value)
