"""onnxruntime through its C API: the shortest way from a mapped file to an answer."""

from __future__ import annotations

import ctypes
import sys
from _thread import allocate_lock, start_new_thread  # `threading` is 4 ms of imports
from ctypes import byref, c_char, c_char_p, c_int64, c_void_p
from math import prod
from time import perf_counter

from preheat.engines import EngineError, Phases
from preheat.engines.capi import ELEMENT_CODES, ELEMENT_TYPES, LOG_ERRORS, Api, MisfitError, find_library
from preheat.engines.options import cannot_open, graph_for, options_for
from preheat.engines.specs import check_specs
from preheat.tensor import SIZES, Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from preheat.engines.options import Options
    from preheat.pack import Pack

_LOADED: list[Api | None] = []
_LOADING = allocate_lock()


def library() -> Api | None:
    """The process's onnxruntime, loaded at the first call; None, and said once, where its C API does not fit."""
    with _LOADING:
        if not _LOADED:
            _LOADED.append(load_library(find_library()))
        return _LOADED[0]


def begin_library() -> None:
    """Load it in a thread: 20 ms that need neither a pack nor the interpreter."""
    if not _LOADED and not _LOADING.locked():
        start_new_thread(library, ())


def load_library(path: str | None) -> Api | None:
    """Bind the library at a path; None, and a line on stderr, where that cannot be."""
    try:
        if path is None:
            raise MisfitError("no onnxruntime/capi/libonnxruntime.so.* on sys.path")
        return Api(path)
    except MisfitError as misfit:
        sys.stderr.write(f"preheat: models load by onnxruntime's Python API, which takes longer: {misfit}\n")
        return None


class FastSession:
    """A pack opened by `OrtApi.CreateSession`; the weights' file is mapped by onnxruntime, not read."""

    device = "cpu"

    def __init__(self, api: Api, pack: Pack, *, packed: bool = False, cancel: Cancel | None = None) -> None:
        begun = perf_counter()
        self._api, self._name = api, pack.manifest.name
        options = _session_options(api, options_for(pack, packed=packed))
        try:
            if cancel is not None:
                cancel.arm(api, options)
            self._session = api.make(
                "CreateSession", api.environment, pack.path(graph_for(pack)).encode(), options
            )
        except EngineError as error:
            raise cannot_open(pack, str(error)) from None
        finally:
            if cancel is not None:
                cancel.disarm()
            api.release("SessionOptions", options)
        inputs, outputs = (api.declared(self._session, side) for side in ("Input", "Output"))
        try:
            check_specs(pack, inputs, outputs)
        except EngineError:
            self.close()
            raise
        self._inputs = {name: name.encode() for name, _, _ in inputs}
        self._outputs = [name for name, _, _ in outputs]
        self._output_names = (c_char_p * len(outputs))(*(name.encode() for name in self._outputs))
        self.packed = packed
        self.phases = Phases(
            path="fast", library_ms=api.library_ms, session_ms=(perf_counter() - begun) * 1e3
        )

    def run(self, inputs: Mapping[str, Tensor | Any]) -> dict[str, Tensor]:
        """See `preheat.engines.Session.run`."""
        if not self._session:
            raise EngineError(f"{self._name}: its session is closed; open it again")
        if inputs.keys() != self._inputs.keys():
            raise EngineError(
                f"{self._name}: its inputs are {sorted(self._inputs)}, was given: {sorted(inputs)}"
            )
        count = len(inputs)
        names = (c_char_p * count)(*(self._inputs[name] for name in inputs))
        values, held = (c_void_p * count)(), []
        answers = (c_void_p * len(self._outputs))()
        try:
            for index, (name, given) in enumerate(inputs.items()):
                handle, memory = self._value(name, given)
                values[index] = handle
                held.append(memory)
            status = self._api.Run(
                self._session, None, names, values, count, self._output_names, len(answers), answers
            )
            if status:
                raise EngineError(f"{self._name}: onnxruntime cannot answer: {self._api.message(status)}")
            return {name: self._tensor(name, answers[place]) for place, name in enumerate(self._outputs)}
        finally:
            for value in (*values, *answers):
                if value:
                    self._api.release("Value", value)

    def close(self) -> None:
        """See `preheat.engines.Session.close`."""
        if self._session:
            session, self._session = self._session, c_void_p()
            self._api.release("Session", session)

    def _value(self, name: str, given: Tensor | Any) -> tuple[int | None, Any]:
        """An OrtValue over the given memory, and what keeps that memory alive."""
        tensor = given if isinstance(given, Tensor) else Tensor.from_numpy(given)
        code = ELEMENT_CODES.get(tensor.type)
        if code is None:
            raise EngineError(
                f"{self._name}: {name} must be of {', '.join(ELEMENT_CODES)}, was: {tensor.type}"
            )
        size = prod(tensor.shape) * SIZES[tensor.type]
        address, memory = _address(tensor.data, size, f"{self._name}: {name}")
        shape = (c_int64 * len(tensor.shape))(*tensor.shape)
        handle = c_void_p()
        status = self._api.CreateTensorWithDataAsOrtValue(
            self._api.memory, address, size, shape, len(tensor.shape), code, byref(handle)
        )
        if status:
            raise EngineError(f"{self._name}: {name}: {self._api.message(status)}")
        return handle.value, memory

    def _tensor(self, name: str, value: int | None) -> Tensor:
        """A copy of an answer, which onnxruntime owns."""
        code, shape = self._api.form(value)
        if code not in ELEMENT_TYPES:
            raise EngineError(f"{self._name}: {name} has ONNX element type {code}, which no Tensor can hold")
        kind = ELEMENT_TYPES[code]
        data = self._api.make("GetTensorMutableData", value)
        return Tensor(type=kind, shape=shape, data=ctypes.string_at(data, prod(shape) * SIZES[kind]))


class Cancel:
    """Stops the making of a session from another thread, as soon as onnxruntime looks: `FastSession(cancel=…)`."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._armed: tuple[Api, c_void_p] | None = None
        self.asked = False

    def arm(self, api: Api, options: c_void_p) -> None:
        """Called by the session being made, before it is made."""
        with self._lock:
            self._armed = (api, options)
            if self.asked:
                api.call("SessionOptionsSetLoadCancellationFlag", options, True)

    def disarm(self) -> None:
        """Called by the session when its options go away."""
        with self._lock:
            self._armed = None

    def ask(self) -> None:
        """Give up: what is being made is dropped."""
        with self._lock:
            self.asked = True
            if self._armed is not None:
                api, options = self._armed
                api.call("SessionOptionsSetLoadCancellationFlag", options, True)


def _session_options(api: Api, chosen: Options) -> c_void_p:
    options = api.make("CreateSessionOptions")
    api.call("SetSessionGraphOptimizationLevel", options, 0)
    api.call("SetSessionLogSeverityLevel", options, LOG_ERRORS)
    api.call("SetIntraOpNumThreads", options, chosen.threads)
    for key, value in chosen.entries.items():
        api.call("AddSessionConfigEntry", options, key.encode(), value.encode())
    return options


def _address(data: Any, size: int, where: str) -> tuple[Any, Any]:
    """Where a buffer lies, copied only where it is read-only and no bytes object; and what keeps it there."""
    view = memoryview(data)
    if view.nbytes != size:
        raise EngineError(f"{where} has {view.nbytes} bytes where its type and shape take {size}")
    if size == 0:
        spare = (c_char * 8)()
        return ctypes.addressof(spare), spare
    if isinstance(data, bytes):
        return c_char_p(data), data
    if view.readonly or not view.c_contiguous:
        copy = view.tobytes()
        return c_char_p(copy), copy
    first = c_char.from_buffer(view)
    return ctypes.addressof(first), (first, view)
