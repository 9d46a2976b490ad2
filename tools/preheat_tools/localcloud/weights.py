"""Traffic weights of an alias: which of its two versions takes an event."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from preheat_tools.localcloud.functions import Deployed


class Registry(Protocol):
    """Where aliases and versions are looked up."""

    def aliases(self, function: str) -> dict[str, Mapping[str, Any]]: ...

    def deployed(self, function: str, qualifier: str) -> Deployed | None: ...


@dataclass(frozen=True, slots=True)
class Weights:
    """Each event by itself, at random, as Lambda does
    (https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html)."""

    registry: Registry
    draw: Callable[[], float] = field(default_factory=lambda: random.Random(0).random)  # noqa: S311 - no secret

    def route(self, what: Deployed) -> Deployed:
        """The version that this event goes to, under the alias that was invoked."""
        if what.qualifier is None:
            return what
        alias = self.registry.aliases(what.name).get(what.qualifier) or {}
        others: Mapping[str, float] = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        drawn = self.draw() if others else 0.0
        for version, share in others.items():
            if drawn < share and (other := self.registry.deployed(what.name, version)):
                return replace(other, qualifier=what.qualifier, arn=what.arn)
            drawn -= share
        return what
