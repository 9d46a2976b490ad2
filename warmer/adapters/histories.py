"""What is remembered of targets, one small item each in DynamoDB, with a lease so that runs may overlap.

An item: `target` (key), `history` (the policy's row), `done_s` (the last cycle's instant), `next_look_s`, `fingerprint`
(of the settings it was planned under), `strikes` and `paused_until_s` (the kill switch), `expires_at` (time to live),
and while a run holds it `lease_by`, `lease_until`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from warmer.kill_switch import Strikes
from warmer.policy.history import History
from warmer.policy.values import Failed, Target
from warmer.ports import Leases, Loaded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

KEPT_S = 30 * 86_400.0
"""A target nobody has looked at for so long is forgotten."""
THREADS = 16
ROUTES = " to "
"""In a fingerprint: before it the settings, after it the versions behind the alias."""
Item = Mapping[str, Any]

TAKE = "SET lease_by = :me, lease_until = :until"
IF_FREE = (
    "(attribute_not_exists(done_s) OR done_s < :now)"
    " AND (attribute_not_exists(lease_until) OR lease_until < :wall)"
)
IF_DUE_AND_FREE = (
    f"{IF_FREE} AND (attribute_not_exists(next_look_s) OR next_look_s <= :now"
    " OR (attribute_exists(fingerprint) AND fingerprint <> :settings))"
)
KEEP = (
    "SET history = :history, done_s = :now, next_look_s = :look, fingerprint = :settings, strikes = :strikes,"
    " paused_until_s = :paused, expires_at = :expires REMOVE lease_by, lease_until"
)
LET_GO = "REMOVE lease_by, lease_until"
IF_MINE = "lease_by = :me"


@dataclass(frozen=True, slots=True)
class Due:
    """When a target is looked at next, unless its settings are no longer those."""

    at_s: float
    fingerprint: str


@dataclass(slots=True)
class DynamoHistories:
    """HistoryStore[History] on one table; one instance a run, named `run`, whose leases end at `until_s`.

    A lease guards machines against each other, so it counts the machine's clock, not the cycle's instants: it ends when
    Lambda would have ended the run that holds it.
    """

    client: DynamoDBClient
    table: str
    run: str
    until_s: float
    clock: Callable[[], float] = time.time
    due: dict[Target, Due] = field(default_factory=dict)
    """When targets are due as far as this process knows; shared between runs, it saves a refused write a cycle."""
    awake: frozenset[Target] = frozenset()
    """Targets that are due now, whatever their next look says: something was told of them."""
    settings: Mapping[Target, str] = field(default_factory=dict)
    """Fingerprints of the targets' settings, and of the versions behind an alias (`ROUTES`): a target of which either
    changed is due now."""
    _items: dict[Target, Item] = field(default_factory=dict)
    _strikes: dict[Target, Strikes] = field(default_factory=dict)
    _held: set[Target] = field(default_factory=set)

    def lease(self, targets: Sequence[Target], now_s: float) -> Leases:
        """Take the due targets that are free, a conditional write each, which brings the item along."""
        asked = [target for target in targets if self._may_be_due(target, now_s)]
        refused: dict[Target, Failed] = {}
        for target, answer in _each(asked, lambda target: self._take(target, now_s)):
            if isinstance(answer, Failed):
                refused[target] = answer
            elif answer:
                self._held.add(target)
        return Leases(tuple(target for target in asked if target in self._held), refused)

    def load(self, targets: Sequence[Target]) -> Loaded[History]:
        """Rows as the leases brought them; of a target without a lease (a dry run's) the item is read."""
        failed: dict[Target, Failed] = {}
        for target, answer in _each([t for t in targets if t not in self._items], self._get):
            if isinstance(answer, Failed):
                failed[target] = answer
        found = tuple(target for target in targets if target not in failed)
        history = History.stack([_row(self._items[t], self.clock()) for t in found])
        for row, target in enumerate(found):
            # what was reached is of another version: nothing is known to be warm
            if self._routed_anew(target):
                history.columns["reached"][row] = 0
        return Loaded(found, history, failed)

    def save(
        self, targets: Sequence[Target], history: History, next_look_s: Sequence[float], now_s: float
    ) -> Mapping[Target, Failed]:
        """Keep the rows and let go of the leases, unless another run has taken them over meanwhile."""
        rows = dict(zip(targets, zip(history.rows(), next_look_s, strict=True), strict=True))
        unsaved: dict[Target, Failed] = {}
        for target, failed in _each(targets, lambda target: self._keep(target, *rows[target], now_s)):
            if failed:
                unsaved[target] = failed
            else:
                self._held.discard(target)
                self.due[target] = Due(rows[target][1], self._fingerprint(target))
        return unsaved

    def release(self) -> None:
        """Let go of what was leased and not saved, so that the next cycle need not wait for the lease to end."""
        for _, _ in _each(tuple(self._held), self._let_go):
            pass
        self._held.clear()

    def strikes(self, target: Target) -> Strikes:
        """The kill switch's state as it stands."""
        if target in self._strikes:
            return self._strikes[target]
        item = self._items.get(target, {})
        return Strikes(failures=int(_number(item, "strikes")), paused_until_s=_number(item, "paused_until_s"))

    def strike(self, target: Target, strikes: Strikes) -> None:
        """Kept with the next `save`."""
        self._strikes[target] = strikes

    def _may_be_due(self, target: Target, now_s: float) -> bool:
        known = self.due.get(target)
        told = target in self.awake
        return told or known is None or known.at_s <= now_s or known.fingerprint != self._fingerprint(target)

    def _fingerprint(self, target: Target) -> str:
        return self.settings.get(target, "")

    def _routed_anew(self, target: Target) -> bool:
        """Whether the alias sends requests to other versions, or in other shares, than when it was planned last."""
        before = self._items[target].get("fingerprint", {}).get("S", "")
        was, now = (text.partition(ROUTES)[2] for text in (before, self._fingerprint(target)))
        return bool(was and now and was != now)

    def _take(self, target: Target, now_s: float) -> bool | Failed:
        values = {
            ":me": {"S": self.run},
            ":until": _n(self.until_s),
            ":now": _n(now_s),
            ":wall": _n(self.clock()),
        }
        told = target in self.awake
        if not told:
            values |= {":settings": {"S": self._fingerprint(target)}}
        try:
            answer = self.client.update_item(
                TableName=self.table,
                Key=_key(target),
                UpdateExpression=TAKE,
                ConditionExpression=IF_FREE if told else IF_DUE_AND_FREE,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self.client.exceptions.ConditionalCheckFailedException as refusal:
            return self._refusal(target, _item(refusal), now_s)
        except (ClientError, BotoCoreError) as error:
            return Failed(f"lease of {target}: {error}")
        self._items[target] = answer["Attributes"]
        return True

    def _refusal(self, target: Target, item: Item, now_s: float) -> bool | Failed:
        if _number(item, "done_s") >= now_s:
            return Failed(f"handled at {_number(item, 'done_s'):.3f} already: a duplicate delivery")
        if target not in self.awake and _number(item, "next_look_s") > now_s:
            self.due[target] = Due(_number(item, "next_look_s"), self._fingerprint(target))
            return False
        return Failed("another run holds it")

    def _get(self, target: Target) -> Failed | None:
        try:
            answer = self.client.get_item(TableName=self.table, Key=_key(target), ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            return Failed(f"history of {target}: {error}")
        self._items[target] = answer.get("Item", {})
        return None

    def _keep(self, target: Target, row: bytes, look_s: float, now_s: float) -> Failed | None:
        strikes = self.strikes(target)
        values = {
            ":me": {"S": self.run},
            ":history": {"B": row},
            ":now": _n(now_s),
            ":look": _n(look_s),
            ":settings": {"S": self._fingerprint(target)},
            ":strikes": _n(strikes.failures),
            ":paused": _n(strikes.paused_until_s),
            ":expires": _n(int(self.clock() + KEPT_S)),
        }
        return self._update(target, KEEP, values)

    def _let_go(self, target: Target) -> Failed | None:
        return self._update(target, LET_GO, {":me": {"S": self.run}})

    def _update(self, target: Target, expression: str, values: Mapping[str, Any]) -> Failed | None:
        try:
            self.client.update_item(
                TableName=self.table,
                Key=_key(target),
                UpdateExpression=expression,
                ConditionExpression=IF_MINE,
                ExpressionAttributeValues=values,
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return Failed("the lease ended before the run did, and another run has it now")
        except (ClientError, BotoCoreError) as error:
            return Failed(f"history of {target}: {error}")
        return None


def _each(targets: Sequence[Target], work: Callable[[Target], Any]) -> Iterable[tuple[Target, Any]]:
    with ThreadPoolExecutor(THREADS) as threads:
        return list(zip(targets, threads.map(work, targets), strict=True))


def _item(refusal: ClientError) -> Item:
    """The item as it was when a condition on it failed."""
    item: Any = refusal.response.get("Item", {})
    return dict(item)


def _row(item: Item, wall_s: float) -> bytes | None:
    """The policy's row; none where the item has expired, since DynamoDB deletes late."""
    expired = "expires_at" in item and _number(item, "expires_at") <= wall_s
    row = item.get("history", {}).get("B")
    return None if expired or row is None else bytes(row)


def _key(target: Target) -> dict[str, Any]:
    return {"target": {"S": str(target)}}


def _n(value: float) -> dict[str, str]:
    return {"N": repr(value)}


def _number(item: Item, name: str) -> float:
    return float(item[name]["N"]) if name in item else 0.0
