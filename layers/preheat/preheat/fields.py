"""Typed access to the JSON of a manifest, whose errors say where and what is allowed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class PackError(ValueError):
    """A pack that cannot be used; the text names the pack, what was found, what is allowed and what to do."""

    required = False
    """Whether the environment must not serve without it: of an unreadable manifest that does not say otherwise."""


_MOST = float(1 << 62)
"""More than any size, time or tolerance here."""


class Fields:
    """Typed access to a JSON object, whose errors say where. No hash covers a manifest: what it may say is checked."""

    def __init__(self, body: Any, where: str) -> None:
        if not isinstance(body, dict):
            raise PackError(f"{where}: must be an object, was: {short(body)}")
        self.body = body
        self.where = where
        self._known: set[str] = set()

    def no_more(self) -> None:
        """PackError where it has a field that nobody asked for: a slip, or of a later release."""
        if unknown := sorted(self.body.keys() - self._known):
            raise PackError(
                f"{self.where}: unknown fields {', '.join(unknown):.80}; "
                f"make the pack and run it with one release of Preheat"
            )

    def _read(self, field: str, default: Any) -> Any:
        self._known.add(field)
        return self.body.get(field, default)

    def get(self, field: str, kind: type[Any], default: Any = None) -> Any:
        value = self._read(field, default)
        wrong_bool = isinstance(value, bool) and kind is not bool
        if value is None or wrong_bool or not isinstance(value, kind):
            raise PackError(f"{self.where}: {field} must be {_KINDS[kind]}, was: {short(value)}")
        return value

    def amount(self, field: str, default: float | None = None, *, most: float = _MOST) -> float:
        value = self._read(field, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            allowed = "a number of at least 0" if most == _MOST else f"a number from 0 to {most:g}"
            raise PackError(f"{self.where}: {field} must be {allowed}, was: {short(value)}")
        return float(value)

    def object(self, field: str, default: Any = None) -> Fields:
        return Fields(self._read(field, default), f"{self.where}: {field}")

    def items(self, field: str) -> Iterator[tuple[str, Fields]]:
        for name, item in self.get(field, dict).items():
            yield name, Fields(item, f"{self.where}: {field}.{name}")

    def objects(self, field: str) -> Iterator[Fields]:
        for index, item in enumerate(self.get(field, list)):
            yield Fields(item, f"{self.where}: {field}[{index}]")

    def strings(self, field: str) -> dict[str, str]:
        """An object of scalars, as strings."""
        return {name: str(value) for name, value in self.get(field, dict, {}).items()}


_KINDS = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    dict: "an object",
    list: "an array",
}


def short(value: Any) -> str:
    """A value as an error may show it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
