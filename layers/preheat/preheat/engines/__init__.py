"""Engines: what opens a pack as a session that answers.

`open_session(pack)` is all a host needs. No engine is imported before a pack needs it, and neither this module nor
the fast path imports numpy. A pack whose manifest says `onnxruntime` is opened through onnxruntime's C API where the
installed library fits, else through its Python API; both answer the same to the last bit.

Two steps to full speed: a session opened with `packed=False` answers soonest, since onnxruntime uses the weights as
they lie in the mapped file; one opened with `packed=True` copies them into the layout its kernels like best, takes
longer to make, and answers faster from then on. `preheat.engines.repack` says when the second pays.
"""

from __future__ import annotations

from preheat.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from preheat.pack import Pack
    from preheat.tensor import Tensor

    class Session(Protocol):
        """A model that answers; `run` may be called from several threads at once, but not after `close`."""

        packed: bool
        """Whether the weights were copied into the kernels' own layout."""
        phases: Phases
        device: str
        """`cpu` or `cuda`: where it runs, whatever was asked for."""

        def run(self, inputs: Mapping[str, Tensor | Any]) -> dict[str, Tensor]:
            """Every output by name, for every input by name: Tensors, or numpy arrays. Raises EngineError."""

        def close(self) -> None:
            """Give the memory back; a second call does nothing."""


class EngineError(RuntimeError):
    """An engine that cannot open a pack, or cannot answer; the text says what to do."""


class Phases(Frozen):
    """Where the time went while a session was made, in ms."""

    path: str
    """`fast` (C API), `plain` (Python API) or `torch`."""
    library_ms: float = 0.0
    """Loading the engine's library, and its once-a-process initialisation."""
    session_ms: float = 0.0
    """Reading the graph and making the session."""


ENGINES = ("onnxruntime", "torch")


def open_session(pack: Pack, *, packed: bool = False, fast: bool = True, device: str = "cpu") -> Session:
    """A session over the pack's files, which must stay in place while it lives.

    `fast=False` takes onnxruntime's Python API even where the C API fits. `device="cuda"` is a wish
    (`preheat.engines.device`). Raises EngineError.
    """
    engine = pack.manifest.engine
    if engine == "torch":
        from preheat.engines.torch_session import TorchSession

        return TorchSession(pack, device=device)
    if engine != "onnxruntime":
        raise EngineError(f"{pack.folder}: engine must be one of {', '.join(ENGINES)}, was: {engine!r}")
    if device != "cpu":
        from preheat.engines.device import onnxruntime_has_cuda

        if onnxruntime_has_cuda():
            from preheat.engines.plain import PlainSession

            return PlainSession(pack, device=device)
    if fast:
        from preheat.engines.fast import FastSession, library

        if (api := library()) is not None:
            return FastSession(api, pack, packed=packed)
    from preheat.engines.plain import PlainSession

    return PlainSession(pack, packed=packed)


def begin_library() -> None:
    """Begin to load onnxruntime's library in a thread: 20 ms that need neither a pack nor the interpreter's lock.

    What the caller reads and imports meanwhile costs nothing until it takes longer than that.
    """
    from preheat.engines.fast import begin_library

    begin_library()
