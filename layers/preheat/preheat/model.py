"""One model of an environment: its session, how warm it is, and why it may not be served."""

from __future__ import annotations

from _thread import allocate_lock

from preheat.choice import Candidate
from preheat.engines import EngineError, open_session
from preheat.engines.beside import Opening
from preheat.fields import PackError
from preheat.golden import difference, read_golden
from preheat.hashes import Hashes
from preheat.ping import Level, ModelReport
from preheat.warmup import until_steady, verify, warm_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from preheat.engines import Session
    from preheat.manifest import Manifest
    from preheat.pack import Pack
    from preheat.tensor import Tensor

    Opener = Callable[[Pack], Session]

MOST_LATE = 2
"""A model whose warm-up passes its deadline this many times in a row is given up."""


class Quarantined(RuntimeError):
    """A model that failed and is never served; the text says why."""


class HostedModel:
    """A pack with what this environment has made of it. Not for use by hand: a host gives and takes its memory."""

    def __init__(
        self,
        pack: Pack,
        clock_s: Callable[[], float],
        opener: Opener = open_session,
        *,
        hash_ahead: bool = False,
    ) -> None:
        """`hash_ahead` leaves the largest weights to `check_rest` (`preheat.hashes`)."""
        self.pack = pack
        self.level = Level.COLD
        self.problem = ""
        self.in_use = 0
        self.requests = 0
        """Customers' requests since the last ping (or INIT)."""
        self.holds_memory = False
        """Whether the budget counts it: from before it is loaded until it is given up."""
        self.was_hot = False
        """Whether it was ever verified here, even if it gave way to another since then."""
        self.load_ms = self.first_answer_ms = self.steady_ms = 0.0
        self._clock_s, self._opener = clock_s, opener
        self._session: Session | None = None
        self._hashes = Hashes(pack, ahead=hash_ahead)
        self._steady = False
        self._late = 0
        self._pays: bool | None = None
        self.not_packed = ""
        """Why a packed session was made and dropped; then none is made again."""
        self._lock = allocate_lock()

    @property
    def name(self) -> str:
        return self.pack.manifest.name

    @property
    def manifest(self) -> Manifest:
        return self.pack.manifest

    @property
    def packed(self) -> bool:
        """Whether it answers from a session at full speed: see `preheat.engines.repack`."""
        return self._session is not None and self._session.packed

    @property
    def memory_mb(self) -> float:
        """What it takes while it is loaded."""
        manifest = self.manifest
        return (
            max(manifest.memory_mb, manifest.measured.packed_memory_mb) if self.packed else manifest.memory_mb
        )

    def candidate(self) -> Candidate:
        """What the choice of models goes by: load time as learnt here, else as the pack says."""
        manifest = self.manifest
        return Candidate(
            name=manifest.name,
            traffic_share=manifest.traffic_share,
            load_ms=self.load_ms or manifest.measured.load_ms or 1.0,
            memory_mb=self.memory_mb,
            priority=manifest.priority,
            required=manifest.required,
        )

    def ready_ms(self, level: Level) -> float:
        """What is left to do for a level, by the pack builder's measures; what is done takes nothing."""
        measured = self.manifest.measured
        load_ms = (measured.load_ms or 1.0) if self.level < Level.LOADED <= level else 0.0
        if level < Level.HOT or self.is_at(Level.HOT):
            return load_ms
        # each golden question, and the first again until its latency is steady: two more at best
        answers = (0 if self.level == Level.HOT else self.manifest.golden.cases) + 2
        return load_ms + measured.first_answer_ms + answers * measured.steady_ms

    def report(self) -> ModelReport:
        """The model as a ping's reply names it."""
        return ModelReport(
            level=self.level,
            version=self.manifest.version,
            load_ms=round(self.load_ms, 3),
            first_answer_ms=round(self.first_answer_ms, 3),
            steady_ms=round(self.steady_ms, 3),
            memory_mb=self.memory_mb if self._session is not None else 0.0,
            problem=self.problem,
            requests=self.requests,
            needs_mb=self.memory_mb,
            needs_ms=round(self.candidate().load_ms, 3),
            hashed=self.hashed,
        )

    @property
    def hashed(self) -> bool:
        """Whether each of its files has the hash that the manifest says."""
        return self._hashes.done

    @property
    def is_known(self) -> bool:
        """Whether it was ever verified here, all of it, and timed, even if it gave way to another since then."""
        return self.was_hot and self.hashed and self.steady_ms > 0

    def is_at(self, level: Level) -> bool:
        """Whether nothing is to be done for a level; COLD asks for the memory back, HOT for a steady latency too."""
        if level == Level.COLD:
            return not self.holds_memory
        if level == Level.CACHED and not self.hashed:
            return False
        return self.level >= level and (level < Level.HOT or self._steady)

    def cache(self) -> None:
        """Bring the files into the page cache by checking their hashes."""
        if (self.level < Level.CACHED or not self.hashed) and not self.problem:
            self._guarded(self._check)

    def load(self) -> None:
        """Check the files and open a session; a failure is a quarantine."""
        with self._lock:
            if self.level < Level.LOADED and not self.problem:
                self._guarded(self._load)

    def make_hot(
        self, warm_up_s: float, deadline_s: float = float("inf"), *, waited_for: bool = False
    ) -> None:
        """Load and warm up by the golden questions; a wrong answer is a quarantine, a late one is tried once more.

        Where somebody may be waiting it ends with them: what makes later answers steady would make this one late.
        A warm-up cut at `deadline_s`, before it had its `warm_up_s`, says nothing against the model.
        """
        self.load()
        with self._lock:
            if self.level != Level.HOT and not self.problem:
                self._guarded(lambda: self._verify(warm_up_s, deadline_s))
            if self.level == Level.HOT and not self._steady and not waited_for:
                self._guarded(lambda: self._settle(min(self._clock_s() + warm_up_s, deadline_s)))

    def check_rest(self, deadline_s: float = float("inf")) -> None:
        """Hash what was not hashed before it was loaded, as far as the time goes; a wrong hash is a quarantine."""
        with self._lock:
            if self._hashes.has_late and self.level >= Level.CACHED:
                self._guarded(lambda: self._hashes.go_on(lambda: self._clock_s() < deadline_s))

    def may_repack(self) -> bool:
        """Whether a packed session is worth a look at time and memory."""
        if self.level < Level.HOT or self.packed or self.not_packed:
            return False
        if self._pays is None:
            from preheat.engines.repack import never_pays

            self._pays = not never_pays(self.manifest)
        return self._pays

    def repack(self, *, slowness: float, left_s: float, room_mb: float) -> None:
        """Answer from a packed session from now on, where one pays and there are time and memory to make it.

        Only where no customer waits: see `preheat.engines.repack`. A session that is late or answers wrongly is
        dropped, and the one that answered goes on.
        """
        from preheat.engines.repack import make_packed, why_not

        with self._lock:
            if self.level < Level.HOT or self.packed or self.not_packed:
                return
            if why_not(self.manifest, slowness=slowness, left_s=left_s, room_mb=room_mb):
                return
            deadline_s = self._clock_s() + left_s
            session: Session | None = None
            try:
                session = make_packed(self.pack, left_s)
                done = warm_up(
                    session, read_golden(self.pack), self.manifest.golden, self._clock_s, deadline_s
                )
                self.not_packed = done.problem or (
                    "its golden questions were not answered in time" if done.late else ""
                )
            except Exception as error:  # the session that answers is sound all the same
                self.not_packed = _said(error)
            if self.not_packed:
                if session is not None:
                    session.close()
                return
            self._session, unpacked = session, self._session
            self.steady_ms, self._steady = done.steady_ms, True
        if unpacked is not None:
            unpacked.close()

    def ask_again(self) -> None:
        """The first golden question once more, of a hot model; a wrong answer is a quarantine."""
        with self._lock:
            if self.level == Level.HOT:
                self._guarded(self._ask_again)

    def verify_again(self, deadline_s: float) -> None:
        """All golden questions once more, of a hot model, and its latency anew; a wrong answer is a quarantine."""
        with self._lock:
            if self.level == Level.HOT:
                self._guarded(lambda: self._verify_again(deadline_s))

    def unload(self) -> None:
        """Give the memory back; the files stay in the page cache as long as the kernel likes."""
        session, self._session = self._session, None
        self.holds_memory = False
        self.level = min(self.level, Level.CACHED)
        if session is not None:
            session.close()

    def quarantine(self, reason: str) -> None:
        """Never serve it again in this environment."""
        self.problem = reason
        self.unload()
        self.level = Level.COLD

    def run(self, inputs: Mapping[str, Tensor | Any]) -> dict[str, Tensor]:
        """Every output by name; the model must be hot."""
        if self.problem or self._session is None:
            raise Quarantined(self.problem or f"{self.name} is {self.level.name}, not HOT")
        return self._session.run(inputs)

    def _check(self) -> None:
        self._hashes.compare_all()
        self.level = max(self.level, Level.CACHED)

    def _load(self) -> None:
        begun_s = self._clock_s()
        self._hashes.compare_first()
        if self.manifest.read_ahead and self._hashes.has_late:
            from preheat.engines.read_ahead import begin_read_ahead  # few packs are that large

            begin_read_ahead(self.pack)
        if self._hashes.has_beside:
            opening = Opening(lambda: self._opener(self.pack))
            try:
                self._hashes.compare_beside()
            except (PackError, OSError):
                _give_up(opening)
                raise
            self._session = opening.session()
        else:
            self._session = self._opener(self.pack)
        self._steady = False
        self.load_ms = (self._clock_s() - begun_s) * 1e3
        self.level = Level.LOADED if self._session.device == "cpu" else Level.ON_DEVICE

    def _verify(self, warm_up_s: float, deadline_s: float) -> None:
        assert self._session is not None
        own_deadline_s = self._clock_s() + warm_up_s
        done = verify(
            self._session,
            read_golden(self.pack),
            self.manifest.golden,
            self._clock_s,
            min(own_deadline_s, deadline_s),
        )
        self.first_answer_ms = self.first_answer_ms or done.first_answer_ms
        if not done.late:
            self._late = 0
        elif own_deadline_s <= deadline_s:
            self._late += 1
        if self._late >= MOST_LATE:
            cases = self.manifest.golden.cases
            self.quarantine(
                f"warm-up took longer than {warm_up_s:g} s: {done.asked} of {cases} golden questions answered"
            )
        elif done.problem:
            self.quarantine(done.problem)
        elif not done.late:
            self.level, self.was_hot = Level.HOT, True

    def _settle(self, deadline_s: float) -> None:
        assert self._session is not None
        steady_ms = until_steady(self._session, read_golden(self.pack)[0], self._clock_s, deadline_s)
        self.steady_ms, self._steady = steady_ms or self.first_answer_ms, steady_ms > 0

    def _ask_again(self) -> None:
        assert self._session is not None
        question = read_golden(self.pack)[0]
        if problem := difference(question.answers, self._session.run(question.inputs), self.manifest.golden):
            self.quarantine(f"golden question 0, asked again: {problem}")

    def _verify_again(self, deadline_s: float) -> None:
        assert self._session is not None
        done = warm_up(self._session, read_golden(self.pack), self.manifest.golden, self._clock_s, deadline_s)
        if done.problem:
            self.quarantine(f"{done.problem}, asked again")
        elif not done.late:
            self.steady_ms = done.steady_ms

    def _guarded(self, step: Callable[[], None]) -> None:
        """Whatever a pack, an engine or the file system raises is this model's alone."""
        try:
            step()
        except Exception as error:
            self.quarantine(_said(error))


def _said(error: Exception) -> str:
    """Why a model failed: in the words of an error meant for it, else with the error's type."""
    if isinstance(error, PackError | EngineError):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _give_up(opening: Opening) -> None:
    """Wait for a session that is no longer wanted, and close it; why it could not be made is no matter now."""
    try:
        opening.session().close()
    except Exception:
        return
