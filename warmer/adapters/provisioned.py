"""Provisioned concurrency of an alias, and the limits around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from warmer.policy.values import Capacity, Failed, Target

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

UNRESERVABLE = 100
"""Concurrency of the account that must stay unreserved:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
NAMESPACE, DIMENSION = "lambda", "lambda:function:ProvisionedConcurrency"
THREADS = 8


class ScalableTargets(Protocol):
    """What is asked of boto3's client `application-autoscaling`."""

    def describe_scalable_targets(self, **request: Any) -> Any: ...

    def register_scalable_target(self, **request: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class LambdaProvisioner:
    """Provisioner over Lambda; where Application Auto Scaling owns a number, its minimum is moved instead.

    Two writers of one number fight. So before a change is made, a registered scalable target is looked for; where there
    is one, `move_minimum` says whether its MinCapacity is set, or all is left alone. Either is said in the answer.
    """

    lambda_: LambdaClient
    autoscaling: ScalableTargets | None
    """None where the account uses none, and nothing is asked."""
    step: int = 100
    """Environments one request adds at most: none of an increase is usable before all of it is allocated."""
    move_minimum: bool = True

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Capacity | Failed]:
        """What each target has now; the account's headroom is asked for once."""
        headroom = self._headroom()
        if isinstance(headroom, Failed):
            return dict.fromkeys(targets, headroom)
        with ThreadPoolExecutor(THREADS) as threads:
            answers = threads.map(lambda target: self._read(target, headroom), targets)
            return dict(zip(targets, answers, strict=True))

    def request(self, target: Target, environments: int) -> Capacity | Failed:
        """Ask for `environments`, or for one step towards them; 0 gives all back."""
        try:
            now = self._config(target)
            if (owner := self._scalable(target)) is not None:
                return self._move_minimum(target, environments, owner, now)
            if environments == now.requested:
                return now
            if environments <= 0:
                return self._delete(target)
            if now.status == "IN_PROGRESS" and environments > now.requested:
                return replace(now, status_reason=f"{now.requested} are still being allocated")
            return self._change(target, environments, now)
        except (ClientError, BotoCoreError) as error:
            return Failed(f"provisioned concurrency of {target}: {error}")

    def _change(self, target: Target, environments: int, now: Capacity) -> Capacity | Failed:
        """Down at once; up by a step, within what is reserved for the function or else what the account has left."""
        if environments < now.requested:
            return self._put(target, environments)
        reserved = self.lambda_.get_function_concurrency(FunctionName=target.function).get(
            "ReservedConcurrentExecutions"
        )
        limit = self._headroom() if reserved is None else reserved
        if isinstance(limit, Failed):
            return limit
        allowed = min(environments, limit)
        why = "" if allowed == environments else _bounded(environments, limit, reserved)
        if allowed <= now.requested:
            return replace(now, status_reason=why)
        granted = self._put(target, min(allowed, now.requested + self.step))
        return replace(granted, status_reason=why) if why else granted

    def _read(self, target: Target, headroom: int) -> Capacity | Failed:
        try:
            answer = self.lambda_.get_function_concurrency(FunctionName=target.function)
            reserved = answer.get("ReservedConcurrentExecutions")
            return replace(self._config(target), reserved=reserved, account_headroom=headroom)
        except (ClientError, BotoCoreError) as error:
            return Failed(f"provisioned concurrency of {target}: {error}")

    def _headroom(self) -> int | Failed:
        try:
            limit = self.lambda_.get_account_settings()["AccountLimit"]
        except (ClientError, BotoCoreError) as error:
            return Failed(f"GetAccountSettings: {error}")
        return max(0, limit["UnreservedConcurrentExecutions"] - UNRESERVABLE)

    def _config(self, target: Target) -> Capacity:
        try:
            answer = self.lambda_.get_provisioned_concurrency_config(
                FunctionName=target.function, Qualifier=target.alias
            )
        except self.lambda_.exceptions.ProvisionedConcurrencyConfigNotFoundException:
            return Capacity()
        return _capacity(answer)

    def _put(self, target: Target, environments: int) -> Capacity:
        return _capacity(
            self.lambda_.put_provisioned_concurrency_config(
                FunctionName=target.function,
                Qualifier=target.alias,
                ProvisionedConcurrentExecutions=environments,
            )
        )

    def _delete(self, target: Target) -> Capacity:
        self.lambda_.delete_provisioned_concurrency_config(
            FunctionName=target.function, Qualifier=target.alias
        )
        return Capacity()

    def _scalable(self, target: Target) -> Any | None:
        if self.autoscaling is None:
            return None
        answer = self.autoscaling.describe_scalable_targets(
            ServiceNamespace=NAMESPACE, ResourceIds=[_resource(target)], ScalableDimension=DIMENSION
        )
        return next(iter(answer["ScalableTargets"]), None)

    def _move_minimum(self, target: Target, environments: int, owner: Any, now: Capacity) -> Capacity:
        low, high = owner["MinCapacity"], owner["MaxCapacity"]
        if not self.move_minimum:
            return replace(
                now, status_reason=f"left alone: Application Auto Scaling owns it ({low} to {high})"
            )
        wanted = min(max(environments, 0), high)
        if wanted != low:
            assert self.autoscaling is not None
            self.autoscaling.register_scalable_target(
                ServiceNamespace=NAMESPACE,
                ResourceId=_resource(target),
                ScalableDimension=DIMENSION,
                MinCapacity=wanted,
            )
        why = f"Application Auto Scaling owns it: its minimum is now {wanted} (was {low}, at most {high})"
        return replace(now, requested=wanted, status_reason=why)


def _bounded(environments: int, limit: int, reserved: int | None) -> str:
    whose = "reserved concurrency of" if reserved is not None else "the"
    rest = "" if reserved is not None else " that the account may still provision"
    return f"{environments} were wanted, bounded by {whose} {limit}{rest}"


def _resource(target: Target) -> str:
    return f"function:{target}"


def _capacity(answer: Any) -> Capacity:
    return Capacity(
        requested=answer["RequestedProvisionedConcurrentExecutions"],
        allocated=answer.get("AllocatedProvisionedConcurrentExecutions", 0),
        available=answer.get("AvailableProvisionedConcurrentExecutions", 0),
        status=answer["Status"],
        status_reason=answer.get("StatusReason", ""),
    )
