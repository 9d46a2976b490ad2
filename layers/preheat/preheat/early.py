"""The engine's library, begun before the rest of the runtime is imported.

It takes 20 ms that need neither a pack nor the interpreter's lock; the runtime's own imports take about half of that.
"""

from __future__ import annotations

from preheat.engines import begin_library
from preheat.pack import names_engine
from preheat.settings import SettingError, Settings
from preheat.surroundings import variables


def begin_engine(settings: Settings, root: str) -> None:
    """Begin to load onnxruntime's library if models below a folder are to be loaded by it ahead of requests."""
    if settings.hot and settings.device == "cpu" and names_engine(root, "onnxruntime"):
        begin_library()


def begin_on_lambda() -> None:
    """The same where the packs usually are, as soon as a function asks for `ModelHost`; not outside of Lambda, where
    an import is no sign that models will be loaded."""
    try:
        settings = Settings.of(variables())
    except SettingError:
        return  # a host says so
    if settings.on_lambda:
        begin_engine(settings, settings.folder("models"))
