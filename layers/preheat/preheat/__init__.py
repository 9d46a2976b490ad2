"""Preheat's runtime: what runs inside an inference function.

`from preheat import ModelHost, answers_pings, inference_protocol` is all that a function needs; each name's module
is imported when it is asked for, so that the warmer, which wants the ping contract alone, gets that alone. On Lambda
the engine's library is begun first (`preheat.early`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from preheat.host import ModelHost as ModelHost
    from preheat.pings import answers_pings as answers_pings
    from preheat.protocol import inference_protocol as inference_protocol

_MODULES = {
    "ModelHost": "preheat.host",
    "answers_pings": "preheat.pings",
    "inference_protocol": "preheat.protocol",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'preheat' has no attribute {name!r}")
    if name == "ModelHost":
        __import__("preheat.early", fromlist=["begin_on_lambda"]).begin_on_lambda()
    return getattr(__import__(_MODULES[name], fromlist=[name]), name)
