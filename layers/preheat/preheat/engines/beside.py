"""Sessions opened in threads of their own, beside whatever the function imports meanwhile.

onnxruntime and ctypes let go of the interpreter's lock while they work, so a function's own imports (boto3,
Powertools) and its sessions take the longer of the two times, not their sum. Started and joined within INIT, a ping or
a request: nothing counts on time between invocations.
"""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread  # `threading` is 4 ms of imports

from preheat.engines import open_session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from preheat.engines import Session
    from preheat.pack import Pack


class Opening:
    """A session on its way. `session()` waits for it, and raises what its making raised."""

    def __init__(self, open_it: Callable[[], Session]) -> None:
        self._open_it = open_it
        self._made: Session | None = None
        self._error: BaseException | None = None
        self._done = allocate_lock()
        self._done.acquire()
        start_new_thread(self._work, ())

    def session(self) -> Session:
        """The open session."""
        with self._done:
            pass
        if self._made is None:
            assert self._error is not None
            raise self._error
        return self._made

    def _work(self) -> None:
        try:
            self._made = self._open_it()
        except BaseException as error:  # handed to whoever waits
            self._error = error
        finally:
            self._done.release()


def open_beside(pack: Pack, *, packed: bool = False, fast: bool = True) -> Opening:
    """Begin to open a pack; returns at once."""
    return Opening(lambda: open_session(pack, packed=packed, fast=fast))
