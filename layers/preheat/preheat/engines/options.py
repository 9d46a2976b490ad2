"""What both paths to onnxruntime set on a session, so that they answer alike to the last bit."""

from __future__ import annotations

from preheat.engines import EngineError
from preheat.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from preheat.pack import Pack

THREADS = "intra_op_num_threads"
"""The one entry of a manifest's `session` that is no configuration entry of onnxruntime's: threads a node may use."""


class Options(Frozen):
    """Session options. Graph optimisation is always off: it was done when the pack was made."""

    entries: Mapping[str, str]
    threads: int = 0
    """0 leaves onnxruntime its own choice: one a core."""


def options_for(pack: Pack, *, packed: bool) -> Options:
    """The manifest's entries, with prepacking on or off; EngineError where the thread count is none."""
    entries = dict(pack.manifest.session)
    threads = entries.pop(THREADS, "0")
    if not threads.isdecimal():
        raise EngineError(f"{pack.folder}: session.{THREADS} must be a whole number, was: {threads!r}")
    if not packed:
        entries["session.disable_prepacking"] = "1"
    return Options(entries=entries, threads=int(threads))


def graph_for(pack: Pack) -> str:
    """The graph file to open: see `preheat.engines.cpu`."""
    if pack.manifest.cpu is None:
        return pack.manifest.graph
    from preheat.engines.cpu import fitting_graph  # few packs have one

    return fitting_graph(pack, pack.manifest.cpu)


def cannot_open(pack: Pack, reason: str) -> EngineError:
    """Why onnxruntime refused a pack, with what usually helps."""
    if "bad_alloc" in reason:
        return EngineError(
            f"{pack.folder}: no memory to open {pack.manifest.name}, which takes {pack.manifest.memory_mb:g} MB; "
            f"give the function more MemorySize, or lower PREHEAT_MEMORY_MB so that others make room"
        )
    return EngineError(
        f"{pack.folder}: onnxruntime cannot open {graph_for(pack)}: {reason}; "
        f"check the copy with `preheat pack --verify`, or make the pack again for the onnxruntime installed here"
    )
