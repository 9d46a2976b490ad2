"""A dense array as bytes with a type and a shape: what goes into an engine and comes out, with or without numpy."""

from __future__ import annotations

from array import array
from math import prod

from preheat.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

CODES = {
    "bool": "?",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
"""Element types by numpy's names, with `struct`'s codes."""
SIZES = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4}
SIZES |= {"int64": 8, "uint64": 8, "float32": 4, "float64": 8, "float16": 2}


class Tensor(Frozen):
    """Row-major little-endian elements; `data` is any contiguous buffer of the shape's size."""

    type: str
    shape: tuple[int, ...]
    data: bytes | bytearray | memoryview

    @staticmethod
    def of(values: Iterable[float], type: str, shape: Sequence[int]) -> Tensor:
        """Pack flat values; ValueError where they do not fit the type or the shape."""
        if type not in CODES:
            raise ValueError(f"type must be one of {', '.join(CODES)}, was: {type!r}")
        try:
            elements = (
                bytearray(_flags(values))
                if type == "bool"
                else bytearray(array(CODES[type], values).tobytes())
            )
        except (TypeError, OverflowError) as error:
            raise ValueError(f"not all values are {type}: {error}") from None
        if len(elements) != prod(shape) * SIZES[type]:
            raise ValueError(
                f"shape {list(shape)} takes {prod(shape)} values, was given {len(elements) // SIZES[type]}"
            )
        return Tensor(type=type, shape=tuple(shape), data=elements)

    @staticmethod
    def from_numpy(value: Any) -> Tensor:
        """A tensor over the memory of a numpy array, copied only where that is not contiguous."""
        return Tensor(type=value.dtype.name, shape=tuple(value.shape), data=value.ravel().view("uint8").data)

    def values(self) -> list[Any]:
        """The elements in row-major order, as Python numbers."""
        return self._flat().tolist()

    def numpy(self) -> Any:
        """A numpy array over the same memory."""
        import numpy as np

        return np.frombuffer(self.data, dtype=self.type).reshape(self.shape)

    def _flat(self) -> memoryview:
        return memoryview(self.data).cast("B").cast(CODES[self.type])  # type: ignore[call-overload, no-any-return]


def _flags(values: Iterable[Any]) -> Iterable[int]:
    for value in values:
        if value not in (0, 1):
            raise TypeError(f"{value!r} is neither true nor false")
        yield int(value)
