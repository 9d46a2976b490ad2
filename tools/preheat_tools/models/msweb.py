"""The Anonymous Microsoft Web Data (`data/msweb`): which areas of a site each user visited."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

TRAINING_FILE = "anonymous-msweb.data.gz"
TEST_FILE = "anonymous-msweb.test.gz"
_ENCODING = "latin-1"  # one title has a letter that is not ASCII

Visits = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One part of the site. Its place in the catalogue is its column in every model's input and output."""

    id: int
    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebData:
    """Areas in order of id; visits are (users, areas), true where the user was there."""

    areas: tuple[Area, ...]
    training: Visits
    test: Visits


def read_web_data(folder: Path) -> WebData:
    """Both files of the data set; they describe the same areas, or it is not this data set (ValueError)."""
    areas, training = _read_log(folder / TRAINING_FILE)
    test_areas, test = _read_log(folder / TEST_FILE)
    if areas != test_areas:
        raise ValueError(f"{TRAINING_FILE} and {TEST_FILE} in {folder} must describe the same areas")
    return WebData(areas=areas, training=training, test=test)


def _read_log(path: Path) -> tuple[tuple[Area, ...], Visits]:
    try:
        with gzip.open(path, "rt", encoding=_ENCODING) as lines:
            areas, users = _parse(lines)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no {path}: the data set lies in data/msweb of the repository; give --data"
        ) from None
    column = {area.id: place for place, area in enumerate(areas)}
    visits = np.zeros((len(users), len(areas)), dtype=np.bool_)
    for row, visited in enumerate(users):
        visits[row, [column[area] for area in visited]] = True
    return areas, visits


def _parse(lines: Iterable[str]) -> tuple[tuple[Area, ...], list[list[int]]]:
    areas: list[Area] = []
    users: list[list[int]] = []
    for line in lines:
        kind, _, rest = line.rstrip("\n").partition(",")
        if kind == "A":  # A,1277,1,"NetShow for PowerPoint","/stream"
            number, _, quoted = rest.split(",", 2)
            title, url = quoted[1:-1].split('","')
            areas.append(Area(id=int(number), title=title.strip(), url=url))
        elif kind == "C":  # C,"10164",10164: a user, whose visits follow
            users.append([])
        elif kind == "V":  # V,1123,1
            users[-1].append(int(rest.split(",", 1)[0]))
    return tuple(sorted(areas, key=lambda area: area.id)), users
