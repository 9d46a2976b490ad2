"""Golden questions: what a model is asked before it counts as warm, and how its answers are compared.

`golden.npz` is a zip of uncompressed arrays `0.in.<input>`, `0.out.<output>`, `1.in.…`; it is read here without
numpy and without `zipfile` (10 ms of imports), and never unpickled.
"""

from __future__ import annotations

import struct
from math import prod

from preheat.fields import PackError
from preheat.frozen import Frozen
from preheat.tensor import SIZES, Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from preheat.manifest import GoldenSpec
    from preheat.pack import Pack

_END, _ENTRY = b"PK\x05\x06", b"PK\x01\x02"
_HEADER = r"\{'descr': '([<>|=]?)([a-z]\d+)', 'fortran_order': False, 'shape': \(([\d, ]*)\), *\}\s*"
_DTYPES = {
    "b1": "bool",
    "i1": "int8",
    "u1": "uint8",
    "i2": "int16",
    "u2": "uint16",
    "i4": "int32",
    "u4": "uint32",
}
_DTYPES |= {"i8": "int64", "u8": "uint64", "f2": "float16", "f4": "float32", "f8": "float64"}


class Question(Frozen):
    """Inputs with the answer the original model gave."""

    inputs: Mapping[str, Tensor]
    answers: Mapping[str, Tensor]


def read_golden(pack: Pack) -> list[Question]:
    """The pack's questions, in their order; PackError where they are not what the manifest says."""
    path = pack.path(pack.manifest.golden.file)
    with open(path, "rb", buffering=0) as file:
        arrays = dict(_arrays(memoryview(file.readall()), path))
    inputs = [spec.name for spec in pack.manifest.inputs]
    outputs = [spec.name for spec in pack.manifest.outputs]
    try:
        return [
            Question(
                inputs={name: arrays[f"{case}.in.{name}"] for name in inputs},
                answers={name: arrays[f"{case}.out.{name}"] for name in outputs},
            )
            for case in range(pack.manifest.golden.cases)
        ]
    except KeyError as missing:
        raise PackError(f"{path}: no array {missing}; it holds {', '.join(arrays)}") from None


def difference(golden: Mapping[str, Tensor], found: Mapping[str, Tensor], allowed: GoldenSpec) -> str:
    """What is wrong with an answer, or nothing: off where |found - golden| > atol + rtol × |golden|."""
    for name, expected in golden.items():
        answer = found.get(name)
        if answer is None:
            return f"no output {name}"
        if (answer.type, answer.shape) != (expected.type, expected.shape):
            return f"{name} is {_form(answer)}, golden is {_form(expected)}"
        for index, (a, b) in enumerate(zip(answer.values(), expected.values(), strict=True)):
            # written so that NaN, which compares false with everything, is off
            if a != b and not abs(a - b) <= allowed.atol + allowed.rtol * abs(b):
                return f"{name}[{index}] is {a:g}, golden is {b:g} (rtol {allowed.rtol:g}, atol {allowed.atol:g})"
    return ""


def _form(tensor: Tensor) -> str:
    return f"{tensor.type}{list(tensor.shape)}"


def _arrays(data: memoryview, path: str) -> Iterator[tuple[str, Tensor]]:
    """The arrays of an uncompressed .npz, by the zip's central directory (APPNOTE.TXT, 4.3.12 and 4.3.16)."""
    try:
        end = bytes(data[-65557:]).rindex(_END) + max(0, len(data) - 65557)
        count, _size, at = struct.unpack_from("<HII", data, end + 10)
        for _ in range(count):
            signature, method, packed, size, name_length, extra, comment, local = struct.unpack_from(
                "<4s6xH8xIIHHH8xI", data, at
            )
            name = bytes(data[at + 46 : at + 46 + name_length]).decode()
            if signature != _ENTRY or method != 0 or packed != size:
                raise PackError(f"{path}: {name} is compressed; write it with numpy.savez")
            local_name, local_extra = struct.unpack_from("<HH", data, local + 26)
            start = local + 30 + local_name + local_extra
            yield name.removesuffix(".npy"), _array(data[start : start + size], f"{path}: {name}")
            at += 46 + name_length + extra + comment
    except (ValueError, IndexError, struct.error) as error:
        if isinstance(error, PackError):
            raise
        raise PackError(f"{path} is not a .npz file: {error}") from None


def _array(data: memoryview, where: str) -> Tensor:
    """One .npy array (numpy.lib.format), in C order and of plain numbers."""
    import json
    import re

    magic, major = struct.unpack_from("<6sB", data)
    length, start = (
        (*struct.unpack_from("<H", data, 8), 10) if major == 1 else (*struct.unpack_from("<I", data, 8), 12)
    )
    header = bytes(data[start : start + length]).decode("latin-1")
    match = re.fullmatch(_HEADER, header)
    kind = _DTYPES.get(match[2]) if match and match[1] != ">" else None
    if magic != b"\x93NUMPY" or match is None or kind is None:
        raise PackError(f"{where} must be a C-ordered little-endian array of numbers, was: {header.strip()}")
    shape = tuple(json.loads(f"[{match[3].rstrip(', ')}]"))
    values = data[start + length :]
    if len(values) != prod(shape) * SIZES[kind]:
        raise PackError(f"{where} is cut short: {len(values)} bytes for {kind}{list(shape)}")
    return Tensor(type=kind, shape=shape, data=values)
