"""onnxruntime's C API by ctypes: the function table, version-checked, with what a session needs of it.

The table (`OrtApi` of onnxruntime_c_api.h) is append-only by onnxruntime's contract, so the places below hold for every
library that serves the version asked for. Neither numpy nor onnxruntime's Python package is imported.
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import (
    CFUNCTYPE,
    POINTER,
    PYFUNCTYPE,
    byref,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_uint32,
    c_void_p,
)
from time import perf_counter

from preheat.engines import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

API_VERSION = 22
"""The oldest table with everything below: onnxruntime 1.22, for `SessionOptionsSetLoadCancellationFlag`."""
LOG_ERRORS = 3

ELEMENT_TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
}
"""`ONNXTensorElementDataType`, by numpy's names; strings, complex and sub-byte numbers have no Tensor."""
ELEMENT_CODES = {name: code for code, name in ELEMENT_TYPES.items()}

_HANDLE, _OUT = c_void_p, c_void_p
# name: (place in the table, result, arguments); a result of c_void_p is an OrtStatus, null when all went well
_FUNCTIONS: dict[str, tuple[int, Any, tuple[Any, ...]]] = {
    "GetErrorMessage": (2, c_char_p, (_HANDLE,)),
    "CreateEnv": (3, c_void_p, (c_int, c_char_p, _OUT)),
    "CreateSession": (7, c_void_p, (_HANDLE, c_char_p, _HANDLE, _OUT)),
    "Run": (
        9,
        c_void_p,
        (_HANDLE, _HANDLE, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p),
    ),
    "CreateSessionOptions": (10, c_void_p, (_OUT,)),
    "SetSessionLogSeverityLevel": (22, c_void_p, (_HANDLE, c_int)),
    "SetSessionGraphOptimizationLevel": (23, c_void_p, (_HANDLE, c_int)),
    "SetIntraOpNumThreads": (24, c_void_p, (_HANDLE, c_int)),
    "SessionGetInputCount": (30, c_void_p, (_HANDLE, POINTER(c_size_t))),
    "SessionGetOutputCount": (31, c_void_p, (_HANDLE, POINTER(c_size_t))),
    "SessionGetInputTypeInfo": (33, c_void_p, (_HANDLE, c_size_t, _OUT)),
    "SessionGetOutputTypeInfo": (34, c_void_p, (_HANDLE, c_size_t, _OUT)),
    "SessionGetInputName": (36, c_void_p, (_HANDLE, c_size_t, _HANDLE, _OUT)),
    "SessionGetOutputName": (37, c_void_p, (_HANDLE, c_size_t, _HANDLE, _OUT)),
    "CreateTensorWithDataAsOrtValue": (
        49,
        c_void_p,
        (_HANDLE, c_void_p, c_size_t, c_void_p, c_size_t, c_int, _OUT),
    ),
    "GetTensorMutableData": (51, c_void_p, (_HANDLE, _OUT)),
    "CastTypeInfoToTensorInfo": (55, c_void_p, (_HANDLE, _OUT)),
    "GetTensorElementType": (60, c_void_p, (_HANDLE, POINTER(c_int))),
    "GetDimensionsCount": (61, c_void_p, (_HANDLE, POINTER(c_size_t))),
    "GetDimensions": (62, c_void_p, (_HANDLE, c_void_p, c_size_t)),
    "GetTensorTypeAndShape": (65, c_void_p, (_HANDLE, _OUT)),
    "CreateCpuMemoryInfo": (69, c_void_p, (c_int, c_int, _OUT)),
    "AllocatorFree": (76, c_void_p, (_HANDLE, c_void_p)),
    "GetAllocatorWithDefaultOptions": (78, c_void_p, (_OUT,)),
    "ReleaseStatus": (93, None, (_HANDLE,)),
    "ReleaseSession": (95, None, (_HANDLE,)),
    "ReleaseValue": (96, None, (_HANDLE,)),
    "ReleaseTypeInfo": (98, None, (_HANDLE,)),
    "ReleaseTensorTypeAndShapeInfo": (99, None, (_HANDLE,)),
    "ReleaseSessionOptions": (100, None, (_HANDLE,)),
    "AddSessionConfigEntry": (130, c_void_p, (_HANDLE, c_char_p, c_char_p)),
    "AddExternalInitializers": (210, c_void_p, (_HANDLE, c_void_p, c_void_p, c_size_t)),
    "SessionOptionsSetLoadCancellationFlag": (293, c_void_p, (_HANDLE, ctypes.c_bool)),
}


_LONG = {"CreateEnv", "CreateSession", "Run", "ReleaseSession"}
"""Let go of the interpreter's lock. The others take a microsecond: to let go and wait for another thread's turn to end
would cost 5 ms a call while that thread imports."""


class MisfitError(Exception):
    """Why the C API cannot be used here; the plain path can."""


class Api:
    """The bound functions of one loaded library, and the process's one onnxruntime environment."""

    def __init__(self, path: str) -> None:
        begun = perf_counter()
        try:
            library = ctypes.CDLL(path)
            base: int = CFUNCTYPE(c_void_p)(("OrtGetApiBase", library))()
        except (OSError, AttributeError) as error:
            raise MisfitError(f"{path} cannot be loaded: {error}") from None
        get_api = CFUNCTYPE(c_void_p, c_uint32)(_word(base))
        self.version: str = CFUNCTYPE(c_char_p)(_word(base + 8))().decode()
        table = get_api(API_VERSION)
        if not table:
            raise MisfitError(f"onnxruntime {self.version} has no version {API_VERSION} of its C API")
        self._functions = {
            name: (CFUNCTYPE if name in _LONG else PYFUNCTYPE)(result, *arguments)(_word(table + 8 * place))
            for name, (place, result, arguments) in _FUNCTIONS.items()
        }
        self.Run: Any = self._functions["Run"]
        self.CreateTensorWithDataAsOrtValue: Any = self._functions["CreateTensorWithDataAsOrtValue"]
        self.environment = self.make("CreateEnv", LOG_ERRORS, b"preheat")
        self.allocator = self.make("GetAllocatorWithDefaultOptions")
        self.memory = self.make("CreateCpuMemoryInfo", 0, 0)
        self.library_ms = (perf_counter() - begun) * 1e3

    def call(self, function: str, *arguments: Any) -> None:
        """Call, and raise EngineError with onnxruntime's own words where it fails."""
        if status := self._functions[function](*arguments):
            raise EngineError(self.message(status))

    def message(self, status: int) -> str:
        """The text of a failed call's status, which is released."""
        text = self._functions["GetErrorMessage"](status).decode(errors="replace")
        self.release("Status", status)
        return str(text)

    def make(self, function: str, *arguments: Any) -> c_void_p:
        """Call a function whose last argument takes the handle it makes."""
        handle = c_void_p()
        self.call(function, *arguments, byref(handle))
        return handle

    def count(self, function: str, handle: c_void_p) -> int:
        """Call a function that counts."""
        number = c_size_t()
        self.call(function, handle, byref(number))
        return number.value

    def form(self, value: Any) -> tuple[int, tuple[int, ...]]:
        """Element code and shape of a tensor."""
        info = self.make("GetTensorTypeAndShape", value)
        try:
            return self._form(info)
        finally:
            self.release("TensorTypeAndShapeInfo", info)

    def declared(self, session: c_void_p, side: str) -> list[tuple[str, str, list[int | None]]]:
        """Name, type and shape of each of a session's inputs or outputs (`side` is Input or Output)."""
        found = []
        for index in range(self.count(f"SessionGet{side}Count", session)):
            kind = self.make(f"SessionGet{side}TypeInfo", session, index)
            try:
                tensor = self.make(
                    "CastTypeInfoToTensorInfo", kind
                )  # belongs to `kind`; null for sequences, maps
                code, shape = self._form(tensor) if tensor else (0, ())
            finally:
                self.release("TypeInfo", kind)
            name = self._name(f"SessionGet{side}Name", session, index)
            varying = [None if size < 0 else size for size in shape]
            found.append((name, ELEMENT_TYPES.get(code, f"ONNX element type {code}"), varying))
        return found

    def release(self, kind: str, handle: Any) -> None:
        """Give back what `make` made."""
        self._functions[f"Release{kind}"](handle)

    def _form(self, info: c_void_p) -> tuple[int, tuple[int, ...]]:
        code = c_int()
        self.call("GetTensorElementType", info, byref(code))
        rank = self.count("GetDimensionsCount", info)
        sizes = (c_int64 * rank)()
        self.call("GetDimensions", info, sizes, rank)
        return code.value, tuple(sizes)

    def _name(self, function: str, session: c_void_p, index: int) -> str:
        text = self.make(function, session, index, self.allocator)
        try:
            return ctypes.string_at(text).decode()
        finally:
            self.call("AllocatorFree", self.allocator, text)


def find_library() -> str | None:
    """Where the installed onnxruntime keeps its C library, found without importing the package."""
    for entry in sys.path:
        folder = os.path.join(entry, "onnxruntime", "capi")
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if name.startswith("libonnxruntime.so"):
                return os.path.join(folder, name)
    return None


def _word(address: int) -> int:
    """The pointer that lies at an address."""
    word = c_void_p.from_address(address).value
    if not word:
        raise MisfitError("onnxruntime's C API has a gap in its function table")
    return word
