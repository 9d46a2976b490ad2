"""The engine's account written again, slowly and plainly: a list of environments, a list of events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Environment:
    born: float
    busy_until: float
    number: int


@dataclass
class Account:
    cold: int = 0
    pinged_cold: int = 0
    run_s: float = 0.0
    ping_run_s: float = 0.0
    reached: int = 0


def play(
    requests: list[float],
    service_s: float,
    rounds: list[list[float]],
    releases: list[float],
    *,
    init_s: float,
    lifetime_s: float,
    routing: str,
    reply_s: float = 0.001,
    max_hold_s: float = 0.25,
) -> Account:
    """Fixed lifetimes, no provisioned concurrency; routing `recent` or `oldest`."""
    account = Account()
    pool: list[Environment] = []
    events = [(t, -1) for t in requests] + [(t, i) for i, pings in enumerate(rounds) for t in pings]
    seen: set[tuple[int, int]] = set()
    for t, round_ in sorted(events):
        idle = [e for e in pool if e.busy_until <= t < e.busy_until + lifetime_s]
        idle.sort(key=lambda e: e.busy_until)
        end = t + service_s if round_ < 0 else max(t + reply_s, min(releases[round_], t + max_hold_s))
        if idle:
            environment = idle[-1 if routing == "recent" else 0]
            environment.busy_until = end
        else:
            environment = Environment(t, end, len(pool))
            pool.append(environment)
            if round_ < 0:
                account.cold += 1
                environment.busy_until = end + init_s
            else:
                account.pinged_cold += 1
                environment.busy_until = max(
                    t + init_s + reply_s, min(releases[round_], t + init_s + max_hold_s)
                )
                end = environment.busy_until - init_s
        if round_ < 0:
            account.run_s += service_s
        else:
            account.ping_run_s += end - t
            seen.add((round_, environment.number))
    account.reached = len(seen)
    return account
