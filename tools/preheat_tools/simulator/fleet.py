"""All functions of a trace under way: what the compiled account plays in one call, and what rounds of pings found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator import together

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Member(Protocol):
    """A function of the fleet."""

    def make_ready(self, lacking: int) -> None:
        """Give the compiled code what it stopped for."""
        ...


Members = Mapping[int, Member] | Sequence[Member]
"""By number."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What rounds of pings found, a round a function."""

    numbers: Ints
    """(rounds,) the functions."""
    edges: Ints
    """(rounds + 1,) where each round's pings begin in `found`."""
    found: Floats
    """(pings, 9) by `engine.F_*`, of each round in the order in which they arrived."""
    summaries: Floats
    """(rounds, 8) by `together.R_*`."""


class Fleet:
    """Row i of each array is function i's; its other arrays are found by the addresses in `rows`."""

    __slots__ = ("parameters", "rows", "scalars")

    def __init__(self, functions: int) -> None:
        self.scalars: Floats = np.zeros((functions, eng.SCALARS))
        self.parameters: Floats = np.zeros((functions, eng.PARAMETERS))
        self.rows: Ints = np.zeros((functions, together.ADDRESSES), np.int64)

    def play(self, members: Members, numbers: Ints, until: float, *, skip_still: bool = False) -> None:
        """Play everything before `until` of the functions of those numbers; those to which nothing happens may wait."""
        done = 0
        while done < len(numbers):
            done, lacking = together.play_all(
                self.scalars, self.parameters, self.rows, numbers, done, until, skip_still
            )
            if done < len(numbers):
                members[int(numbers[done])].make_ready(lacking)

    def ping(  # noqa: PLR0917  (columns over rounds)
        self,
        members: Members,
        numbers: Ints,
        counts: Ints,
        begins_s: Floats,
        send_s: Floats,
        holds_s: Floats,
        jitter: Floats,
    ) -> Found:
        """Rounds of `counts` pings each, one after another; all arrays (rounds,) but for `jitter`, (pings,).

        A round's pings leave `send_s` apart from its beginning on, and are released `holds_s` after the last has left.
        """
        edges = np.concatenate(([0], np.cumsum(counts)))
        arrivals, found = np.zeros(edges[-1]), np.zeros((edges[-1], eng.FOUND))
        together.departures(counts, send_s, begins_s, jitter, arrivals, found)
        summaries = np.zeros((len(numbers), together.ROUND_COLUMNS))
        releases_s = begins_s + send_s * counts + holds_s
        done = 0
        while done < len(numbers):
            done, lacking = together.play_rounds(
                self.scalars, self.parameters, self.rows, numbers, edges, releases_s, arrivals, found, summaries, done
            )  # fmt: skip
            if done < len(numbers):
                members[int(numbers[done])].make_ready(lacking)
        return Found(numbers, edges, found, summaries)

    def minutes(self, numbers: Ints, firsts: Ints, counts: Ints) -> Floats:
        """Of each function `counts` minutes from `firsts` on, one after another; (all of them, 5)."""
        minutes = np.zeros((counts.sum(), eng.MINUTE_COLUMNS))
        together.copy_minutes(self.rows, numbers, firsts, counts, minutes)
        return minutes

    def announced(self, told: Ints, late_s: float, now: float) -> Ints:
        """Functions of which a customer's cold start came to be known by `now`; `told` counts those known, by function,
        and is brought up to date."""
        numbers: Ints = together.announced(self.scalars, self.rows, told, late_s, now)
        return numbers

    def told_between(self, numbers: Ints, since_s: Floats, until_s: float) -> Ints:
        """Of each function's cold starts, from which to which began after `since_s` (rounds,) and up to `until_s`."""
        spans: Ints = together.told_between(self.scalars, self.rows, numbers, since_s, until_s)
        return spans
