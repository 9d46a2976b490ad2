"""A rate of cold starts in place of a price: the lowest price at which the plan is expected to keep the rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from warmer.policy.depth import best_depth
from warmer.policy.economics import Economics
from warmer.policy.history import History
from warmer.policy.plans import Batch, Floats, Ints
from warmer.policy.values import Terms

PRICES_USD = 10.0 ** np.arange(-5.0, 0.6, 0.5)
"""From where nothing is worth a ping to where everything is: what lies between is found to a factor of 3."""


def priced_by_rate(  # noqa: PLR0917
    batch: Batch[History], money: Economics, until_next_s: Floats, gone: Floats, lasting: Ints, terms: Terms
) -> Economics:
    """`money` with the price of a cold start that keeps each target's rate, where it has one.

    The rate is of the requests expected until the next round; where no price keeps it, the highest one is taken.
    """
    asked = batch.column(
        lambda c: np.nan if c.objective.cold_start_rate is None else c.objective.cold_start_rate
    )
    rows = np.flatnonzero(~np.isnan(asked))
    if not len(rows):
        return money
    history = batch.history.take(rows)
    some = Economics(*(getattr(money, name)[rows] for name in money.__slots__))
    allowed = asked[rows] * np.maximum(history["rate_s"] * until_next_s[rows], 1.0)
    price = np.full(len(rows), PRICES_USD[-1])
    for usd in PRICES_USD[::-1]:
        depth = best_depth(
            history,
            replace(some, cold_usd=usd + some.init_usd),
            until_next_s[rows],
            gone[rows],
            lasting[rows],
            batch.now_s,
            terms,
        )
        price = np.where(depth.cold_starts <= allowed, usd, price)
    cold = money.cold_usd.copy()
    cold[rows] = price + some.init_usd
    return replace(money, cold_usd=cold)
