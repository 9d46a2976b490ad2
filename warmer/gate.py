"""Whether a new version may take traffic: what its environments said, beside what the old version's say. Pure.

Any doubt is a no: an environment that did not answer, a model that is missing, a time that was not measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from preheat.ping import Level, ModelReport, Reply

KILLED = "signal: killed"
"""How Lambda says that it ended a process, which it does where memory runs out."""
TIMES = ("first_answer_ms", "steady_ms")
SLACK_MS = 2.0
"""Answers that take less than this longer are not slower: two runs of one version differ by as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a new version must keep."""

    environments: int
    """How many must be warm and sound at once."""
    ratio: float = 1.5
    """How much slower than the old version's an answer may be."""
    memory_mb: int = 0
    """The function's memory; 0 is not checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether it may, why not, and what was measured, a line a model."""

    doubts: tuple[str, ...]
    table: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.doubts

    def report(self) -> str:
        """For a person to read."""
        head = "PASSED" if self.passed else "FAILED"
        return "\n".join([head, *(f"- {doubt}" for doubt in self.doubts), "", *self.table])


def judge(
    new: Sequence[Reply],
    old: Sequence[Reply],
    limits: Limits,
    problems: Sequence[str] = (),
    earlier: Sequence[Reply] = (),
) -> Verdict:
    """The verdict on the environments of a new version; `old` is empty for a first version, which is not compared.

    `earlier` is what the same environments said before: their times count too.
    """
    doubts = [_unanswered(problem, limits) for problem in problems]
    if len(new) < limits.environments:
        doubts.append(f"{len(new)} environments answered, {limits.environments} were to be warm")
    names = sorted({name for reply in (*new, *old) for name in reply.models})
    if not names:
        doubts.append("no environment has any model")
    for reply in new:
        doubts += _unsound(reply, names, limits)
    before, after = _by_model(old), _by_model((*new, *earlier))
    for name in names:
        doubts += _slower(name, before.get(name, []), after.get(name, []), limits.ratio)
    return Verdict(doubts=tuple(dict.fromkeys(doubts)), table=tuple(_table(names, before, after)))


def incomplete(replies: Sequence[Reply], environments: int) -> bool:
    """Whether asking again may tell more: too few environments, or models whose turn has not come; never where a
    model failed."""
    models = [(model, reply) for reply in replies for model in reply.models.values()]
    if any(model.problem for model, _ in models):
        return False
    waiting = (
        not model.hashed or (model.level < Level.HOT and not _took_its_turn(model, reply))
        for model, reply in models
    )
    return len(replies) < environments or any(waiting)


def verified(replies: Sequence[Reply]) -> int:
    """How many models are known to be HOT, or were in their turn, all environments together."""
    return sum(
        model.level == Level.HOT or _took_its_turn(model, reply)
        for reply in replies
        for model in reply.models.values()
    )


def _unanswered(problem: str, limits: Limits) -> str:
    killed = limits.memory_mb and KILLED in problem
    why = f" (as a rule it took more memory than the function's {limits.memory_mb} MB)" if killed else ""
    return f"an environment did not answer: {problem}{why}"


def _unsound(reply: Reply, names: Sequence[str], limits: Limits) -> Iterator[str]:
    where = f"in environment {reply.environment}"
    for name in names:
        model = reply.models.get(name)
        if model is None:
            yield f"{name} is missing {where}"
        elif model.problem:
            yield f"{name} failed {where}: {model.problem}"
        elif model.level < Level.HOT and not _took_its_turn(model, reply):
            yield f"{name} is {model.level.name}, not HOT, {where}"
        elif not model.hashed:
            yield f"{name} was not hashed in time {where}: raise the function's Timeout, or set PREHEAT_HASHES=first"
    memory_mb = sum(model.memory_mb for model in reply.models.values())
    if limits.memory_mb and memory_mb > limits.memory_mb:
        yield f"models take {memory_mb:.0f} MB {where}, the function has {limits.memory_mb}"


def _took_its_turn(model: ModelReport, reply: Reply) -> bool:
    """Whether it was verified in this environment and gave way, since the budget cannot hold every model at once."""
    crowded = 0 < reply.models_mb < sum(one.needs_mb for one in reply.models.values())
    return crowded and model.first_answer_ms > 0 and model.steady_ms > 0


def _slower(
    name: str, before: Sequence[ModelReport], after: Sequence[ModelReport], ratio: float
) -> Iterator[str]:
    for what in TIMES:
        new = _best(after, what)
        old = _best(before, what)
        if after and not new:
            yield f"{name}: {what} was not measured"
        elif before and old and new > max(old * ratio, old + SLACK_MS):
            yield f"{name}: {what} is {new:.1f}, was {old:.1f}: more than {ratio:g} times as slow"


def _by_model(replies: Sequence[Reply]) -> Mapping[str, list[ModelReport]]:
    found: dict[str, list[ModelReport]] = {}
    for reply in replies:
        for name, report in reply.models.items():
            found.setdefault(name, []).append(report)
    return found


def _best(reports: Sequence[ModelReport], what: str) -> float:
    """The least of those measured, since other work only ever adds time; 0 where none was."""
    measured = [value for report in reports if (value := float(getattr(report, what))) > 0]
    return min(measured, default=0.0)


def _table(
    names: Sequence[str],
    before: Mapping[str, Sequence[ModelReport]],
    after: Mapping[str, Sequence[ModelReport]],
) -> Iterator[str]:
    yield f"{'model':<16}{'version':<18}{'first answer ms':>22}{'steady ms':>22}{'MB':>8}"
    for name in names:
        reports = after.get(name, [])
        version = reports[0].version if reports else "missing"
        times = (
            f"{_best(reports, what):.1f} (was {_best(before.get(name, []), what):.1f})" for what in TIMES
        )
        first, steady = times
        yield f"{name:<16}{version:<18}{first:>22}{steady:>22}{_best(reports, 'memory_mb'):>8.0f}"
