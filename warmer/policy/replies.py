"""What rounds of pings found, as columns over rounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from warmer.policy.plans import Floats, Ints
from warmer.policy.values import Failed, RoundReport, Target

LEAST_AGE_S = 0.001
"""Of an environment that is there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LastUsed:
    """On-demand environments that served customers since the round before, (environments,): by round, and of each round
    the one used last first."""

    round: Ints
    slot: Ints
    """Its place in the round, from 1 on."""
    idle_s: Floats
    requests: Floats

    @staticmethod
    def of(round_: Ints, idle_s: Floats, requests: Floats) -> LastUsed:
        """Of environments in any order."""
        order = np.lexsort((idle_s, round_))
        ordered = round_[order]
        first = np.searchsorted(ordered, ordered)
        return LastUsed(
            round=ordered,
            slot=np.arange(len(order)) - first + 1,
            idle_s=idle_s[order],
            requests=requests[order],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ages:
    """On-demand environments that rounds found, (environments,), in any order."""

    round: Ints
    age_s: Floats

    def oldest(self, rounds: int, count: int) -> Floats:
        """The ages of the `count` oldest ones of each round, descending, (rounds, count); 0 where there are fewer."""
        order = np.lexsort((-self.age_s, self.round))
        ordered = self.round[order]
        place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
        some = place < count
        ages: Floats = np.zeros((rounds, count))
        ages[ordered[some], place[some]] = np.maximum(self.age_s[order[some]], LEAST_AGE_S)
        return ages


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tally:
    """Each (rounds,) and a whole number unless its unit says otherwise; of environments on demand unless said."""

    targets: Sequence[Target]
    found: Floats
    """Environments, provisioned ones too."""
    own: Floats
    used: Floats
    """Of them, those that served customers since the round before."""
    served: Floats
    """Customers' requests since then."""
    made: Floats
    """Those that were new."""
    init_s: Floats
    """Their INITs."""
    billed_init_s: Floats
    """INITs of all that were new, provisioned ones too."""
    sent: Floats
    spread_s: Floats
    held_s: Floats
    departed_s: Floats
    """0 where that is not known."""
    of_models: Sequence[int]
    """Rounds whose replies tell of models."""
    last_used: LastUsed
    ages: Ages

    @staticmethod
    def of(reports: Mapping[Target, RoundReport | Failed]) -> Tally:
        """Of rounds that were reported; one that failed tells nothing."""
        came = [(target, one) for target, one in reports.items() if isinstance(one, RoundReport)]
        table = np.array([_row(report) for _, report in came], np.float64).reshape(len(came), 11)
        found, own, used, served, made, init_s, billed_init_s, sent, spread_s, held_s, departed_s = table.T
        used_ones = np.array(
            [
                (number, one.idle_s, one.requests)
                for number, (_, report) in enumerate(came)
                for one in report.sightings
                if one.requests > 0 and not one.provisioned
            ],
            np.float64,
        ).reshape(-1, 3)
        own_ones = np.array(
            [
                # at the instant at which its ping left: a new one's INIT came after that
                (number, max(one.age_s - one.init_s, 0.0) if one.cold else one.age_s)
                for number, (_, report) in enumerate(came)
                for one in report.sightings
                if not one.provisioned
            ],
            np.float64,
        ).reshape(-1, 2)
        return Tally(
            targets=[target for target, _ in came],
            found=found,
            own=own,
            used=used,
            served=served,
            made=made,
            init_s=init_s,
            billed_init_s=billed_init_s,
            sent=sent,
            spread_s=spread_s,
            held_s=held_s,
            departed_s=departed_s,
            of_models=[
                number
                for number, (_, report) in enumerate(came)
                if any(one.models for one in report.sightings)
            ],
            last_used=LastUsed.of(used_ones[:, 0].astype(np.int64), used_ones[:, 1], used_ones[:, 2]),
            ages=Ages(round=own_ones[:, 0].astype(np.int64), age_s=own_ones[:, 1]),
        )


class Tallied(ABC):
    """Reports whose tally is there already."""

    @abstractmethod
    def tally(self) -> Tally: ...


def tally_of(reports: Mapping[Target, RoundReport | Failed]) -> Tally:
    """The tally of reports that bring theirs, or of any others."""
    return reports.tally() if isinstance(reports, Tallied) else Tally.of(reports)


def _row(report: RoundReport) -> tuple[float, ...]:
    used = served = made = own = 0
    init_s = billed_init_s = 0.0
    for sighting in report.sightings:
        if sighting.cold:
            billed_init_s += sighting.init_s
        if sighting.provisioned:
            continue
        own += 1
        if sighting.requests > 0:
            used += 1
            served += sighting.requests
        if sighting.cold:
            made += 1
            init_s += sighting.init_s
    return (
        len(report.sightings), own, used, served, made, init_s, billed_init_s, report.sent, report.spread_s,
        report.held_s, report.departed_s,
    )  # fmt: skip
