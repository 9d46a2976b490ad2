"""Frozen, slotted, keyword-only values, as `dataclasses` makes them, without importing `dataclasses`.

That module pulls in `inspect` and, with `typing`, costs more than everything else the runtime imports together:
see docs/decisions/0002. Type checkers treat a subclass as a dataclass.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T", bound="Frozen")
else:

    def dataclass_transform(**_):
        return lambda cls: cls


class _FrozenMeta(type):
    """Turns the annotations of a class body into slots, and their values into defaults."""

    _fields: tuple[str, ...]
    _defaults: dict[str, Any]

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _FrozenMeta:
        own = tuple(body.get("__annotations__", ()))
        inherited = next((base for base in bases if isinstance(base, _FrozenMeta)), None)
        defaults = {field: body.pop(field) for field in own if field in body}
        body["__slots__"] = own
        body["_fields"] = (inherited._fields if inherited else ()) + own
        body["_defaults"] = (inherited._defaults if inherited else {}) | defaults
        return super().__new__(mcs, name, bases, body)


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=True)
class Frozen(metaclass=_FrozenMeta):
    """A value: its fields are its annotations. A default is shared by all, so it must be immutable."""

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        for field in cls._fields:
            if field in values:
                object.__setattr__(self, field, values.pop(field))
            elif field in cls._defaults:
                object.__setattr__(self, field, cls._defaults[field])
            else:
                raise TypeError(f"{cls.__name__} needs {field!r}")
        if values:
            raise TypeError(
                f"{cls.__name__} has no field {next(iter(values))!r}; its fields: {', '.join(cls._fields)}"
            )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return as_dict(self) == as_dict(other)

    def __hash__(self) -> int:
        return hash((type(self), *as_dict(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in as_dict(self).items())})"


def as_dict(value: Frozen) -> dict[str, Any]:
    """Field name to value, in the order of the class body; shallow."""
    return {name: getattr(value, name) for name in type(value)._fields}


def replace(value: T, **changes: Any) -> T:
    """The same value with some fields changed; raises TypeError for a field it does not have."""
    return type(value)(**(as_dict(value) | changes))
