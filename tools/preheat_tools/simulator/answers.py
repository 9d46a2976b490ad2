"""What the simulated world answers, as columns: a policy that reads columns is given no object for each target."""

from __future__ import annotations

import numpy as np

from preheat_tools.simulator import engine as eng
from preheat_tools.simulator import together
from preheat_tools.simulator.fleet import Floats, Found, Ints
from preheat_tools.simulator.function import demand_of
from warmer.policy.answers import Answered
from warmer.policy.plans import Bools
from warmer.policy.replies import Ages, LastUsed, Tallied, Tally
from warmer.policy.values import Capacity, Demand, Facts, RoundReport, Sighting, Target


class ReadMinutes(Answered[Demand]):
    """Whole minutes of each target: `counts` of them, (targets,), from minute `firsts` of the trace on, laid one after
    another in `minutes`, (all of them, 5) by the engine's columns."""

    def __init__(self, targets: tuple[Target, ...], firsts: Ints, counts: Ints, minutes: Floats) -> None:
        super().__init__(targets)
        self.firsts, self.counts, self.minutes = firsts, counts, minutes
        self.edges: Ints = np.concatenate(([0], np.cumsum(counts)))

    def at(self, row: int) -> Demand:
        return demand_of(int(self.firsts[row]), self.minutes[self.edges[row] : self.edges[row + 1]])

    def minute(self, number: int) -> Floats:
        """Of each target the minute of that number among its own, from the end where negative; (targets, 5), zeros for
        one that has fewer."""
        own = np.full(len(self.counts), number) if number >= 0 else self.counts + number
        there = (own >= 0) & (own < self.counts)
        some: Floats = np.zeros((len(own), self.minutes.shape[1]))
        some[there] = self.minutes[(self.edges[:-1] + own)[there]]
        return some


def minutes_read(facts: Facts) -> ReadMinutes | None:
    """The minutes that a cycle read, as columns; None where it read none."""
    if not facts.demand:
        return None
    if not isinstance(facts.demand, ReadMinutes):
        raise TypeError(f"the simulator's own policies take its answers, not {type(facts.demand).__name__}")
    return facts.demand


class ReadCapacity(Answered[Capacity]):
    """Provisioned concurrency `asked` for and `there`, (targets,)."""

    def __init__(self, targets: tuple[Target, ...], asked: Ints, there: Ints) -> None:
        super().__init__(targets)
        self.asked, self.there = asked, there

    @property
    def ready(self) -> Bools:
        """Whether there is some and all of it is there, (targets,)."""
        ready: Bools = (self.asked > 0) & (self.asked == self.there)
        return ready

    def at(self, row: int) -> Capacity:
        asked, there = int(self.asked[row]), int(self.there[row])
        status = "NONE" if not asked else "READY" if asked == there else "IN_PROGRESS"
        return Capacity(requested=asked, allocated=there, available=there, status=status)


class SimulatedReports(Answered[RoundReport], Tallied):
    """What rounds found."""

    def __init__(self, targets: tuple[Target, ...], found: Found, init_s: float, departed_s: Floats) -> None:
        super().__init__(targets)
        self._found, self._init_s, self._departed_s = found, init_s, departed_s

    def at(self, row: int) -> RoundReport:
        summary = self._found.summaries[row].tolist()
        mine = self._found.found[self._found.edges[row] : self._found.edges[row + 1]]
        return RoundReport(
            sightings=_sightings(mine, self._init_s),
            sent=len(mine),
            throttled=int(summary[together.R_THROTTLED]),
            spread_s=summary[together.R_SPREAD],
            held_s=summary[together.R_HELD],
            departed_s=float(self._departed_s[row]),
        )

    def tally(self) -> Tally:
        column, found = self._found.summaries.T, self._found.found
        own = (
            (found[:, eng.F_FIRST] > 0) & (found[:, eng.F_PC] == 0) & (found[:, eng.F_ID] != eng.THROTTLED_ID)
        )
        used = own & (found[:, eng.F_SERVED] > 0)
        rounds = np.repeat(np.arange(len(self.targets)), np.diff(self._found.edges))
        init_s = column[together.R_MADE] * self._init_s
        return Tally(
            targets=self.targets,
            found=column[together.R_DISTINCT],
            own=column[together.R_OWN],
            used=column[together.R_USED],
            served=column[together.R_SERVED],
            made=column[together.R_MADE],
            init_s=init_s,
            billed_init_s=init_s,
            sent=np.diff(self._found.edges).astype(np.float64),
            spread_s=column[together.R_SPREAD],
            held_s=column[together.R_HELD],
            departed_s=self._departed_s,
            of_models=(),
            last_used=LastUsed.of(rounds[used], found[used, eng.F_IDLE], found[used, eng.F_SERVED]),
            ages=Ages(round=rounds[own], age_s=found[own, eng.F_AGE]),
        )


def _sightings(found: Floats, init_s: float) -> tuple[Sighting, ...]:
    """The environments that a round's pings met, each as the first ping found it."""
    return tuple(
        Sighting(
            environment=str(int(identity)), cold=cold > 0, provisioned=pc > 0, age_s=age, idle_s=idle,
            requests=int(served), init_s=init_s,
        )
        for identity, cold, pc, age, idle, served, _, _, first in found.tolist()
        if first
    )  # fmt: skip
