"""A world of the tests' own: time stands still unless told, and leaving is only noted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preheat.departures import Departures
from preheat.engines import Phases, open_session
from preheat.frozen import replace
from preheat.host import ModelHost
from preheat.pack import Pack, read_packs
from preheat.settings import Settings
from preheat.tensor import Tensor

if TYPE_CHECKING:
    from preheat.engines import Session

VISITED = {"visited": Tensor.of([1, 0, 0, 0], "float32", (1, 4))}


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 1.0
        self.slept_s: list[float] = []

    def wall_s(self) -> float:
        return 1_000_000.0 + self.now_s

    def steady_s(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.slept_s.append(duration_s)
        self.now_s += duration_s


class Left(BaseException):
    """The process has ended."""


class FakeSurroundings:
    def __init__(self, **settings: Any) -> None:
        self.settings = replace(Settings(), **settings)
        self.time = FakeClock()
        self.said: list[dict[str, Any]] = []
        self.left: list[str] = []

    def clock(self) -> FakeClock:
        return self.time

    def say(self, line: str) -> None:
        self.said.append(json.loads(line))

    def leave(self, reason: str) -> None:
        self.left.append(reason)
        raise Left

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.said if line["record"] == kind]


class TimedSession:
    """A real session whose answers take as long as the test says."""

    def __init__(self, session: Session, clock: FakeClock, answers_s: list[float]) -> None:
        self.packed, self.phases, self.device = session.packed, Phases(path="fast"), session.device
        self._session, self._clock, self._answers_s = session, clock, answers_s
        self.runs = 0

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
        self._clock.now_s += self._answers_s[min(self.runs, len(self._answers_s) - 1)]
        self.runs += 1
        return self._session.run(inputs)

    def close(self) -> None:
        self._session.close()


class Openers:
    """Opens real sessions and notes which; `load_s` and `answers_s` are what they cost on the fake clock."""

    def __init__(self, clock: FakeClock, load_s: float = 0.0, answers_s: tuple[float, ...] = (0.0,)) -> None:
        self._clock, self._load_s, self._answers_s = clock, load_s, list(answers_s)
        self.opened: list[str] = []
        self.sessions: dict[str, TimedSession] = {}

    def __call__(self, pack: Pack) -> TimedSession:
        self._clock.now_s += self._load_s
        self.opened.append(pack.name)
        self.sessions[pack.name] = TimedSession(open_session(pack), self._clock, self._answers_s)
        return self.sessions[pack.name]


class World:
    """A host over the packs of a folder, in surroundings of the test's own; `init` is a cold start."""

    def __init__(
        self, root: Path, /, *, load_s: float = 0.0, answers_s: tuple[float, ...] = (0.0,), **settings: Any
    ) -> None:
        self.root = root
        self.around = FakeSurroundings(**settings)
        self.clock = self.around.time
        self.opener = Openers(self.clock, load_s, answers_s)
        packs, unreadable = read_packs(str(root))
        self.host = ModelHost(packs, self.around, self.opener, Departures("f", "1", str(root.parent)))
        self.host.unreadable = unreadable

    def init(self) -> World:
        self.host.initialise()
        return self

    def levels(self) -> dict[str, str]:
        return {name: report.level.name for name, report in self.host.report().items()}


class Context:
    """Lambda's context, as far as the runtime reads it."""

    def __init__(self, remaining_s: float = 29.0) -> None:
        self._remaining_s = remaining_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self._remaining_s * 1e3)
