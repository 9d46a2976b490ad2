"""The areas of the site: what a user can have visited, and what can be recommended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from preheat.problems import Problem


class Area(NamedTuple):
    id: int
    title: str


class Catalogue:
    """Areas in the order of the models' columns."""

    def __init__(self, areas: Iterable[Area]) -> None:
        self.areas = tuple(areas)
        self._columns: dict[int | str, int] = {}
        for column, area in enumerate(self.areas):
            self._columns[area.id] = column
            self._columns.setdefault(area.title.casefold(), column)

    @staticmethod
    def read(path: Path) -> Catalogue:
        return Catalogue(Area(item["id"], item["title"]) for item in json.loads(path.read_bytes()))

    def columns(self, visited: Sequence[Any]) -> list[int]:
        """The column of each area, named by id or by title in any case; Problem 422 names the one that is unknown."""
        return [self._column(area, f"visited[{place}]") for place, area in enumerate(visited)]

    def _column(self, area: Any, field: str) -> int:
        if isinstance(area, bool) or not isinstance(area, int | str):
            raise Problem(422, f"must be an area's id or title, was: {area!r:.60}", field)
        column = self._columns.get(area.casefold() if isinstance(area, str) else area)
        if column is None:
            raise Problem(422, f"no such area: {area!r:.60}; ids run from {self.areas[0].id}", field)
        return column
