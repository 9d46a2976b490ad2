"""SnapStart: INIT once, its memory copied to every environment.

AWS Lambda Developer Guide, "Lambda SnapStart runtime hooks": hooks must be registered at module level, and a restore
with its hooks has 10 s.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from preheat.host import ModelHost


def register(host: ModelHost) -> None:
    """Register a host's hooks with the module that Lambda's Python runtimes bring."""
    import snapshot_restore_py

    snapshot_restore_py.register_before_snapshot(host.before_snapshot)
    snapshot_restore_py.register_after_restore(restored, host)


def restored(host: ModelHost) -> None:
    """In each copy: new seeds for what would repeat itself, a new id, models asked once more.

    The runtime keeps no sockets and no credentials; those of the handler are the handler's to renew.
    """
    for name in ("random", "numpy.random"):
        if (module := sys.modules.get(name)) is not None:
            module.seed()
    host.after_restore()
