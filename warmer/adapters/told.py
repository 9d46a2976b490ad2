"""Cold starts that customers waited for, on their way from the burst handler, which hears of them, to the next cycle.

They stand in a target's `burst#` item as the set `told` of `instant#environment`: one that is delivered twice is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from warmer.adapters.cooldown import KEPT_S, PREFIX
from warmer.policy.values import Failed, Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

THREADS = 16


@dataclass(frozen=True, slots=True)
class ToldColdStarts:
    """The burst handler's side: adds to what is told."""

    client: DynamoDBClient
    table: str

    def tell(self, target: Target, instants_s: Mapping[str, float], now_s: float) -> Failed | None:
        """Cold starts of one target, by environment; Failed where the table did not take them."""
        told = [f"{instant:.3f}#{environment}" for environment, instant in instants_s.items()]
        try:
            self.client.update_item(
                TableName=self.table,
                Key=_key(target),
                UpdateExpression="SET expires_at = :expires ADD told :told",
                ExpressionAttributeValues={
                    ":told": {"SS": told},
                    ":expires": {"N": str(int(now_s) + KEPT_S)},
                },
            )
        except (ClientError, BotoCoreError) as error:
            return Failed(f"cold starts of {target}: {error}")
        return None


@dataclass(slots=True)
class DynamoColdStarts:
    """ColdStartLog on the warmer's table, the cycle's side; one instance a run. Each cold start is read once.

    Every announcing target is looked at before the leases are taken, a read of half a unit each: those of which
    something was told are due whatever their next look says (`DynamoHistories.awake`).
    """

    client: DynamoDBClient
    table: str
    announcing: frozenset[Target]
    """Targets whose environments' logs are subscribed to."""
    keeps: bool = False
    """Whether what is read stays, as in a dry run."""
    _known: dict[Target, tuple[float, ...] | Failed] = field(default_factory=dict)
    _taken: set[Target] = field(default_factory=set)

    def awake(self, targets: Sequence[Target]) -> frozenset[Target]:
        """Those of which cold starts were told since their last look; nothing is taken yet."""
        self._known |= _each([target for target in targets if target in self.announcing], self._look)
        return frozenset(target for target in targets if _told(self._known.get(target)))

    def read(
        self, since_s: Mapping[Target, float], now_s: float
    ) -> Mapping[Target, tuple[float, ...] | Failed]:
        """What was told, whatever its instant: what is delivered after a look is the next one's."""
        if not self.keeps:
            told = [t for t in since_s if _told(self._known.get(t)) and t not in self._taken]
            self._known |= _each(told, self._take)
            self._taken |= set(told)
        return {target: known for target in since_s if (known := self._known.get(target))}

    def _look(self, target: Target) -> tuple[float, ...] | Failed:
        try:
            answer = self.client.get_item(TableName=self.table, Key=_key(target), ProjectionExpression="told")
        except (ClientError, BotoCoreError) as error:
            return Failed(f"cold starts of {target}: {error}")
        return _instants(answer.get("Item", {}))

    def _take(self, target: Target) -> tuple[float, ...] | Failed:
        try:
            answer = self.client.update_item(
                TableName=self.table,
                Key=_key(target),
                UpdateExpression="REMOVE told",
                ReturnValues="UPDATED_OLD",
            )
        except (ClientError, BotoCoreError) as error:
            return Failed(f"cold starts of {target}: {error}")
        return _instants(answer.get("Attributes", {}))


Answer = tuple[float, ...] | Failed


def _each(targets: Sequence[Target], ask: Callable[[Target], Answer]) -> Mapping[Target, Answer]:
    with ThreadPoolExecutor(THREADS) as threads:
        return dict(zip(targets, threads.map(ask, targets), strict=True))


def _told(known: Answer | None) -> bool:
    return bool(known) and not isinstance(known, Failed)


def _key(target: Target) -> dict[str, Any]:
    return {"target": {"S": f"{PREFIX}{target}"}}


def _instants(item: Mapping[str, Any]) -> tuple[float, ...]:
    """Oldest first."""
    return tuple(sorted(float(one.partition("#")[0]) for one in item.get("told", {}).get("SS", ())))
