"""Golden questions: asked of the original model when a pack is made, and of the pack whenever it is warmed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

GOLDEN_FILE = "golden.npz"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's first day: a file's time would change its hash

Arrays = Mapping[str, npt.NDArray[np.generic]]
Answer = Callable[[Arrays], Arrays]
"""Inputs by name to outputs by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question with the original model's answer."""

    inputs: Arrays
    answers: Arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """An answer may be off by atol + rtol × |golden|."""

    rtol: float = 1e-3
    atol: float = 1e-5


def ask(answer: Answer, questions: Sequence[Arrays]) -> tuple[Case, ...]:
    """The golden cases: what the original model answers."""
    return tuple(Case(inputs=inputs, answers=answer(inputs)) for inputs in questions)


def write_golden(cases: Sequence[Case], folder: Path) -> None:
    """`0.in.<input>`, `0.out.<output>`, `1.in.…` uncompressed, the same bytes for the same cases."""
    with zipfile.ZipFile(folder / GOLDEN_FILE, "w", zipfile.ZIP_STORED) as archive:
        for place, case in enumerate(cases):
            for part, arrays in (("in", case.inputs), ("out", case.answers)):
                for name, array in arrays.items():
                    data = io.BytesIO()
                    np.lib.format.write_array(data, np.ascontiguousarray(array), allow_pickle=False)
                    archive.writestr(zipfile.ZipInfo(f"{place}.{part}.{name}.npy", _EPOCH), data.getvalue())


def worst_miss(cases: Sequence[Case], answer: Answer, tolerance: Tolerance) -> float:
    """The largest error over what is allowed: up to 1 an answer is golden; infinite where its shape or kind is off."""
    worst = 0.0
    for case in cases:
        found = answer(case.inputs)
        for name, golden in case.answers.items():
            worst = max(worst, _miss(golden, found.get(name), tolerance))
    return worst


def _miss(
    golden: npt.NDArray[np.generic], found: npt.NDArray[np.generic] | None, tolerance: Tolerance
) -> float:
    if found is None or found.shape != golden.shape or found.dtype != golden.dtype:
        return float("inf")
    a, b = np.asarray(found, dtype=np.float64), np.asarray(golden, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # inf - inf, where both are the same infinity
        off = np.where(a == b, 0.0, np.abs(a - b) / (tolerance.atol + tolerance.rtol * np.abs(b)))
    return float(np.nan_to_num(off, nan=np.inf).max(initial=0.0))
