"""Answers of the world to many targets at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TypeVar

from warmer.policy.values import Target

A_co = TypeVar("A_co", covariant=True)


class Answered(Mapping[Target, A_co]):
    """Answers that are there as columns, and of which none is a Failed: each is put together where it is asked for."""

    def __init__(self, targets: tuple[Target, ...]) -> None:
        self.targets = targets
        self._rows: Mapping[Target, int] | None = None

    @abstractmethod
    def at(self, row: int) -> A_co:
        """The answer to `targets[row]`."""

    def __len__(self) -> int:
        return len(self.targets)

    def __iter__(self) -> Iterator[Target]:
        return iter(self.targets)

    def __getitem__(self, target: Target) -> A_co:
        if self._rows is None:
            self._rows = {one: row for row, one in enumerate(self.targets)}
        return self.at(self._rows[target])
