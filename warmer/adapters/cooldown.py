"""One burst answered a target a while, however often and by however many it is announced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from warmer.policy.values import Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

PREFIX = "burst#"
"""Keys of these items; the burst handler's role may write no others."""
KEPT_S = 3600


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A conditional write a target: it succeeds once in `lasts_s`."""

    client: DynamoDBClient
    table: str
    lasts_s: float = 60.0

    def begin(self, target: Target, now_s: float) -> bool:
        """Whether this call is the one to act; raises ClientError where the table cannot tell."""
        until_s = now_s + self.lasts_s
        try:
            self.client.update_item(
                TableName=self.table,
                Key={"target": {"S": f"{PREFIX}{target}"}},
                UpdateExpression="SET until_s = :until, expires_at = :expires",
                ConditionExpression="attribute_not_exists(until_s) OR until_s <= :now",
                ExpressionAttributeValues={
                    ":until": {"N": repr(until_s)},
                    ":now": {"N": repr(now_s)},
                    ":expires": {"N": str(int(until_s) + KEPT_S)},
                },
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True
