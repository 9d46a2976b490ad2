"""The models of one execution environment: which are loaded, when, and within what memory."""

from __future__ import annotations

from preheat.choice import eager_set, order
from preheat.deferred import defer, load_deferred
from preheat.departures import MOST, Departures
from preheat.early import begin_engine
from preheat.engines import open_session
from preheat.health import failed_required, reports, required_not_hot, unready
from preheat.life import Life
from preheat.loading import InitTime, import_all, side_by_side
from preheat.memory import NotReady
from preheat.model import HostedModel, Quarantined
from preheat.pack import read_packs
from preheat.ping import Level, ModelReport
from preheat.record import ColdStart, cold_start_line, quarantine_line
from preheat.served import Served
from preheat.settings import ON_DEMAND, PROVISIONED, SNAP_START
from preheat.snapshot import register
from preheat.surroundings import Process
from preheat.warming import Warming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from preheat.fields import PackError
    from preheat.pack import Pack
    from preheat.surroundings import Surroundings
    from preheat.tensor import Tensor


IMPORTS_S = 1.0
"""What must be left of a ping's time for a deferred module to be imported in it: an import cannot be stopped."""


class UnknownModel(KeyError):
    """A name that no pack of this function has."""

    def __str__(self) -> str:
        return str(self.args[0])


class RequiredModelFailed(RuntimeError):
    """INIT is to fail, since a model without which this environment must not serve has failed."""


class ModelHost(dict[str, Served]):
    """Models by name. Made once, at module level, so that what is eager is loaded while INIT runs."""

    def __init__(
        self,
        packs: Iterable[Pack],
        surroundings: Surroundings,
        opener: Callable[[Pack], Any] | None = None,
        departures: Departures | None = None,
    ) -> None:
        settings = surroundings.settings
        self.settings, self._surroundings, self.clock = settings, surroundings, surroundings.clock()
        self.began_s = self.clock.steady_s()
        opener = opener or (lambda pack: open_session(pack, device=settings.device))
        self.departures = departures or Departures(settings.function, settings.version, settings.scratch)
        # one that ended for a model that failed may have been told so by a late hash
        ahead = not settings.hash_first and not self.departures.count()
        self._models = {
            pack.name: HostedModel(
                pack, self.clock.steady_s, opener, hash_ahead=ahead and settings.delivers(pack.folder)
            )
            for pack in packs
        }
        super().__init__({name: Served(self, model) for name, model in self._models.items()})
        self.unreadable: dict[str, PackError] = {}
        self.life = Life()
        self.load_ms = self.init_ms = 0.0
        self._warming = Warming(self._models, settings, self.clock.steady_s, self._tell_if_failed)
        self._told: set[str] = set()
        self._eager: list[str] | None = None

    @classmethod
    def from_packs(
        cls,
        folder: str = "models",
        *,
        beside: Iterable[str] = (),
        deferred: Iterable[str] = (),
        surroundings: Surroundings | None = None,
    ) -> ModelHost:
        """Find the packs below a folder (PREHEAT_MODELS names another) and at the addresses of PREHEAT_PACKS, and
        load the eager ones.

        `beside` names modules that the handler imports: they are imported while the models load. `deferred` names
        those that no first answer needs: an `import` of one costs nothing until something of it is used, or a ping
        comes (`preheat.deferred`). Raises PackError where there are no packs, RequiredModelFailed where INIT must not
        succeed.
        """
        surroundings = surroundings or Process()
        defer(deferred)
        settings, root = surroundings.settings, surroundings.settings.folder(folder)
        begin_engine(settings, root)
        if addresses := settings.packs:
            from preheat.remote import add_packs

            packs, unreadable = add_packs(root, addresses, settings.scratch)
        else:
            packs, unreadable = read_packs(root)
        host = cls(packs, surroundings)
        host.unreadable = unreadable
        host.initialise(beside)
        if host.settings.initialization == SNAP_START:
            register(host)
        return host

    def __missing__(self, name: str) -> Served:
        if name in self.unreadable:
            raise Quarantined(str(self.unreadable[name]))
        raise UnknownModel(f"no model {name!r}; there are {', '.join(sorted(self))}")

    def eager(self) -> list[str]:
        """The models to have ready ahead of requests, most urgent first; chosen once, and again when one fails."""
        if self._eager is None:
            candidates = [model.candidate() for model in self._sound()] if self.settings.hot else []
            self._eager = eager_set(candidates, self.settings.memory_mb)
        return self._eager

    def initialise(self, beside: Iterable[str] = ()) -> None:
        """INIT: load and verify the eager models side by side, on demand as far as its 10 s go."""
        begun_s = self.clock.steady_s()
        limit_s = self.settings.init_s if self.settings.initialization == ON_DEMAND else float("inf")
        if not self.settings.on_lambda:
            limit_s += begun_s
        modules, eager, time = tuple(beside), self.eager(), InitTime(limit_s, self.clock.steady_s)

        def step(name: str) -> None:
            model = self._models[name]
            if time.begin(name, self._warming.expected_s(model, Level.HOT)):
                waited_for = self.settings.initialization == ON_DEMAND
                self._warming.bring(model, Level.HOT, limit_s, eager, waited_for=waited_for)
                time.end(name)

        side_by_side(eager, step, (lambda: import_all(modules)) if modules else None)
        for name, reason in self.unreadable.items():
            self._tell(name, "", str(reason))
        now_s = self.clock.steady_s()
        self.load_ms, self.init_ms = (now_s - begun_s) * 1e3, now_s * 1e3
        self.life.initialised(now_s)
        if self.settings.initialization != ON_DEMAND:
            self._ahead_of_traffic()

    def before_snapshot(self) -> None:
        """Load and verify all that fits, once for all copies; RequiredModelFailed where none is to be made."""
        self.warm({}, float("inf"))
        self._ahead_of_traffic()

    def after_restore(self) -> None:
        """A copy begins, with an id and a beginning of its own; its models are asked whether they still answer."""
        begun_s = self.clock.steady_s()
        for model in self._sound():
            model.ask_again()
            self._tell_if_failed(model)
        now_s = self.clock.steady_s()
        self.began_s, self.load_ms, self.init_ms = 0.0, (now_s - begun_s) * 1e3, (now_s - begun_s) * 1e3
        self.life.initialised(now_s)

    def warm(self, wanted: Mapping[str, Level], deadline_s: float) -> None:
        """Bring each named model to its level, or the eager set to HOT, as far as the time goes.

        One that cannot be expected to be done in time is left, and a lesser one may take its turn.
        """
        if self._warming.to_levels(dict(wanted) or dict.fromkeys(self.eager(), Level.HOT), deadline_s):
            self._finish(deadline_s)

    def verify_every_model(self, deadline_s: float) -> None:
        """For who must know all of them, as far as the time goes: what is hot answers all its questions anew, what was
        never verified here takes its turn, whatever gives way to it, and in the end the eager set is hot again."""
        hot = [model for model in self._sound() if model.level == Level.HOT]
        self.warm({}, deadline_s)
        waiting = order(model.candidate() for model in self._sound() if not model.is_known)
        for candidate in reversed(waiting):
            self._warming.to_levels({candidate.name: Level.HOT}, deadline_s)
            self._models[candidate.name].check_rest(deadline_s)
            self._tell_if_failed(self._models[candidate.name])
        if waiting:
            self.warm({}, deadline_s)
        for model in hot:
            if self.clock.steady_s() < deadline_s:
                model.verify_again(deadline_s)
                self._tell_if_failed(model)

    def report(self) -> dict[str, ModelReport]:
        """Every model as it is now."""
        return reports(self._models, self.unreadable)

    def take_report(self) -> dict[str, ModelReport]:
        """The same for a ping's reply: requests are counted anew from here on."""
        with self._warming.lock:
            found = self.report()
            for model in self._models.values():
                model.requests = 0
        return found

    def unready(self) -> dict[str, str]:
        """Why the environment is not ready: models that failed, and eager ones that were never hot."""
        return unready((self._models[name] for name in self.eager()), self._models, self.unreadable)

    def failed_required(self) -> str:
        """Why this environment must not serve: its required models that failed; empty where none did."""
        return failed_required(self._models, self.unreadable)

    def leave_if_worthless(self, departures_seen: int) -> None:
        """End the process where a required model failed on demand, unless that was tried often enough."""
        reason = self.failed_required()
        if reason and max(departures_seen, self.departures.count()) < MOST and self.departures.add():
            self._surroundings.leave(reason)

    def begin_invocation(self, *, ping: bool) -> bool:
        """Count an invocation, before its handler runs; whether it is the environment's first."""
        waited = self.life.begins(
            self.clock.steady_s(), ping=ping, ahead=self.settings.initialization == PROVISIONED
        )
        if not waited:
            return False
        start = ColdStart(
            environment=self.life.environment,
            function=self.settings.function,
            version=self.settings.version,
            initialization=self.settings.initialization,
            waited=waited,
            import_ms=round(self.began_s * 1e3, 3),
            load_ms=round(self.load_ms, 3),
            first_answer_ms=max((model.first_answer_ms for model in self._models.values()), default=0.0),
            init_ms=round(self.init_ms, 3),
            models=self.report(),
        )
        self._surroundings.say(cold_start_line(start, self.clock.wall_s(), self.settings.metrics))
        return True

    def answer(self, model: HostedModel, inputs: Mapping[str, Tensor | Any]) -> dict[str, Tensor]:
        """A request's answer, by a model that is verified first where it is not yet."""
        with self._warming.lock:
            model.in_use += 1
            model.requests += 1
        try:
            if model.level < Level.HOT:
                self._warming.make_hot(model, waited_for=True)
                if model.level < Level.HOT and not model.problem:
                    raise NotReady(
                        f"{model.name} is {model.level.name}: its warm-up was not done in time; ask again"
                    )
            return model.run(inputs)
        finally:
            with self._warming.lock:
                model.in_use -= 1

    def _ahead_of_traffic(self) -> None:
        """INIT with minutes to spend and nobody waiting: full speed, and no environment without its required models."""
        self._finish(float("inf"))
        if reason := self.failed_required():
            raise RequiredModelFailed(reason)
        if self.settings.hot and (reason := required_not_hot(self._models)):
            raise RequiredModelFailed(reason)

    def _finish(self, deadline_s: float) -> None:
        """What no customer is to wait for, where none does: hashes that were left, full speed, deferred modules."""
        for model in self._sound():
            model.check_rest(deadline_s)
            self._tell_if_failed(model)
        self._warming.repack(deadline_s)
        load_deferred(lambda: deadline_s - self.clock.steady_s() > IMPORTS_S)

    def _sound(self) -> Iterator[HostedModel]:
        return (model for model in self._models.values() if not model.problem)

    def _tell_if_failed(self, model: HostedModel) -> None:
        if model.problem:
            self._tell(model.name, model.manifest.version, model.problem)

    def _tell(self, name: str, version: str, reason: str) -> None:
        if name not in self._told:
            self._told.add(name)
            self._eager = None
            self._surroundings.say(
                quarantine_line(
                    self.settings.function, name, version, reason, self.clock.wall_s(), self.settings.metrics
                )
            )
