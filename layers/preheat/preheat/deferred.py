"""Modules that are imported when something of them is first used, or in a ping, where no customer waits.

boto3 takes longer to import than a session to open (docs/cold-start.md), and holds the interpreter's lock meanwhile, so
that no thread hides it. Where a function needs it in one request of ten, every customer of a cold start waits for it.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.machinery import ModuleSpec
    from typing import Any

_WAITING: dict[str, Deferred] = {}
_NAMES: set[str] = set()
_LOCK = allocate_lock()
_KNOWN = frozenset({"__spec__", "__name__", "__loader__", "__package__", "__class__", "__file__"})
"""What `import` looks at where a module is there already, and `inspect` of every module there is: no use of it."""


class Deferred(ModuleType):
    """Stands where a module will be. Whatever is asked of it is asked of the module, which is imported for that."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        fields = super().__getattribute__("__dict__")
        fields["__spec__"], fields["__loader__"] = spec, spec.loader
        fields["__package__"], fields["__file__"] = spec.parent, spec.origin

    def __getattribute__(self, name: str) -> Any:
        if name in _KNOWN:
            return super().__getattribute__(name)
        return getattr(imported(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(imported(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(imported(self), name)


class _Once:
    """Finds a deferred package's part that came with the package, for an `import` of the part that brought the package.

    `import package.part` asks the package for its path after it has looked whether the part is there; a stand-in's
    answer imports the package, and the part with it, which `import` would then load a second time.
    """

    def find_spec(self, name: str, _path: Any, target: Any = None) -> ModuleSpec | None:
        if target is not None:
            return None  # a reload
        module = sys.modules.get(name)
        if module is None or module.__spec__ is None or name.partition(".")[0] not in _NAMES:
            return None
        return type(module.__spec__)(name, _There(module))  # type: ignore[arg-type]  # as `Loader` does, without its imports


class _There:
    """Loads what is loaded: the module as it is."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec, self._loader = module, module.__spec__, module.__loader__

    def create_module(self, _spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__, module.__loader__ = self._spec, self._loader


_ONCE = _Once()


def defer(names: Iterable[str]) -> None:
    """Make `import` of each top-level module cost nothing; one that is imported already is left as it is.

    Raises ModuleNotFoundError where there is none, as its import would.
    """
    for name in names:
        if name not in sys.modules:
            sys.modules[name] = _WAITING[name] = Deferred(_found(name))
            _NAMES.add(name)
    if _NAMES and _ONCE not in sys.meta_path:
        sys.meta_path.insert(0, _ONCE)


def load_deferred(more: Callable[[], bool]) -> None:
    """Import those that nothing has used yet, while there is to be more. Raises what an import raises, each time: a
    version whose modules cannot be imported must not pass for a sound one."""
    for stand_in in list(_WAITING.values()):
        if not more():
            return
        imported(stand_in)


def imported(stand_in: Deferred) -> ModuleType:
    """The module itself, by an ordinary import, under the interpreter's own locks."""
    fields: dict[str, Any] = object.__getattribute__(stand_in, "__dict__")
    module: ModuleType | None = fields.get("module")
    if module is None:
        name = fields["__name__"]
        with _LOCK:  # nobody's import has put the module itself there between the look and the taking away
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
        module = __import__(name)
        # what asks for itself while it is imported may yet fail
        if not getattr(module.__spec__, "_initializing", False):
            fields["module"] = module
            _WAITING.pop(name, None)
    return module


def _found(name: str) -> ModuleSpec:
    """What the interpreter's finders say; `importlib.util` would be 3 ms of imports."""
    if "." in name:
        raise ModuleNotFoundError(f"only a top-level module can be deferred, was: {name!r}", name=name)
    for finder in sys.meta_path:
        if (spec := finder.find_spec(name, None)) is not None:
            return spec
    raise ModuleNotFoundError(f"No module named {name!r}, which was to be deferred", name=name)
