"""The slice of real traffic that the demo plays, and the hours before it.

Function d0594 of the Azure day shapes (`traces/`, Azure Functions Trace 2019): a caller busy for half an hour, then one
who comes every quarter of an hour with fifteen to twenty requests in a minute. Chosen because it shows both reasons for
cold starts at a rate that two cores can play: the gaps outlive an idle environment, and a batch needs several at once.
Steadier traffic keeps itself warm, and needs no warmer.
"""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

TRACE = Path("traces/azure2019_dayshapes_dev.csv.gz")
FUNCTION = "d0594"
FIRST_MINUTE, MINUTES, HISTORY_MINUTES = 1060, 90, 240
SEED = 1

SHARES = {"short_form": 0.80, "long_form": 0.15, "premium": 0.03, "new_users": 0.01, "trending": 0.01}
"""Of the requests, by model: the duties of the recommendation system (docs/models.md)."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request; seconds from the start of the slice, in the trace's time."""

    at_s: float
    model: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a minute, before and during the slice."""

    before: tuple[int, ...]
    during: tuple[int, ...]

    def arrivals(self, models: Sequence[str]) -> list[Arrival]:
        """Each minute's requests uniform within it (the trace does not say where), models by share; one seed."""
        draw = random.Random(SEED)  # noqa: S311 - traffic, not a secret
        shares = list(accumulate(SHARES[model] for model in models))
        return sorted(
            (
                Arrival(60.0 * minute + draw.uniform(0, 60), draw.choices(models, cum_weights=shares)[0])
                for minute, count in enumerate(self.during)
                for _ in range(count)
            ),
            key=lambda one: one.at_s,
        )


def read_traffic(root: Path, minutes: int = MINUTES) -> Traffic:
    """The slice, from the trace below `root`; a ValueError where the trace has no such function."""
    with gzip.open(root / TRACE, "rt", newline="") as file:
        for row in csv.DictReader(file):
            if row["fn"] == FUNCTION:
                counts = tuple(int(row[str(minute)] or 0) for minute in range(1, 1441))
                middle = FIRST_MINUTE + minutes
                return Traffic(
                    before=counts[FIRST_MINUTE - HISTORY_MINUTES : FIRST_MINUTE],
                    during=counts[FIRST_MINUTE:middle],
                )
    raise ValueError(f"{root / TRACE} has no function {FUNCTION}")
