# ruff: noqa: PLR0917  (compiled functions take arrays by position)
# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False, disallow-untyped-decorators=False
# mypy: disable-error-code="attr-defined, call-arg"
"""All functions of a trace at once, compiled: one call plays them all up to an instant, or a cycle's rounds of pings.

Each function's arrays stay its own and grow by themselves; the compiled code finds them by their addresses, a row a
function. Whoever replaces an array writes its new address (`Function._note_arrays`) and keeps the array alive.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from preheat_tools.simulator import engine as eng

# columns of a function's row of addresses and lengths (i8)
(
    A_ENVIRONMENTS,
    A_IDLE,
    A_HEAP_T,
    A_HEAP_I,
    A_SPARE,
    A_PC_T,
    A_PC_I,
    A_REQUESTS,
    A_SERVICE,
    A_MINUTES,
    A_COLDS,
    N_ENVIRONMENTS,
    N_PC,
    N_REQUESTS,
    N_SERVICE,
    N_MINUTES,
    N_COLDS,
) = range(17)
ADDRESSES = 17
# columns of what a round found, of environments on demand but for the first four
(R_DISTINCT, R_THROTTLED, R_SPREAD, R_HELD, R_OWN, R_USED, R_SERVED, R_MADE) = range(8)
ROUND_COLUMNS = 8

_jit = numba.njit(cache=True, boundscheck=False, fastmath=False)


@intrinsic
def _floats(typing_context, address):
    """The address as a pointer to float64."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float64)(address), generate


@intrinsic
def _integers(typing_context, address):
    """The address as a pointer to int64."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.int64)(address), generate


@_jit
def _play_with(scalars, parameters, rows, number, pings, found, until):
    """One function up to `until`, with a round of pings: DONE, or what is lacking before it can go on."""
    s, p, row = scalars[number], parameters[number], rows[number]
    n = row[N_ENVIRONMENTS]
    e = numba.carray(_floats(row[A_ENVIRONMENTS]), (n, eng.ENVIRONMENT))
    idle = numba.carray(_integers(row[A_IDLE]), (2 * n,))
    heap_t = numba.carray(_floats(row[A_HEAP_T]), (n,))
    heap_i = numba.carray(_integers(row[A_HEAP_I]), (n,))
    spare = numba.carray(_integers(row[A_SPARE]), (n,))
    pc_t = numba.carray(_floats(row[A_PC_T]), (row[N_PC],))
    pc_i = numba.carray(_integers(row[A_PC_I]), (row[N_PC],))
    requests = numba.carray(_floats(row[A_REQUESTS]), (row[N_REQUESTS],))
    service = numba.carray(_floats(row[A_SERVICE]), (row[N_SERVICE],))
    minutes = numba.carray(_floats(row[A_MINUTES]), (row[N_MINUTES], eng.MINUTE_COLUMNS))
    colds = numba.carray(_floats(row[A_COLDS]), (row[N_COLDS],))
    while True:
        ready = s[eng.PC_READY]
        status = eng.advance(
            s, e, idle, heap_t, heap_i, spare, pc_t, pc_i, requests, service, pings, found, minutes, colds, p,
            min(ready, until),
        )  # fmt: skip
        if status != eng.DONE or ready > until:
            return status
        s[eng.PC_READY] = np.inf
        s[eng.PC_SIZE] = s[eng.PC_ASKED]


@_jit
def _is_still(s, p, row, until):
    """Whether nothing happens to a function up to `until` but that idle environments die and minutes pass empty."""
    if s[eng.BUSY] > 0 or s[eng.PC_BUSY] > 0 or s[eng.PC_READY] <= until:
        return False
    if s[eng.NEXT_REQUEST] >= row[N_REQUESTS]:
        return p[eng.P_REQUEST_LIMIT] >= until
    requests = numba.carray(_floats(row[A_REQUESTS]), (row[N_REQUESTS],))
    return requests[int(s[eng.NEXT_REQUEST])] >= until


@_jit
def play_all(scalars, parameters, rows, numbers, first, until, skip_still):
    """Functions `numbers[first:]` up to `until`; answers how many are done and why the next one is not.

    One that is still may be skipped: it makes up for it when it is played next, and nobody sees the difference.
    """
    none, nothing = np.zeros(0), np.zeros((0, eng.FOUND))
    for at in range(first, numbers.shape[0]):
        number = numbers[at]
        if skip_still and _is_still(scalars[number], parameters[number], rows[number], until):
            continue
        status = _play_with(scalars, parameters, rows, numbers[at], none, nothing, until)
        if status != eng.DONE:
            return at, status
    return numbers.shape[0], eng.DONE


@_jit
def departures(counts, send_s, begins_s, jitter, arrivals, found):
    """When pings arrive, in that order, and how late each is: those of round k leave `send_s[k]` apart."""
    first = 0
    for k in range(counts.shape[0]):
        last = first + counts[k]
        sent = begins_s[k] + send_s[k] * np.arange(1, counts[k] + 1) + jitter[first:last]
        order = np.argsort(sent)
        for i in range(counts[k]):
            arrivals[first + i] = sent[order[i]]
            found[first + i, eng.F_LATE] = jitter[first + order[i]]
        first = last


@_jit
def play_rounds(
    scalars, parameters, rows, numbers, edges, releases_s, arrivals, found, summaries, first
):  # fmt: skip
    """Rounds `first` and on, round k being pings `edges[k]` to `edges[k + 1]` of function `numbers[k]`; answers how
    many are done and why the next one is not. `found` and `summaries` are filled."""
    for k in range(first, numbers.shape[0]):
        s = scalars[numbers[k]]
        pings, mine = arrivals[edges[k] : edges[k + 1]], found[edges[k] : edges[k + 1]]
        parameters[numbers[k], eng.P_RELEASE] = releases_s[k]
        status = _play_with(
            scalars, parameters, rows, numbers[k], pings, mine, pings[pings.shape[0] - 1] + 1e-6
        )  # fmt: skip
        if status != eng.DONE:
            return k, status
        s[eng.NEXT_PING] = 0
        s[eng.ROUND] += 1
        _sum_up(mine, summaries[k])
    return numbers.shape[0], eng.DONE


@_jit
def _sum_up(found, of):
    """What the replies of one round come to. Each environment counts once, as the first ping that met it found it."""
    n = found.shape[0]
    late = held = 0.0
    for i in range(n):
        late += found[i, eng.F_LATE]
        held += found[i, eng.F_HELD]
        if found[i, eng.F_ID] == eng.THROTTLED_ID:
            of[R_THROTTLED] += 1
        elif found[i, eng.F_FIRST] > 0:
            of[R_DISTINCT] += 1
            if found[i, eng.F_PC] == 0:
                of[R_OWN] += 1
                of[R_USED] += found[i, eng.F_SERVED] > 0
                of[R_SERVED] += found[i, eng.F_SERVED]
                of[R_MADE] += found[i, eng.F_COLD]
    spread = 0.0
    for i in range(n):
        spread += abs(found[i, eng.F_LATE] - late / n)
    of[R_SPREAD] = spread / n if n > 1 else 0.0
    of[R_HELD] = held / n


@_jit
def copy_minutes(rows, numbers, firsts, counts, into):
    """Of functions `numbers` the minutes `firsts` and on, `counts` of them, one after another."""
    at = 0
    for k in range(numbers.shape[0]):
        row = rows[numbers[k]]
        minutes = numba.carray(_floats(row[A_MINUTES]), (row[N_MINUTES], eng.MINUTE_COLUMNS))
        into[at : at + counts[k]] = minutes[firsts[k] : firsts[k] + counts[k]]
        at += counts[k]


@_jit
def announced(scalars, rows, told, late_s, now):
    """Of which functions a cold start came to be known, `late_s` after it began, that `told` does not count yet."""
    numbers = np.zeros(told.shape[0], np.int64)
    n = 0
    for number in range(told.shape[0]):
        colds = numba.carray(_floats(rows[number, A_COLDS]), (rows[number, N_COLDS],))
        seen = told[number]
        while seen < scalars[number, eng.COLD] and colds[seen] + late_s <= now:
            seen += 1
        if seen > told[number]:
            told[number] = seen
            numbers[n] = number
            n += 1
    return numbers[:n]


@_jit
def told_between(scalars, rows, numbers, since_s, until_s):
    """Of functions `numbers`, which cold starts began after `since_s` and by `until_s`: from and to, (numbers, 2)."""
    spans = np.zeros((numbers.shape[0], 2), np.int64)
    for k in range(numbers.shape[0]):
        number = numbers[k]
        colds = numba.carray(_floats(rows[number, A_COLDS]), (rows[number, N_COLDS],))
        known = colds[: int(scalars[number, eng.COLD])]
        spans[k, 0] = np.searchsorted(known, since_s[k], side="right")
        spans[k, 1] = np.searchsorted(known, until_s, side="right")
    return spans
