# ruff: noqa: PLR0917  (compiled functions take arrays by position)
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False, disallow-untyped-decorators=False
"""Event-by-event account of one function's execution environments, compiled.

Functions do not touch each other, so each is advanced by itself. An environment serves one request at a time. Idle
ones stand in a deque in the order they fell idle: the top was used last. One that has outlived its idle lifetime or
greatest age is dead, and is dropped when it is met.
"""

from __future__ import annotations

import math

import numba
import numpy as np

# scalars of a function (f8)
HEAD, TOP, BUSY, SPARE, NEXT_ID, NEXT_REQUEST, NEXT_PING, MINUTE, PC_SIZE, PC_BUSY, TOKENS, TOKENS_AT, RNG = (
    range(13)
)
(
    REQUESTS,
    COLD,
    COLD_LATER,
    RUN_S,
    PC_RUN_S,
    INIT_S,
    PINGS,
    PING_RUN_S,
    PC_PING_RUN_S,
    PING_INIT_S,
    THROTTLED,
) = range(13, 24)
UPKEEP, ROUND, PC_SERVED, NOW, PC_ASKED, PC_READY = range(24, 30)
SCALARS = 30
# columns of an environment; PINGED is the number of the function's last round that met it
BORN, DIES, IDLE_FROM, SERVED, ID, PINGED = range(6)
ENVIRONMENT = 6
# columns of a minute
PEAK, COUNT, RUN, PC_USE, PC_SEEN = range(5)
MINUTE_COLUMNS = 5
# columns of what a ping found; F_FIRST: whether no earlier ping of the round met that environment
F_ID, F_COLD, F_PC, F_AGE, F_IDLE, F_SERVED, F_LATE, F_HELD, F_FIRST = range(9)
FOUND = 9
THROTTLED_ID = -1e9
# parameters
(
    P_INIT,
    P_LIFE_MIN,
    P_LIFE_MAX,
    P_AGE,
    P_ROUTING,
    P_REPLY,
    P_HOLD,
    P_BURST,
    P_REFILL,
    P_ORACLE,
    P_FIRST_HOUR,
    P_RELEASE,
    P_REQUEST_LIMIT,
) = range(13)
PARAMETERS = 13
DONE, GROW, MORE_REQUESTS = 0, 1, 2
RECENT, RANDOM, OLDEST = 0.0, 1.0, 2.0

_jit = numba.njit(cache=True, boundscheck=False, fastmath=False)


@_jit
def _uniform(s):
    """xorshift on a 53-bit integer kept in a float: enough for lifetimes, and each function has its own stream."""
    x = np.uint64(s[RNG])
    x = (x * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)) & np.uint64(0x1FFFFFFFFFFFFF)
    s[RNG] = float(x)
    return float(x >> np.uint64(8)) / float(np.uint64(1) << np.uint64(45))


@_jit
def _push(heap_t, heap_i, n, t, i):
    k = n
    while k > 0:
        parent = (k - 1) >> 1
        if heap_t[parent] <= t:
            break
        heap_t[k] = heap_t[parent]
        heap_i[k] = heap_i[parent]
        k = parent
    heap_t[k] = t
    heap_i[k] = i


@_jit
def _pop(heap_t, heap_i, n):
    """Removes the first of n; the caller has read it."""
    n -= 1
    t, i = heap_t[n], heap_i[n]
    k = 0
    while True:
        child = 2 * k + 1
        if child >= n:
            break
        if child + 1 < n and heap_t[child + 1] < heap_t[child]:
            child += 1
        if heap_t[child] >= t:
            break
        heap_t[k] = heap_t[child]
        heap_i[k] = heap_i[child]
        k = child
    heap_t[k] = t
    heap_i[k] = i


@_jit
def _free_until(s, e, idle, heap_t, heap_i, pc_t, pc_i, p, until):
    """Environments that finish by `until` fall idle, in the order they finish, and draw how long they will live."""
    while s[PC_BUSY] > 0 and pc_t[0] <= until:
        _pop(pc_t, pc_i, int(s[PC_BUSY]))
        s[PC_BUSY] -= 1
    while s[BUSY] > 0 and heap_t[0] <= until:
        t, i = heap_t[0], heap_i[0]
        _pop(heap_t, heap_i, int(s[BUSY]))
        s[BUSY] -= 1
        life = p[P_LIFE_MIN]
        if p[P_LIFE_MAX] > life:
            life *= math.exp(_uniform(s) * math.log(p[P_LIFE_MAX] / life))
        e[i, IDLE_FROM] = t
        e[i, DIES] = min(t + life, e[i, BORN] + p[P_AGE])
        if s[TOP] >= idle.shape[0]:  # the deque has run to the end of its array: move it to the front
            n = int(s[TOP] - s[HEAD])
            head = int(s[HEAD])
            for k in range(n):
                idle[k] = idle[head + k]
            s[HEAD], s[TOP] = 0, n
        idle[int(s[TOP])] = i
        s[TOP] += 1


@_jit
def _take(s, e, idle, spare, p, t):
    """An idle environment that lives at t, by the routing; -1 where there is none."""
    oracle = p[P_ORACLE] > 0
    while s[TOP] > s[HEAD]:
        at = int(s[TOP]) - 1
        if p[P_ROUTING] == OLDEST:
            at = int(s[HEAD])
        elif p[P_ROUTING] == RANDOM:
            at = int(s[HEAD]) + int(_uniform(s) * (s[TOP] - s[HEAD]))
        i = idle[at]
        if p[P_ROUTING] == OLDEST:
            s[HEAD] += 1
        else:
            s[TOP] -= 1
            idle[at] = idle[int(s[TOP])]
        if e[i, DIES] > t or oracle:
            return i
        spare[int(s[SPARE])] = i
        s[SPARE] += 1
    return -1


@_jit
def _bury(s, e, idle, spare, t):
    """Those at the bottom that have died make room."""
    while s[TOP] > s[HEAD] and e[idle[int(s[HEAD])], DIES] <= t:
        spare[int(s[SPARE])] = idle[int(s[HEAD])]
        s[SPARE] += 1
        s[HEAD] += 1


@_jit
def _born(s, e, spare, t):
    s[SPARE] -= 1
    i = spare[int(s[SPARE])]
    e[i, BORN] = t
    e[i, SERVED] = 0
    e[i, PINGED] = -1
    e[i, ID] = s[NEXT_ID]
    s[NEXT_ID] += 1
    return i


@_jit
def _may_start(s, p, t):
    """Whether scale-out allows one more new environment now."""
    s[TOKENS] = min(p[P_BURST], s[TOKENS] + (t - s[TOKENS_AT]) * p[P_BURST] / p[P_REFILL])
    s[TOKENS_AT] = t
    if s[TOKENS] < 1:
        return False
    s[TOKENS] -= 1
    return True


@_jit
def _serve(s, e, idle, heap_t, heap_i, spare, pc_t, pc_i, minutes, colds, p, t, service):
    """A customer's request."""
    s[REQUESTS] += 1
    m = int(s[MINUTE])
    minutes[m, COUNT] += 1
    minutes[m, RUN] += service
    if s[PC_SIZE] > 0:
        minutes[m, PC_USE] += min(s[PC_BUSY] + 1, s[PC_SIZE]) / s[PC_SIZE]
        minutes[m, PC_SEEN] += 1
    if s[PC_BUSY] < s[PC_SIZE]:
        _push(pc_t, pc_i, int(s[PC_BUSY]), t + service, 0)
        s[PC_BUSY] += 1
        s[PC_RUN_S] += service
        s[PC_SERVED] += 1
    else:
        i = _take(s, e, idle, spare, p, t)
        end = t + service
        if i < 0:
            if not _may_start(s, p, t):
                s[THROTTLED] += 1
                return
            i = _born(s, e, spare, t)
            s[INIT_S] += p[P_INIT]
            if p[P_ORACLE] == 0:
                end += p[P_INIT]
                colds[int(s[COLD])] = t
                s[COLD] += 1
                if t >= p[P_FIRST_HOUR]:
                    s[COLD_LATER] += 1
        elif p[P_ORACLE] > 0:
            s[UPKEEP] += math.floor((t - e[i, IDLE_FROM]) / p[P_LIFE_MIN])
        e[i, SERVED] += 1
        s[RUN_S] += service
        _push(heap_t, heap_i, int(s[BUSY]), end, i)
        s[BUSY] += 1
    minutes[m, PEAK] = max(minutes[m, PEAK], s[BUSY] + s[PC_BUSY])


@_jit
def _answer(s, e, idle, heap_t, heap_i, spare, pc_t, pc_i, minutes, p, t, all_found, ping):
    """A ping of a round; its row of `all_found` is filled with what its reply tells."""
    found = all_found[ping]
    s[PINGS] += 1
    m = int(s[MINUTE])
    minutes[m, COUNT] += 1
    end = max(t + p[P_REPLY], min(p[P_RELEASE], t + p[P_HOLD]))
    found[F_HELD] = end - t
    if s[PC_BUSY] < s[PC_SIZE]:
        found[F_PC] = 1
        _push(pc_t, pc_i, int(s[PC_BUSY]), end, 0)
        s[PC_BUSY] += 1
        s[PC_PING_RUN_S] += end - t
        found[F_ID] = -s[PC_BUSY]
        found[F_FIRST] = 1
        for earlier in range(ping):
            if all_found[earlier, F_ID] == found[F_ID]:
                found[F_FIRST] = 0
    else:
        i = _take(s, e, idle, spare, p, t)
        if i < 0:
            if not _may_start(s, p, t):
                s[THROTTLED] += 1
                found[F_ID] = THROTTLED_ID
                return
            i = _born(s, e, spare, t)
            e[i, IDLE_FROM] = t
            end = max(t + p[P_INIT] + p[P_REPLY], min(p[P_RELEASE], t + p[P_INIT] + p[P_HOLD]))
            s[PING_INIT_S] += p[P_INIT]
            s[PING_RUN_S] -= p[P_INIT]
            found[F_COLD] = 1
        found[F_ID] = e[i, ID]
        found[F_AGE] = t - e[i, BORN]
        found[F_IDLE] = t - e[i, IDLE_FROM]
        found[F_SERVED] = e[i, SERVED]
        found[F_FIRST] = e[i, PINGED] != s[ROUND]
        e[i, PINGED] = s[ROUND]
        e[i, SERVED] = 0
        s[PING_RUN_S] += end - t
        _push(heap_t, heap_i, int(s[BUSY]), end, i)
        s[BUSY] += 1
    minutes[m, RUN] += end - t
    minutes[m, PEAK] = max(minutes[m, PEAK], s[BUSY] + s[PC_BUSY])


@_jit
def advance(
    s, e, idle, heap_t, heap_i, spare, pc_t, pc_i, requests, service, pings, found, minutes, colds, p, until
):
    """Play requests and pings up to and with `until`; answers DONE, GROW (make room, call again) or MORE_REQUESTS."""
    n_requests, n_pings = requests.shape[0], pings.shape[0]
    one_service = service.shape[0] == 1
    while True:
        at = int(s[NEXT_REQUEST])
        if at >= n_requests and p[P_REQUEST_LIMIT] < until:
            return MORE_REQUESTS
        t = requests[at] if at < n_requests else np.inf
        ping = int(s[NEXT_PING])
        is_ping = ping < n_pings and pings[ping] < t
        if is_ping:
            t = pings[ping]
        t = min(t, until)
        while (s[MINUTE] + 1) * 60.0 <= t and s[MINUTE] + 1 < minutes.shape[0]:
            s[MINUTE] += 1
            _free_until(s, e, idle, heap_t, heap_i, pc_t, pc_i, p, s[MINUTE] * 60.0)
            if p[P_ORACLE] == 0:
                _bury(s, e, idle, spare, s[MINUTE] * 60.0)
            minutes[int(s[MINUTE]), PEAK] = s[BUSY] + s[PC_BUSY]
        _free_until(s, e, idle, heap_t, heap_i, pc_t, pc_i, p, t)
        if t >= until:
            s[NOW] = until
            return DONE
        if s[SPARE] < 1 or s[PC_BUSY] + 1 >= pc_t.shape[0] or s[COLD] + 1 >= colds.shape[0]:
            return GROW
        if is_ping:
            s[NEXT_PING] += 1
            _answer(s, e, idle, heap_t, heap_i, spare, pc_t, pc_i, minutes, p, t, found, ping)
        else:
            s[NEXT_REQUEST] += 1
            length = service[0] if one_service else service[at]
            _serve(s, e, idle, heap_t, heap_i, spare, pc_t, pc_i, minutes, colds, p, t, length)
