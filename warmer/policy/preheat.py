"""The policy: slot by slot the cheapest of nothing, a ping and provisioned concurrency.

look: which facts are worth their price; absorb: the fold; plan: how deep, how long held, when again, within limits.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from warmer.policy.absorb import absorb_into
from warmer.policy.depth import Depth, best_depth
from warmer.policy.economics import Economics, best_hold_s, jitter_s, ping_usd
from warmer.policy.forecast import trust
from warmer.policy.history import FORECASTERS, History
from warmer.policy.lifetime import best_minutes, death_probability
from warmer.policy.limits import Limits, next_edge_s
from warmer.policy.models import wanted as wanted_models
from warmer.policy.plans import Batch, Bools, Floats, Ints, Looks, Plans
from warmer.policy.renewal import aged
from warmer.policy.target_rate import priced_by_rate
from warmer.policy.values import Facts, Reason, Terms

FIRST_READ_S, READ_EVERY_S, READ_BUSY_S = 1200.0, 7200.0, 900.0
REBUILD_S = 86400.0
"""A day of minutes costs no more to read than one."""
TIMERS_MINUTES = 5
QUIET_MINUTE = 3
"""Timers fire at minutes 0, 5, 10 …: rounds go out between."""
EARLY_S, LATE_S = 3.0, 57.0
"""Timers fire at second 0: a round that would go out then waits."""
LOTS = 10_000
KNOWN_S = 1800.0


@dataclass(frozen=True, slots=True)
class Preheat:
    """This package's policy, a `Policy[History]`."""

    def look(self, batch: Batch[History], terms: Terms) -> Looks:
        history, now = batch.history, batch.now_s
        known = now - np.where(history["first_s"] > 0, history["first_s"], now)
        every = np.clip(known, FIRST_READ_S, READ_EVERY_S)
        busy = (history["provisioned"] > 0) | (history["busy"] > 0)
        every = np.where(busy, READ_BUSY_S, every)
        if not terms.announces:
            every = np.minimum(every, READ_BUSY_S)
        until = history["demand_s"]
        since = np.where(until > 0, until, now - REBUILD_S)
        return Looks(
            demand_since_s=np.where(now - until >= every, since, np.nan),
            announced_since_s=history["watermark_s"].astype(np.float64),
            capacity=(history["provisioned"] > 0) | history["settling"],
        )

    def absorb(self, batch: Batch[History], facts: Facts) -> History:
        return absorb_into(batch, facts)

    def plan(self, batch: Batch[History], terms: Terms) -> Plans:
        history = batch.history
        money = Economics.of(batch, terms)
        minutes, known, exploring = _interval(batch, money, terms)
        gone, _ = death_probability(history)
        # a trial is of the interval: were its deaths in the depth, a round that they do not pay would not go out, and
        # the lot, which is drawn by the last round, would stay the same for ever
        gone = gone[np.arange(len(history)), known]
        until_next_s = known.astype(np.float64) * 60.0
        lost, going = aged(history, until_next_s, batch.now_s)
        lasting = np.maximum(history["reached"] - lost - going, 0)
        money = priced_by_rate(batch, money, until_next_s, gone, lasting, terms)
        depth = best_depth(history, money, until_next_s, gone, lasting, batch.now_s, terms)
        limits = Limits.of(batch, money, terms, history["busy"].astype(np.int64))
        wanted = limits.bounded(depth.pings)
        late = batch.now_s - history["round_s"] >= (minutes - 1.5) * 60.0
        grown = wanted > history["reached"]
        # those that are going take pings too: what is wanted lasts beside them
        pings = np.where((late | grown) & (wanted > 0), limits.bounded(wanted + going), 0)
        provisioned, settling = limits.provisioned, history["settling"].astype(np.bool_)
        held = np.where(pings > 0, np.maximum(provisioned, history["provisioned"]), 0)
        unread = np.array([target in batch.unread for target in batch.targets], np.bool_)
        hold = best_hold_s(
            pings.astype(np.float64), jitter_s(history), history["rate_s"].astype(np.float64), money
        )
        change = (provisioned != history["provisioned"]) & ~settling & ~unread
        again = np.where(pings > 0, batch.now_s, np.maximum(history["round_s"], batch.now_s - minutes * 60.0))
        return Plans(
            pings=pings + held,
            hold_s=hold,
            provisioned=np.where(change, provisioned, -1),
            next_look_s=np.minimum(
                _next_look(again, batch.now_s, minutes),
                batch.column(lambda c: next_edge_s(c, batch.now_s)),
            ),
            reason=_reasons(
                batch,
                depth,
                limits,
                provisioned,
                unread,
                settling,
                exploring,
                (going > 0) & (pings > history["reached"]),
            ),
            cost_usd=depth.cost_usd,
            cold_starts=depth.cold_starts,
            cost_without_usd=depth.cost_without_usd,
            cold_starts_without=depth.cold_starts_without,
            basis=_bases(history),
            spent_usd=history["spent_usd"].copy(),  # the history goes on
            levels=wanted_models(history),
        )


def _unknown(history: History) -> Bools:
    """Whether so little has been seen of a target that the prior decides."""
    little: Bools = history["exposure_s"][:, 0, :].sum(axis=1) < KNOWN_S
    return little


def _bases(history: History) -> list[str]:
    """What most of each forecast rests on."""
    most = trust(history).argmax(axis=1).tolist()
    blank = _unknown(history).tolist()
    return ["prior" if none else FORECASTERS[one] for none, one in zip(blank, most, strict=True)]


def _interval(batch: Batch[History], money: Economics, terms: Terms) -> tuple[Ints, Ints, Bools]:
    """Minutes until the next round, those that are known to cost least, and which targets try longer ones."""
    history = batch.history
    reached = np.maximum(history["reached"].astype(np.float64), 1.0)
    hold = best_hold_s(reached, jitter_s(history), history["rate_s"].astype(np.float64), money)
    price = ping_usd(hold, reached, money, terms)
    best, trial, share = best_minutes(history, price, money.init_usd)
    exploring = lots(batch) < share
    return np.where(exploring, trial, best), best, exploring


def lots(batch: Batch[History]) -> Floats:
    """A number in [0, 1) a target and round, (targets,): its own whoever is looked at beside it, so that a run can be
    repeated."""
    rounds = (batch.history["round_s"] // 60).astype(np.int64).tolist()
    drawn = (
        zlib.crc32(f"{target.function}:{target.alias}#{minute}".encode()) % LOTS
        for target, minute in zip(batch.targets, rounds, strict=True)
    )
    return np.fromiter(drawn, np.float64, len(rounds)) / LOTS


def departure_wait_s(now_s: float) -> float:
    """How long a round that could go out now waits, so that no timer's requests come while it holds."""
    second = now_s % 60.0
    if second < EARLY_S:
        return EARLY_S - second
    return 60.0 + EARLY_S - second if second > LATE_S else 0.0


def _next_look(after_s: Floats, now_s: float, minutes: Ints) -> Floats:
    """Start of the minute in which the next round is due: never later than the interval, and not a timers' minute."""
    minute = np.floor(after_s / 60.0) + minutes
    off = minute % TIMERS_MINUTES
    short = np.where(
        minutes <= TIMERS_MINUTES, (off - QUIET_MINUTE) % TIMERS_MINUTES, np.where(off == 0, 1, 0)
    )
    start: Floats = np.maximum(minute - short, np.floor(now_s / 60.0) + 1) * 60.0
    return start


def _reasons(  # noqa: PLR0917
    batch: Batch[History],
    depth: Depth,
    limits: Limits,
    provisioned: Ints,
    unread: Bools,
    settling: Bools,
    exploring: Bools,
    renewed: Bools,
) -> Sequence[Reason]:
    wanted = np.maximum(depth.pings, limits.floor)
    tests = (
        (Reason.UNKNOWN, unread),
        (Reason.SETTLING, settling),
        # what bounds is named before what raises: a floor that the budget does not reach is not kept
        (Reason.BUDGET, (wanted > limits.affordable) & (limits.affordable < limits.ceiling)),
        (Reason.CEILING, wanted > limits.ceiling),
        (Reason.WINDOW, (depth.pings < limits.floor) & limits.in_window),
        (Reason.FLOOR, depth.pings < limits.floor),
        (Reason.TARGET_RATE, limits.by_rate & (depth.pings > 0)),
        (Reason.NO_HISTORY, _unknown(batch.history)),
        (Reason.PROVISIONED_PAYS, provisioned > 0),
        (Reason.LEARNING_LIFETIME, exploring & (depth.pings > 0)),
        (Reason.RENEWED, renewed),
        (Reason.PINGS_PAY, depth.pings > 0),
        (Reason.TRAFFIC_KEEPS_WARM, depth.kept_by_traffic > 0.5),
    )
    names = [*(reason for reason, _ in tests), Reason.COLD_IS_CHEAPER]
    codes = np.select([holds for _, holds in tests], range(len(tests)), len(tests))
    return [names[code] for code in codes.tolist()]
