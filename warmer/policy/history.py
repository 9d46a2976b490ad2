"""What is remembered of targets: columns over targets, a few KB a target, rebuilt from CloudWatch where it is lost."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 1
"""Of the row's layout. A row of another version is as good as none: what matters in it is read from CloudWatch anew."""

WINDOW_S = 300.0
WINDOWS = 36

LAYOUT = np.dtype(
    [
        ("watermark_s", "f8"),  # instant of the last cycle that was absorbed; 0: nothing yet
        ("demand_until_s", "f8"),  # end of the last minute of CloudWatch's that was absorbed
        ("peaks", "f4", (WINDOWS,)),  # peak concurrency by window of WINDOW_S, newest last
        ("busy", "f4"),  # mean concurrency of the last windows
        ("rate_s", "f4"),  # requests a second
        ("duration_s", "f4"),
        ("init_s", "f4"),  # learned from replies; 0: not yet
        ("spread_s", "f4"),  # jitter of pings' travel; 0: not yet
        ("round_s", "f8"),  # instant of the last round that was sent
        ("pinged", "i4"),  # environments it reached
        ("provisioned", "i4"),  # provisioned concurrency asked for last
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """`columns[name]` is (targets, …); a row is one target's memory. `absorb` makes a new one."""

    columns: NDArray[np.void]

    @staticmethod
    def blank(targets: int) -> History:
        """What is known of targets nobody has looked at: nothing."""
        return History(np.zeros(targets, LAYOUT))

    @staticmethod
    def stack(rows: Sequence[bytes | None]) -> History:
        """The history of rows as `rows()` gave them; None, or a row of another version, is a blank."""
        history = History.blank(len(rows))
        for i, row in enumerate(rows):
            if row and row[0] == VERSION:
                history.columns[i] = np.frombuffer(zlib.decompress(row[1:]), LAYOUT)[0]
        return history

    def rows(self) -> list[bytes]:
        """One small value a target, for a store to keep: a version byte, then the packed columns."""
        return [bytes([VERSION]) + zlib.compress(row.tobytes()) for row in self.columns]

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One column, (targets, …), to be read."""
        return self.columns[name]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> History:
        """The history of some of the targets."""
        return History(self.columns[np.asarray(rows, np.int64)])
