"""What became of the targets of a cycle: columns as they were decided and done, and outcomes made of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from warmer.policy.outcomes import Outcome
from warmer.policy.plans import Batch, Plans
from warmer.policy.values import Capacity, Facts, Failed, Reason, RoundReport, Sighting, Target

H = TypeVar("H")
RETRY_S = 60.0
"""A target whose cycle failed is looked at again after this long."""


@dataclass(frozen=True, slots=True)
class Carried(Generic[H]):
    """Targets that were decided and handled together."""

    batch: Batch[H]
    plans: Plans
    facts: Facts
    """What was read."""
    done: Facts
    """What was asked of the world, and its answers."""
    unsaved: Mapping[Target, Failed]

    def outcomes(self) -> Iterator[Outcome]:
        return (self._outcome(row, target) for row, target in enumerate(self.batch.targets))

    def _outcome(self, row: int, target: Target) -> Outcome:
        plans = self.plans
        report, granted = self.done.reports.get(target), self.done.provisioned.get(target)
        capacity = granted or self.facts.capacity.get(target)
        sightings = report.sightings if isinstance(report, RoundReport) else ()
        return Outcome(
            target=target,
            at_s=self.batch.now_s,
            reason=plans.reason[row],
            pings=int(plans.pings[row]),
            hold_s=float(plans.hold_s[row]),
            reached=len(sightings),
            made=sum(sighting.cold for sighting in sightings),
            unsound=tuple(sorted(_unsound(sightings))),
            provisioned=int(plans.provisioned[row]) if granted is not None else None,
            said=capacity.said if isinstance(capacity, Capacity) else "",
            provisioned_failed=isinstance(capacity, Capacity) and capacity.status == "FAILED",
            spent_usd=None if plans.spent_usd is None else float(plans.spent_usd[row]),
            budget_used=self._budget_used(row),
            levels=_levels(sightings),
            expected=plans.expected(row),
            basis=plans.basis[row],
            next_look_s=float(plans.next_look_s[row]),
            problems=tuple(self._problems(target)),
        )

    def _budget_used(self, row: int) -> float | None:
        """Share of the month's budget that is spent, what this cycle does not yet among it."""
        spent, budget = self.plans.spent_usd, self.batch.configured[row].objective.monthly_budget_usd
        if spent is None or budget is None:
            return None
        return float(spent[row]) / budget if budget > 0 else 1.0

    def _problems(self, target: Target) -> Iterator[str]:
        if target in self.done.rounds and target not in self.done.reports:
            yield "pings: no report"
        for kind, answer in (
            ("demand", self.facts.demand.get(target)),
            ("capacity", self.facts.capacity.get(target)),
            ("cold starts", self.facts.announced.get(target)),
            ("pings", self.done.reports.get(target)),
            ("provisioned concurrency", self.done.provisioned.get(target)),
            ("history", self.unsaved.get(target)),
        ):
            if isinstance(answer, Failed):
                yield f"{kind}: {answer.reason}"
            elif isinstance(answer, Capacity) and answer.status == "FAILED":
                yield f"{kind}: {answer.said}"
            elif isinstance(answer, RoundReport):
                for name, count in sorted(_unsound(answer.sightings).items()):
                    yield f"{name} is unsound in {count} of {len(answer.sightings)} environments"


@dataclass(frozen=True, slots=True)
class Cycle(Generic[H]):
    """One look at every target that was due."""

    now_s: float
    targets: Sequence[Target]
    """Those that were given, each once."""
    held: Mapping[Target, Failed]
    """Those that were left alone, and why."""
    carried: Sequence[Carried[H]]

    @property
    def failed(self) -> Mapping[Target, Failed]:
        """Those that were left alone or could not be kept, and why."""
        unsaved = (some.unsaved for some in self.carried)
        return {target: why for each in (self.held, *unsaved) for target, why in each.items()}

    def outcomes(self) -> list[Outcome]:
        """One for each target that was due, in the order in which they were given."""
        found = {target: held(target, self.now_s, why) for target, why in self.held.items()}
        for some in self.carried:
            found |= {outcome.target: outcome for outcome in some.outcomes()}
        return [found[target] for target in self.targets if target in found]


def held(target: Target, now_s: float, why: Failed) -> Outcome:
    return Outcome(
        target=target, at_s=now_s, reason=Reason.UNKNOWN, problems=(why.reason,), next_look_s=now_s + RETRY_S
    )


def _levels(sightings: Sequence[Sighting]) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, Counter[str]] = {}
    for sighting in sightings:
        for name, seen in sighting.models.items():
            found.setdefault(name, Counter())[seen.level] += 1
    return found


def _unsound(sightings: Sequence[Sighting]) -> Counter[str]:
    """In how many environments each model is in quarantine."""
    return Counter(name for sighting in sightings for name in sighting.unsound)
