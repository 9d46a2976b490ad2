"""A dense array as bytes with a type and a shape: what goes into an engine and comes out, with or without numpy."""

from __future__ import annotations

import struct
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
    "float16": "e",
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
        flat = list(values)
        if len(flat) != prod(shape):
            raise ValueError(f"shape {list(shape)} takes {prod(shape)} values, was given {len(flat)}")
        try:
            # of a finite number that a float type cannot hold, struct makes an error, `array` an infinity
            elements = (
                bytes(_flags(flat)) if type == "bool" else struct.pack(f"<{len(flat)}{CODES[type]}", *flat)
            )
        except (TypeError, OverflowError, struct.error) as error:
            raise ValueError(f"not all values are {type}: {error}") from None
        return Tensor(type=type, shape=tuple(shape), data=bytearray(elements))

    @staticmethod
    def from_numpy(value: Any) -> Tensor:
        """A tensor over the memory of a numpy array, copied only where that is not contiguous or big-endian."""
        value = little_endian(value)
        return Tensor(type=value.dtype.name, shape=tuple(value.shape), data=value.ravel().view("uint8").data)

    def values(self) -> list[Any]:
        """The elements in row-major order, as Python numbers."""
        view = memoryview(self.data).cast("B")
        if self.type == "float16":  # no memoryview has these before Python 3.14
            return list(struct.unpack(f"<{len(view) // 2}e", view))
        return view.cast(CODES[self.type]).tolist()  # type: ignore[call-overload, no-any-return]

    def numpy(self) -> Any:
        """A numpy array over the same memory."""
        import numpy as np

        return np.frombuffer(self.data, dtype=self.type).reshape(self.shape)


def little_endian(value: Any) -> Any:
    """A numpy array in the byte order that engines read; the same one where it is so already."""
    return value.astype(value.dtype.newbyteorder("<")) if value.dtype.byteorder == ">" else value


def _flags(values: Iterable[Any]) -> Iterable[int]:
    for value in values:
        if value not in (0, 1):
            raise TypeError(f"{value!r} is neither true nor false")
        yield int(value)
