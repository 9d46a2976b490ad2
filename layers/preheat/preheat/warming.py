"""The models of one execution environment, brought to the levels that are wanted, within its memory and a deadline."""

from __future__ import annotations

from _thread import RLock

from preheat.choice import order
from preheat.loading import slowness
from preheat.memory import Memory, NotReady
from preheat.ping import Level

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from preheat.model import HostedModel
    from preheat.settings import Settings


class Warming:
    """`lock` guards who is in use and who has memory. Deadlines are instants of `clock_s`."""

    def __init__(
        self,
        models: Mapping[str, HostedModel],
        settings: Settings,
        clock_s: Callable[[], float],
        tell_if_failed: Callable[[HostedModel], None],
    ) -> None:
        self.lock = RLock()
        self._models, self._warm_up_s = models, settings.warm_up_s
        self._memory = Memory(models.values(), settings.memory_mb)
        self._clock_s, self._tell_if_failed = clock_s, tell_if_failed

    def to_levels(self, levels: Mapping[str, Level], deadline_s: float) -> bool:
        """Each sound model to its level, the most urgent first; whether there is time left.

        One that cannot be expected to be done in time is left, and a lesser one may take its turn.
        """
        keep = {name for name, level in levels.items() if level >= Level.LOADED}
        behind = [
            model.candidate()
            for model in self._sound()
            if model.name in levels and not model.is_at(levels[model.name])
        ]
        for candidate in order(behind):
            if (left_s := deadline_s - self._clock_s()) <= 0:
                return False
            model, level = self._models[candidate.name], levels[candidate.name]
            if self.expected_s(model, level) <= left_s:
                self.bring(model, level, deadline_s, keep, waited_for=False)
        return True

    def bring(
        self, model: HostedModel, level: Level, deadline_s: float, keep: Iterable[str], *, waited_for: bool
    ) -> None:
        """One model to a level; where there is no room for it, its level in the next report says so."""
        try:
            if level == Level.HOT:
                self.make_hot(model, deadline_s, keep, waited_for=waited_for)
            elif level >= Level.LOADED:
                with self.lock:
                    self._memory.take(model, keep)
                    model.load()
            elif level == Level.CACHED:
                model.cache()
            else:
                with self.lock:
                    if not model.in_use:
                        model.unload()
        except NotReady:
            return
        self._tell_if_failed(model)

    def make_hot(
        self,
        model: HostedModel,
        deadline_s: float = float("inf"),
        keep: Iterable[str] = (),
        *,
        waited_for: bool,
    ) -> None:
        """Load and verify; meanwhile it is in use, so that no other model's need evicts it. Raises NotReady."""
        with self.lock:
            self._memory.take(model, keep)
            model.in_use += 1
        try:
            model.make_hot(self._warm_up_s, deadline_s, waited_for=waited_for)
        finally:
            with self.lock:
                model.in_use -= 1
        self._tell_if_failed(model)

    def repack(self, deadline_s: float) -> None:
        """Second sessions at full speed, where no customer waits, one after another: memory is checked for each."""
        for candidate in order(model.candidate() for model in self._sound() if model.may_repack()):
            model = self._models[candidate.name]
            with self.lock:
                if model.in_use:
                    continue
                model.repack(
                    slowness=slowness(self._models.values()),
                    left_s=deadline_s - self._clock_s(),
                    room_mb=self._memory.free_mb(),
                )

    def expected_s(self, model: HostedModel, level: Level) -> float:
        """How long a model will take to a level here."""
        return model.ready_ms(level) * slowness(self._models.values()) / 1e3

    def _sound(self) -> Iterator[HostedModel]:
        return (model for model in self._models.values() if not model.problem)
