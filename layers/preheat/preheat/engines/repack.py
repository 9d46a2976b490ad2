"""The second step to full speed: a packed session, made where no customer waits and swapped in when it is sound.

Lambda freezes an environment between invocations, so this is done from beginning to end inside a ping, or in INIT
under provisioned concurrency; what is not done in time is dropped. The unpacked session answers meanwhile.
"""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock, start_new_thread

from preheat.engines import EngineError, open_session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from preheat.engines import Session
    from preheat.manifest import Manifest, Measured
    from preheat.pack import Pack

ANSWERS = 100
"""A packed session pays when it makes up for its making within this many answers: fewer than an environment that is
worth a ping gives before Lambda replaces it. The benchmark's large encoder is past it after about 15."""
LEAST_GAIN = 0.03
"""Nor is it made for less than this share of an answer's time, which is within what timings wander."""
CAUTION = 1.5
"""A ping is taken to have time for it when it has this many times the expected time left."""


class NotPackedError(EngineError):
    """A packed session that was not made, with the reason; the unpacked one goes on answering."""


def why_not(manifest: Manifest, *, slowness: float, left_s: float, room_mb: float) -> str:
    """Why a packed session is not to be made now; empty where it is.

    `slowness`: this environment's times over those of the machine that built the pack. `left_s`: what is left of the
    invocation. `room_mb`: memory beyond all that is loaded, since both sessions exist until the swap.
    """
    return never_pays(manifest) or _does_not_fit(
        manifest.measured, slowness=slowness, left_s=left_s, room_mb=room_mb
    )


def never_pays(manifest: Manifest) -> str:
    """Why a packed session of this pack is not worth its making; empty where it is."""
    measured = manifest.measured
    if manifest.engine != "onnxruntime":
        return f"{manifest.engine} has no packed sessions"
    if not measured.packed_steady_ms:
        return "the pack's build did not measure a packed session"
    gain_ms = measured.steady_ms - measured.packed_steady_ms
    if gain_ms < LEAST_GAIN * measured.steady_ms:
        return f"a packed session answers in {measured.packed_steady_ms:g} ms, this one in {measured.steady_ms:g}"
    if gain_ms * ANSWERS < measured.packed_load_ms:
        return f"making it takes {measured.packed_load_ms:g} ms for {gain_ms:.3g} ms an answer"
    return ""


def _does_not_fit(measured: Measured, *, slowness: float, left_s: float, room_mb: float) -> str:
    if (need_s := measured.packed_load_ms / 1e3 * slowness * CAUTION) > left_s:
        return f"it takes {need_s:.2g} s, {max(left_s, 0.0):.2g} s are left"
    if measured.packed_memory_mb > room_mb:
        return f"it takes {measured.packed_memory_mb:g} MB beside the unpacked one, {room_mb:g} are free"
    return ""


def make_packed(pack: Pack, within_s: float) -> Session:
    """A packed session over the pack's files; NotPackedError where it is not done in time, and then it is gone.

    The caller verifies it by the golden questions before the swap, and closes the unpacked one after it.
    """
    from preheat.engines.fast import Cancel, FastSession, library

    api = library()
    if api is None:  # the Python API knows no way to give up: the caller's own deadline is the guard
        return open_session(pack, packed=True, fast=False)
    cancel, done = Cancel(), allocate_lock()
    made: list[Session] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            made.append(FastSession(api, pack, packed=True, cancel=cancel))
        except Exception as error:  # handed to the thread that waits
            errors.append(error)
        finally:
            done.release()

    done.acquire()
    start_new_thread(work, ())
    in_time = done.acquire(timeout=min(max(within_s, 0.0), TIMEOUT_MAX))
    if not in_time:
        cancel.ask()
        done.acquire()  # onnxruntime gives up at its next look
        for session in made:
            session.close()
        raise NotPackedError(f"{pack.manifest.name}: a packed session was not made within {within_s:.3g} s")
    if errors:
        if isinstance(errors[0], EngineError):
            raise NotPackedError(str(errors[0])) from None
        raise errors[0]
    return made[0]
