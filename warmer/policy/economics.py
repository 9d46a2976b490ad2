"""What warmth costs and saves, in US dollars; arrays are (targets,) unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from warmer.policy.history import History
from warmer.policy.plans import Batch, Floats
from warmer.policy.values import FunctionFacts, Prices, Terms

DEFAULT_JITTER_S = 0.01
MIN_RUN_S = 0.001
"""Lambda bills by the millisecond."""
LONGEST_HOLD_S = 0.25
"""The runtime holds no longer (preheat.ping.MAX_HOLD_S)."""
BREAK_EVEN_USE = 0.62
"""Provisioned concurrency is cheaper than on demand above 60 % of use; the rest is for what changes meanwhile."""
MOST_SERVERS = 64
MOST_VOLLEYS = 3
"""A round asks again twice for environments that it missed (`warmer.adapters.pings.Limits`)."""
PROVISIONED_STEP_S = 300.0
"""Provisioned concurrency is billed in steps of so long; https://aws.amazon.com/lambda/pricing/."""


@dataclass(frozen=True, slots=True)
class Economics:
    """Prices of one batch."""

    run_usd_s: Floats
    """An environment's second on demand."""
    request_usd: Floats
    init_usd: Floats
    cold_usd: Floats
    """One customer's cold start: the user's price of it and the billed INIT."""

    @staticmethod
    def of(batch: Batch[History], terms: Terms) -> Economics:
        def prices(function: FunctionFacts) -> Prices:
            return terms.prices or Prices.of(function.architecture)

        run = batch.column(lambda c: prices(c.facts).on_demand_gb_s * c.facts.memory_mb / 1024)
        known = batch.history["init_s"].astype(np.float64)
        init = run * np.where(known > 0, known, batch.column(lambda c: c.facts.init_s))
        price = batch.column(lambda c: c.objective.cold_start_cost_usd)
        return Economics(run, batch.column(lambda c: prices(c.facts).request), init, price + init)


def provisioned_usd_s(function: FunctionFacts, prices: Prices | None = None) -> float:
    """A second of one provisioned environment, whether used or not."""
    prices = prices or Prices.of(function.architecture)
    return prices.provisioned_gb_s * function.memory_mb / 1024


def jitter_s(history: History) -> Floats:
    known = history["jitter_s"].astype(np.float64)
    jitter: Floats = np.where(known > 0, known, DEFAULT_JITTER_S)
    return jitter


def best_hold_s(pings: Floats, jitter: Floats, rate_s: Floats, money: Economics) -> Floats:
    """How long after the last ping has left all are released: the least cost of pings that share an environment
    because one came after the release, of holding, and of customers turned away meanwhile.

    With exponential jitter of mean τ the k pings miss a release D after sending with k·exp(-D/τ); the derivative of
    k·exp(-D/τ)·INIT + D·(k·run + λ·cold) is zero at τ·ln(k·INIT / (τ·(k·run + λ·cold))).
    """
    worth = pings * money.init_usd / (jitter * (pings * money.run_usd_s + rate_s * money.cold_usd) + 1e-300)
    hold = jitter * np.log(np.maximum(worth, 1.0))
    held: Floats = np.where(pings > 1, np.minimum(hold, LONGEST_HOLD_S), 0.0)
    return held


def ping_usd(hold_s: Floats, pings: Floats, money: Economics, terms: Terms) -> Floats:
    """One ping of a round: the request, and its mean hold, which is half the time the sender takes and the hold."""
    return money.request_usd + money.run_usd_s * (MIN_RUN_S + hold_s + sending_s(pings, terms) / 2)


def sending_s(pings: Floats, terms: Terms) -> Floats:
    """From the first ping to the last, over as many senders as the round takes."""
    spent: Floats = pings * terms.send_s / np.ceil(np.maximum(pings, 1) / terms.sender_pings)
    return spent


def turned_away_usd(hold_s: Floats, pings: Floats, rate_s: Floats, money: Economics, terms: Terms) -> Floats:
    """Customers who come while a round holds every environment: 1 - e^(-λw) has one, and his INIT makes others wait."""
    held = hold_s + sending_s(pings, terms)
    lost: Floats = 2 * money.cold_usd * (1 - np.exp(-rate_s * held))
    return lost


def busy_servers(load: Floats) -> int:
    """How many of the servers that are tried in order were busy past break-even in the mean of minutes, `load` being
    theirs in erlangs, (minutes,).

    Server j carries A·(B(j-1, A) - B(j, A)), B being Erlang's loss formula; no server carries more than all the load.
    Where load is large against its square root, all but that much of it is busy, in so many of the minutes as pay.
    """
    if load.mean() > MOST_SERVERS:
        busy = np.quantile(load - np.sqrt(load), 1 - BREAK_EVEN_USE, method="lower")
        return int(max(np.floor(busy), 0))
    blocked = np.ones_like(load)
    for server in range(MOST_SERVERS):
        now = load * blocked / (server + 1 + load * blocked)
        if (load * (blocked - now)).mean() <= BREAK_EVEN_USE:
            return server
        blocked = now
    return MOST_SERVERS
