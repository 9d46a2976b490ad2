"""Rounds of pings: every ping of a round is let go at one instant, so that each finds an environment of its own."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from preheat.ping import MAX_HOLD_S, Level, Ping, PingError, Reply

from warmer.adapters.invocation import LambdaEndpoint
from warmer.adapters.volley import Answer, Origin, Timeouts, Volley, fire
from warmer.policy.values import Failed, ModelSeen, Round, RoundReport, Sighting, Target

OK, TOO_MANY_REQUESTS, SERVER_ERROR = 200, 429, 500
LEFT = b"Runtime.ExitError"
"""What Lambda answers where the process of an environment ended inside the invocation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one sender may do at once."""

    connections: int = 900
    """Open at one instant: Lambda gives a function 1,024 file descriptors
    (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""
    repeats: int = 2
    """How often a round asks again for the environments it missed."""
    timeouts: Timeouts = field(default_factory=Timeouts)


class SendingRate:
    """Seconds from one ping of a volley to the next on this machine, learnt from every volley sent."""

    def __init__(self, first_guess_s: float = 0.0002) -> None:
        self.per_ping_s = first_guess_s

    def learn(self, volley: Volley) -> None:
        """Follow a slower volley at once and a faster one slowly: a release too early costs an environment."""
        sent = sum(answer.sent_s > 0 for answer in volley.answers)
        if sent > 1:
            seen = volley.sending_s / (sent - 1)
            self.per_ping_s = max(seen, 0.8 * self.per_ping_s + 0.2 * seen)


class LambdaPinger:
    """Pinger over Lambda's Invoke. Figures: docs/warmer.md."""

    def __init__(
        self, endpoint: LambdaEndpoint, limits: Limits = Limits(), clock: Callable[[], float] = time.time
    ) -> None:
        self._endpoint = endpoint
        self._limits = limits
        self._clock = clock
        self._origin: Origin | None = None
        self.rate = SendingRate()
        self._departures: Counter[Target] = Counter()
        """Environments that left inside our pings, for want of a required model, since a target last was sound."""

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        """All rounds side by side; returns when every ping was answered or given up."""
        return asyncio.run(self._send_all(rounds))

    def ask(self, wanted: Round, until_s: float) -> Asked:
        """One round, and all that its environments said: for who must know more of them than how many there are.

        Given up at `until_s`, with what was said before the pings that are under way then.
        """
        tally, over = Tally(), tuple[str, ...]()
        try:
            asyncio.run(self._within(until_s, wanted, tally))
        except TimeoutError:
            over = ("the time to ask in was over",)
        return Asked(tuple(tally.replies.values()), (*tally.problems(), *over), tally.unreached())

    async def _within(self, until_s: float, wanted: Round, tally: Tally) -> None:
        async with asyncio.timeout(until_s - self._clock()):
            await self._fill(wanted, Slots(self._limits.connections), tally)

    async def _send_all(self, rounds: Sequence[Round]) -> dict[Target, RoundReport | Failed]:
        free = Slots(self._limits.connections)
        reports = await asyncio.gather(*(self._send(one, free) for one in rounds), return_exceptions=True)
        return {one.target: _kept(report) for one, report in zip(rounds, reports, strict=True)}

    async def _send(self, wanted: Round, free: Slots) -> RoundReport | Failed:
        tally = Tally()
        await self._fill(wanted, free, tally)
        return tally.report()

    async def _fill(self, wanted: Round, free: Slots, tally: Tally) -> None:
        reachable = min(wanted.environments, self._limits.connections)
        missing, hold_s = reachable, wanted.hold_s
        for _ in range(1 + self._limits.repeats):
            known = len(tally.sightings)
            async with free.taken(missing):
                await self._volley(replace(wanted, environments=missing, hold_s=hold_s), tally)
            missing = reachable - len(tally.sightings)
            if missing <= 0 or tally.throttled or len(tally.sightings) == known:
                break  # all found; or Lambda refuses more; or asking again finds the same ones
            hold_s = min(2 * hold_s, MAX_HOLD_S)

    async def _volley(self, wanted: Round, tally: Tally) -> None:
        release_s = 0.0

        def content(standing: int) -> bytes:
            nonlocal release_s
            release_s = self._clock() + standing * self.rate.per_ping_s + wanted.hold_s
            ping = Ping(
                release_at_ms=math.ceil(release_s * 1000),
                models={name: Level[level] for name, level in wanted.levels.items()},
                departures=self._departures[wanted.target],
                every=wanted.every,
            )
            return self._endpoint.signed(wanted.target, json.dumps(ping.to_event()).encode())

        origin = self._reach()
        volley = await fire(origin, wanted.environments, content, self._limits.timeouts, self._clock)
        self.rate.learn(volley)
        for answer in volley.answers:
            tally.count(answer, release_s)
        left = sum(LEFT in answer.body for answer in volley.answers)
        if left:
            self._departures[wanted.target] += left
        elif tally.sightings and not any(sighting.unsound for sighting in tally.sightings.values()):
            del self._departures[wanted.target]

    def _reach(self) -> Origin:
        if self._origin is None:
            self._origin = self._endpoint.origin()
        return self._origin


@dataclass(frozen=True, slots=True)
class Asked:
    """What one round's environments said, one reply each, and what kept others from saying anything."""

    replies: tuple[Reply, ...]
    problems: tuple[str, ...]
    unreached: tuple[str, ...] = ()
    """Why pings came to no environment, which says nothing of it: no connection, refused, an error of Lambda's own."""


class Tally:
    """What the pings of one round found, however many volleys it took."""

    def __init__(self) -> None:
        self.sightings: dict[str, Sighting] = {}
        self.replies: dict[str, Reply] = {}
        self.throttled = 0
        self._sent = 0
        self._departed_s = 0.0
        self._held_s: list[float] = []
        self._travel_s: list[float] = []
        self._problems: Counter[str] = Counter()
        self._unreached: Counter[str] = Counter()

    def count(self, answer: Answer, release_s: float) -> None:
        """Take in one answer; the first sighting of an environment stands, the next ones saw our own ping."""
        if answer.sent_s > 0:
            self._departed_s = min(self._departed_s, answer.sent_s) if self._sent else answer.sent_s
            self._sent += 1
        if answer.status == TOO_MANY_REQUESTS:
            self.throttled += 1
            return
        reply = _reply(answer)
        if isinstance(reply, str):
            reached = answer.sent_s > 0 and answer.status < SERVER_ERROR
            (self._problems if reached else self._unreached)[reply] += 1
            return
        self.sightings.setdefault(reply.environment, _sighting(reply))
        self.replies[reply.environment] = reply
        held_s = reply.held_ms / 1000
        self._held_s.append(held_s)
        if 0 < held_s < MAX_HOLD_S:
            self._travel_s.append(release_s - held_s - answer.sent_s)

    def problems(self) -> tuple[str, ...]:
        """What environments did instead of answering, the commonest first."""
        return tuple(problem for problem, _ in self._problems.most_common())

    def unreached(self) -> tuple[str, ...]:
        """What kept pings from any environment, the commonest first."""
        refused = (f"{self.throttled} pings were refused (429)",) if self.throttled else ()
        return (*(problem for problem, _ in self._unreached.most_common()), *refused)

    def report(self) -> RoundReport | Failed:
        """The round's report; Failed where no environment was reached though none was refused."""
        failed = self._problems + self._unreached
        if failed and not self.sightings and not self.throttled:
            problem, count = failed.most_common(1)[0]
            return Failed(f"no ping of {self._sent or count} was answered; {count} times: {problem}")
        return RoundReport(
            sightings=tuple(self.sightings.values()),
            sent=self._sent,
            throttled=self.throttled,
            failed=failed.total(),
            spread_s=_mean_deviation(self._travel_s),
            departed_s=self._departed_s,
            held_s=sum(self._held_s) / len(self._held_s) if self._held_s else 0.0,
        )


class Slots:
    """So many connections at once, handed out in the order asked for."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._turn = asyncio.Condition()

    @asynccontextmanager
    async def taken(self, count: int) -> AsyncIterator[None]:
        """Wait for `count` slots, which must not exceed all there are, and give them back at the end."""
        async with self._turn:
            await self._turn.wait_for(lambda: self._free >= count)
            self._free -= count
        try:
            yield
        finally:
            async with self._turn:
                self._free += count
                self._turn.notify_all()


def _kept(report: RoundReport | Failed | BaseException) -> RoundReport | Failed:
    """What one round raised (no credentials, a level that is none) stays with its target."""
    if isinstance(report, Exception):
        return Failed(f"{type(report).__name__}: {report}")
    if isinstance(report, BaseException):
        raise report
    return report


def _reply(answer: Answer) -> Reply | str:
    """The reply, or in one line why there is none."""
    text = answer.body[:200].decode(errors="replace")
    if answer.problem:
        return answer.problem
    if answer.status != OK or answer.function_error:
        return f"HTTP {answer.status} {answer.function_error} {text}"
    try:
        return Reply.from_payload(json.loads(answer.body))
    except (PingError, ValueError) as error:
        return str(error)


def _sighting(reply: Reply) -> Sighting:
    return Sighting(
        environment=reply.environment,
        cold=reply.cold,
        provisioned=reply.initialization == "provisioned-concurrency",
        age_s=reply.age_s,
        idle_s=reply.idle_s,
        requests=reply.requests,
        init_s=reply.init_ms / 1000,
        unsound=tuple(name for name, report in reply.models.items() if report.problem),
        models={
            name: ModelSeen(
                requests=report.requests,
                load_s=report.needs_ms / 1000,
                memory_mb=report.needs_mb,
                sound=not report.problem,
                level=report.level.name,
            )
            for name, report in reply.models.items()
        },
        models_mb=reply.models_mb,
    )


def _mean_deviation(values: Sequence[float]) -> float:
    if not values:
        return 0.0
    mean = sum(values) / len(values)
    return sum(abs(value - mean) for value in values) / len(values)
