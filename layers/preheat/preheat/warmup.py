"""A warm-up: golden questions, their answers compared, and on until the latency is steady."""

from __future__ import annotations

from preheat.frozen import Frozen
from preheat.golden import difference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from preheat.engines import Session
    from preheat.golden import Question
    from preheat.manifest import GoldenSpec

STEADY_WITHIN = 1.25
"""Latency is steady when an answer and the fastest before it are within this factor of each other."""
MOST_REPEATS = 5


class WarmUp(Frozen):
    """How a warm-up went; times in ms."""

    first_answer_ms: float = 0.0
    steady_ms: float = 0.0
    asked: int = 0
    """Golden questions answered."""
    problem: str = ""
    """What was wrong with an answer."""
    late: bool = False
    """The deadline passed before every golden question was answered: neither sound nor unsound."""


def verify(
    session: Session,
    questions: Sequence[Question],
    allowed: GoldenSpec,
    clock_s: Callable[[], float],
    deadline_s: float,
) -> WarmUp:
    """Ask every golden question, whatever its shape or batch."""
    first_ms = 0.0
    for asked, question in enumerate(questions):
        if clock_s() > deadline_s:
            return WarmUp(first_answer_ms=first_ms, asked=asked, late=True)
        begun_s = clock_s()
        answer = session.run(question.inputs)
        first_ms = first_ms or (clock_s() - begun_s) * 1e3
        if problem := difference(question.answers, answer, allowed):
            return WarmUp(
                first_answer_ms=first_ms, asked=asked + 1, problem=f"golden question {asked}: {problem}"
            )
    return WarmUp(first_answer_ms=first_ms, asked=len(questions))


def until_steady(
    session: Session, question: Question, clock_s: Callable[[], float], deadline_s: float
) -> float:
    """Ask one question until two answers agree on a latency; that, ms, or the least one where they do not in time."""
    fastest_ms = 0.0
    for repeats in range(1, MOST_REPEATS + 1):
        begun_s = clock_s()
        if begun_s > deadline_s:
            return fastest_ms
        session.run(question.inputs)
        took_ms = (clock_s() - begun_s) * 1e3
        if repeats > 1 and fastest_ms / STEADY_WITHIN <= took_ms <= fastest_ms * STEADY_WITHIN:
            return min(took_ms, fastest_ms)
        fastest_ms = min(took_ms, fastest_ms or took_ms)
    return fastest_ms


def warm_up(
    session: Session,
    questions: Sequence[Question],
    allowed: GoldenSpec,
    clock_s: Callable[[], float],
    deadline_s: float,
) -> WarmUp:
    """`verify`, then `until_steady` with the first question."""
    done = verify(session, questions, allowed, clock_s, deadline_s)
    if done.problem or done.late:
        return done
    steady_ms = until_steady(session, questions[0], clock_s, deadline_s)
    return WarmUp(
        first_answer_ms=done.first_answer_ms, steady_ms=steady_ms or done.first_answer_ms, asked=done.asked
    )
