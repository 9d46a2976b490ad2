"""Expectations between the event that brings one and the cycles that heed it: one item of the warmer's table.

`expected` is a set of `from|until|floor|function:alias`: what is delivered twice is one. One item for all targets, so
that a run reads them with one request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from warmer.expectations import MOST, Expected
from warmer.policy.values import Expectation, Failed, Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

KEY: Mapping[str, Any] = {"target": {"S": "expect#"}}
KEPT_S = 3600.0
TRIES = 3


@dataclass(frozen=True, slots=True)
class DynamoExpected:
    """Keeps expectations until they are over."""

    client: DynamoDBClient
    table: str

    def read(self, now_s: float) -> Mapping[Target, tuple[Expectation, ...]] | Failed:
        """Those that are not over, by target."""
        kept = self._kept()
        if isinstance(kept, Failed):
            return kept
        found: dict[Target, tuple[Expectation, ...]] = {}
        for one in sorted(kept, key=_text):
            if one.expectation.until_s > now_s:
                found[one.target] = (*found.get(one.target, ()), one.expectation)
        return found

    def add(self, new: Expected, now_s: float) -> Failed | None:
        """Keep one more, and drop what is over; Failed where there are too many, or the table did not take it."""
        for _ in range(TRIES):
            kept = self._kept()
            if isinstance(kept, Failed):
                return kept
            after = {one for one in kept if one.expectation.until_s > now_s} | {new}
            if len(after) > MOST:
                return Failed(f"{MOST} expectations are kept already; the next can be told when one is over")
            try:
                self._write(kept, after)
            except self.client.exceptions.ConditionalCheckFailedException:
                continue  # another event came between
            except (ClientError, BotoCoreError) as error:
                return Failed(f"expectations: {error}")
            return None
        return Failed(f"expectations: {TRIES} events came at one time; send it again")

    def _kept(self) -> frozenset[Expected] | Failed:
        try:
            answer = self.client.get_item(TableName=self.table, Key=KEY, ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            return Failed(f"expectations: {error}")
        return frozenset(map(_parsed, answer.get("Item", {}).get("expected", {}).get("SS", ())))

    def _write(self, before: Iterable[Expected], after: Iterable[Expected]) -> None:
        was = sorted(map(_text, before))
        values: dict[str, Any] = {
            ":after": {"SS": sorted(map(_text, after))},
            ":expires": {"N": str(int(max(one.expectation.until_s for one in after) + KEPT_S))},
        }
        self.client.update_item(
            TableName=self.table,
            Key=KEY,
            UpdateExpression="SET expected = :after, expires_at = :expires",
            ConditionExpression="expected = :before" if was else "attribute_not_exists(expected)",
            ExpressionAttributeValues=values | ({":before": {"SS": was}} if was else {}),
        )


def _text(one: Expected) -> str:
    what = one.expectation
    return f"{what.from_s!r}|{what.until_s!r}|{what.floor}|{one.target}"


def _parsed(text: str) -> Expected:
    from_s, until_s, floor, target = text.split("|")
    function, alias = target.split(":")
    expectation = Expectation(from_s=float(from_s), until_s=float(until_s), floor=int(floor))
    return Expected(Target(function, alias), expectation)
