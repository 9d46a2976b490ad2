"""What is the least costly depends on the price of a cold start: from which price on what is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from preheat_tools.adviser.strategies import Strategy

TRIED_USD = (0.00001, 0.0001, 0.01)
"""Prices of a cold start that the policy is tried at, beside the user's own: what it buys depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What Preheat makes of a price of a cold start."""

    cold_start_cost_usd: float
    cost_usd: float
    cold_starts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """From this price of a cold start on, up to the next, this strategy is the least costly."""

    from_usd: float
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """A strategy's month by the price of a cold start: a bill, and so many times the price."""

    cost_usd: float
    cold_starts: float
    name: str

    def total_usd(self, cold_start_cost_usd: float) -> float:
        return self.cost_usd + self.cold_starts * cold_start_cost_usd


def lines(strategies: Sequence[Strategy], offers: Sequence[Offer], init_ms: float) -> list[Line]:
    """Of every strategy that the function can have, and of each plan that Preheat makes at a price that was tried:
    any of them can be had at any price, by setting `ColdStartCost` to that at which it was made."""
    able = [
        Line(one.cost_usd, one.priced_cold_starts(init_ms), one.name)
        for one in strategies
        if not one.barred and one.name != "preheat"
    ]
    return able + [Line(offer.cost_usd, offer.cold_starts, "preheat") for offer in offers]


def ranges(candidates: Sequence[Line]) -> list[Range]:
    """The lower envelope of the lines, from a price of nothing on."""
    best = min(candidates, key=lambda line: (line.cost_usd, line.cold_starts))
    found = [Range(from_usd=0.0, name=best.name)]
    while flatter := [line for line in candidates if line.cold_starts < best.cold_starts]:
        crossings = [
            ((line.cost_usd - best.cost_usd) / (best.cold_starts - line.cold_starts), line.cold_starts, line)
            for line in flatter
        ]
        price, _, best = min(crossings, key=lambda crossing: crossing[:2])
        if best.name != found[-1].name:
            found.append(Range(from_usd=price, name=best.name))
    return found


def break_even_usd(none: Strategy, offers: Sequence[Offer]) -> float | None:
    """The lowest price of a cold start at which one of Preheat's plans comes to no more than doing nothing.

    A plan that costs so much more and spares so many is worth it from their ratio on. None where no plan spares any.
    """
    prices = [
        max(offer.cost_usd - none.cost_usd, 0.0) / (none.cold_starts - offer.cold_starts)
        for offer in offers
        if offer.cold_starts < none.cold_starts
    ]
    return min(prices, default=None)
