"""Golden questions: read as numpy reads them, compared as the manifest allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from preheat.fields import PackError
from preheat.golden import difference, read_golden
from preheat.manifest import GoldenSpec
from preheat.pack import read_pack
from preheat.tensor import Tensor

from .packs import write_pack

ALLOWED = GoldenSpec(file="golden.npz", cases=1, rtol=1e-3, atol=1e-6)


def one(*values: float) -> dict[str, Tensor]:
    return {"y": Tensor.of(values, "float32", (len(values),))}


def test_the_questions_are_those_that_numpy_wrote(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, "a")
    first, second = read_golden(read_pack(folder))
    with np.load(folder / "golden.npz") as arrays:
        assert np.array_equal(first.inputs["visited"].numpy(), arrays["0.in.visited"])
        assert np.array_equal(second.answers["scores"].numpy(), arrays["1.out.scores"])


@given(
    hnp.arrays(
        st.sampled_from(["bool", "uint8", "int32", "int64", "float16", "float32", "float64"]),
        hnp.array_shapes(min_dims=0, min_side=0),
    )
)
def test_any_array_of_numbers_is_read(tmp_path_factory: pytest.TempPathFactory, array: Any) -> None:
    folder = write_pack(tmp_path_factory.mktemp("g"), "a")
    names = [f"{case}.{side}" for case in (0, 1) for side in ("in.visited", "out.scores")]
    np.savez(folder / "golden.npz", **dict.fromkeys(names, array))
    read = read_golden(read_pack(folder))[1].answers["scores"]
    assert (read.type, read.shape, bytes(read.data)) == (array.dtype.name, array.shape, array.tobytes())


def compressed(folder: Path, arrays: dict[str, Any]) -> None:
    np.savez_compressed(folder / "golden.npz", **arrays)


def pickled(folder: Path, arrays: dict[str, Any]) -> None:
    np.savez(folder / "golden.npz", **{name: np.array([{}], dtype=object) for name in arrays})


def in_fortran_order(folder: Path, arrays: dict[str, Any]) -> None:
    np.savez(folder / "golden.npz", **{name: np.asfortranarray(array) for name, array in arrays.items()})


def without_an_answer(folder: Path, arrays: dict[str, Any]) -> None:
    np.savez(folder / "golden.npz", **{name: a for name, a in arrays.items() if name != "1.out.scores"})


def cut_short(folder: Path, _arrays: dict[str, Any]) -> None:
    path = folder / "golden.npz"
    path.write_bytes(path.read_bytes()[:100])


def empty(folder: Path, _arrays: dict[str, Any]) -> None:
    (folder / "golden.npz").write_bytes(b"")


def cut_within_the_directory(folder: Path, _arrays: dict[str, Any]) -> None:
    path = folder / "golden.npz"
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"PK\x01\x02") + 20] + data[data.rindex(b"PK\x05\x06") :][:14])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (compressed, "is compressed; write it with numpy.savez"),
        (pickled, "must be a C-ordered little-endian array of numbers"),
        (in_fortran_order, "must be a C-ordered"),
        (without_an_answer, "no array '1.out.scores'; it holds 0.in.visited"),
        (cut_short, "is not a .npz file"),
        (cut_within_the_directory, "is not a .npz file"),
        (empty, "is not a .npz file"),
    ],
)
def test_what_is_not_read(tmp_path: Path, spoil: Any, said: str) -> None:
    folder = write_pack(tmp_path, "a")
    with np.load(folder / "golden.npz") as arrays:
        spoil(folder, dict(arrays))
    with pytest.raises(PackError) as error:
        read_golden(read_pack(folder))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(one(1.0, 2.0), "", id="the-same"),
        pytest.param(one(1.0009, 2.0), "", id="within-tolerance"),
        pytest.param(one(1.0, 2.01), "y[1] is 2.01, golden is 2", id="beyond-tolerance"),
        pytest.param(one(1.0, float("nan")), "y[1] is nan, golden is 2", id="nan"),
        pytest.param(one(1.0, float("inf")), "y[1] is inf, golden is 2", id="infinite"),
        pytest.param(one(1.0), "y is float32[1], golden is float32[2]", id="another-shape"),
        pytest.param({"y": Tensor.of([1, 2], "int64", (2,))}, "y is int64[2]", id="another-type"),
        pytest.param({}, "no output y", id="no-output"),
    ],
)
def test_a_difference_is_said(found: dict[str, Tensor], said: str) -> None:
    assert difference(one(1.0, 2.0), found, ALLOWED).startswith(said)
    assert bool(difference(one(1.0, 2.0), found, ALLOWED)) == bool(said)


def test_half_precision_is_compared_too() -> None:
    golden, found = (
        {"y": Tensor.from_numpy(np.array(values, dtype=np.float16))} for values in ([1, 2], [1, 3])
    )
    assert difference(golden, golden, ALLOWED) == ""
    assert difference(golden, found, ALLOWED).startswith("y[1] is 3, golden is 2")
