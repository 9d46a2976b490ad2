"""What is remembered of targets: columns over targets, a few KB a target, rebuilt from CloudWatch where it is lost."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 7
"""Of the row's layout. A row of another version is as good as none: what matters in it is read from CloudWatch anew."""


def _levels() -> NDArray[np.int64]:
    """Slots 1 to 12 each, then in steps of an eighth up to past 10,000: a cap below the largest burst ruins timers
    that fire a thousand calls at once."""
    levels = list(range(1, 13))
    while levels[-1] < 10_000:
        levels.append(round(levels[-1] * 1.125))
    return np.array(levels, np.int64)


LEVELS = _levels()
"""(levels,) the last slot of each stretch of slots that are counted together; a need within a stretch needs it all."""
FIRST_SLOTS = np.concatenate(([0], LEVELS[:-1])) + 1
"""(levels,) the first slot of each."""
WIDTHS = np.diff(LEVELS, prepend=0).astype(np.float64)
"""(levels,) slots that each stands for."""
AGE_EDGES_S = np.array([330.0, 660.0, 1260.0, 2460.0, 4860.0, 9660.0])
"""Edges between the bins of how long a slot has been idle; the first ends where no idle environment is sure to live."""
BINS = len(AGE_EDGES_S) + 1
HOURS = 24
FORECASTERS = ("need by idle age", "need of the last days", "need by hour of the day")
"""What a forecast may rest on, in the order of the rows of `forecast.rates_per_s`."""
MODELS = 16
"""Models of a target whose traffic is counted; of more, those asked least are forgotten."""
INTERVALS = 31
"""Rounds are counted by the minutes since the round before, 0 to 30, for how long idle environments live."""

AGES_S = 600.0 * 1.04 ** np.arange(127)
"""Edges between the bins of environments' ages: from 10 minutes, past which they have been seen to go, to a day."""
AGE_BINS = len(AGES_S) + 1
OLDEST = 12
"""Environments of the last round whose ages are remembered: the oldest go first."""

ROUNDS = 25
"""Rounds remembered one by one, to take them out of CloudWatch's minutes: those between two reads of it."""

LAYOUT = np.dtype(
    [
        ("watermark_s", "f8"),  # instant of the last cycle that was absorbed; 0: nothing yet
        ("folded_s", "f8"),  # end of the last stretch of which need is counted below
        ("demand_s", "f8"),  # end of the last minute of CloudWatch's that was read
        ("first_s", "f8"),  # when the target was first looked at
        ("events", "f4", (len(LEVELS), BINS)),  # decayed: times that level was needed again at that idle age
        ("exposure_s", "f4", (len(LEVELS), BINS)),  # decayed: time that level spent at that idle age
        ("idle_s", "f4", (len(LEVELS),)),  # since that level was last needed, at folded_s
        ("unused_s", "f4", (len(LEVELS),)),  # the same to the instant of that use, as replies tell it
        # decayed over a day: cold starts that doing nothing would have left, as was found …
        ("without", "f4"),
        ("without_expected", "f4"),  # … and as was expected
        ("left", "f4"),  # decayed over a day: cold starts that customers waited for …
        ("left_expected", "f4"),  # … and as many as were expected
        ("day_events", "f4", (len(LEVELS),)),  # decayed over a day: times that level was needed again …
        ("day_exposure_s", "f4"),  # … in so much time
        (
            "hour_events",
            "f4",
            (HOURS, len(LEVELS)),
        ),  # decayed over weeks: the same by the hour of the day (UTC) …
        ("hour_exposure_s", "f4", (HOURS,)),  # … in so much time of that hour
        ("loss", "f4", (len(FORECASTERS),)),  # decayed: how wrong each forecaster was (see `counting.judge`)
        ("peak", "f4"),  # slowly decaying maximum of need
        ("rate_s", "f4"),  # requests a second, decayed over an hour
        ("busy", "i4"),  # servers, tried in order, that were busy past break-even in the last minutes read
        ("duration_s", "f4"),
        ("init_s", "f4"),  # learned from replies; 0: not yet
        ("jitter_s", "f4"),  # mean of pings' travel beyond the least; 0: not yet
        ("round_s", "f8"),  # instant of the last round that was sent
        ("reached", "i4"),  # on-demand environments it reached
        ("rounds_s", "f8", (ROUNDS,)),  # instants of the last rounds, the newest first; 0: none
        ("rounds_found", "i4", (ROUNDS,)),  # environments that each reached, on demand or provisioned …
        ("rounds_sent", "i4", (ROUNDS,)),  # … pings that it took …
        ("rounds_used", "i4", (ROUNDS,)),  # … and on-demand environments that each found in use
        ("used_seen", "f4"),  # decayed: environments found in use that were held against CloudWatch's peaks …
        ("used_peak", "f4"),  # … and those peaks
        ("used_found", "f4"),  # the same environments of those that were held against what replies tell …
        ("used_need", "f4"),  # … of the need where they are used in turn
        ("turn_peak", "f4"),  # slowly decaying maximum of that need, and of what announced cold starts told
        ("in_turn", "?"),  # whether environments are taken to be used in turn, as far as is known
        ("trials", "f4", (INTERVALS,)),  # decayed: idle environments awaited after so many minutes …
        ("deaths", "f4", (INTERVALS,)),  # … and those of them that were gone
        (
            "ages_s",
            "f4",
            (OLDEST,),
        ),  # of the oldest environments that the last round reached, descending; 0: none
        ("ages_agree", "?"),  # whether ages grow as time goes by, as far as is known
        ("age_trials", "f4", (AGE_BINS,)),  # decayed: environments awaited at that age …
        ("age_deaths", "f4", (AGE_BINS,)),  # … and those of them that were gone
        ("models", "S40", (MODELS,)),  # names of models that were asked; empty: a free place
        ("model_calls", "f4", (MODELS,)),  # decayed: customers' requests for each
        ("model_load_s", "f4", (MODELS,)),  # what loading it takes
        ("model_mb", "f4", (MODELS,)),  # what it takes while loaded; 0: it is in quarantine somewhere
        ("models_mb", "f4"),  # the environments' budget for models; 0: none that is known
        ("provisioned", "i4"),  # provisioned concurrency asked for last
        ("settling", "?"),  # whether it is still being allocated
        ("spent_usd", "f8"),  # this month's, as planned
        ("month", "i4"),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """`columns[name]` is (targets, …); a row is one target's memory. `absorb` makes a new one."""

    columns: NDArray[np.void]

    @staticmethod
    def blank(targets: int) -> History:
        """What is known of targets nobody has looked at: nothing."""
        columns = np.zeros(targets, LAYOUT)
        columns["idle_s"] = columns["unused_s"] = AGE_EDGES_S[-1]
        return History(columns)

    @staticmethod
    def stack(rows: Sequence[bytes | None]) -> History:
        """The history of rows as `rows()` gave them; None, or a row that cannot be read, is a blank.

        A blank is rebuilt from CloudWatch at the next look; an error would stop every target at every cycle.
        """
        history = History.blank(len(rows))
        for i, row in enumerate(rows):
            if row and (content := _unpacked(row)) is not None:
                history.columns[i] = np.frombuffer(content, LAYOUT)[0]
        return history

    def rows(self) -> list[bytes]:
        """One small value a target, for a store to keep: a version byte, then the packed columns."""
        return [bytes([VERSION]) + zlib.compress(row.tobytes(), 1) for row in self.columns]

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One column, (targets, …), to be read."""
        return self.columns[name]

    def at(self, name: str, index: NDArray[np.int64]) -> NDArray[Any]:
        """Of each target, the entry `index`, (targets,), of its column."""
        return self.columns[name][np.arange(len(self.columns)), index]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> History:
        """The history of some of the targets."""
        return History(self.columns[np.asarray(rows, np.int64)])

    def put(self, rows: Sequence[int] | NDArray[np.int64], some: History) -> None:
        """Write the history of some of the targets into this one, which is whoever keeps it's own."""
        self.columns[np.asarray(rows, np.int64)] = some.columns


@dataclass(frozen=True, slots=True, eq=False)
class Some:
    """Some of the targets of a history, to be read column by column: what is not asked for is not copied."""

    columns: NDArray[np.void]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name][self.rows]

    def at(self, name: str, index: NDArray[np.int64]) -> NDArray[Any]:
        """Of each target, the entry `index`, (targets,), of its column."""
        return self.columns[name][self.rows, index]


def _unpacked(row: bytes) -> bytes | None:
    """A row's columns; None where it is of another version, or is not what `rows()` writes."""
    if row[0] != VERSION:
        return None
    try:
        content = zlib.decompress(row[1:])
    except zlib.error:
        return None
    return content if len(content) == LAYOUT.itemsize else None
