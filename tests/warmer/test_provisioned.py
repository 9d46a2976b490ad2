"""Provisioned concurrency: moto for what it shows, the Stubber for states it never has."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from warmer.adapters.provisioned import LambdaProvisioner
from warmer.policy.values import Capacity, Failed, Target

A, GONE = Target("a", "live"), Target("gone", "live")


def provisioner(aws: boto3.Session, **options: Any) -> LambdaProvisioner:
    return LambdaProvisioner(aws.client("lambda"), aws.client("application-autoscaling"), **options)


def test_none_is_none_and_not_a_failure(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    assert provisioner(aws).read([A]) == {A: Capacity(account_headroom=900)}


def test_what_is_asked_for_is_there_and_zero_gives_all_back(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    owner = provisioner(aws)
    granted = owner.request(A, 3)
    assert granted == Capacity(requested=3, allocated=3, available=3, status="READY")
    now = owner.read([A])[A]
    assert isinstance(now, Capacity) and now.requested == 3
    assert owner.request(A, 0) == Capacity()
    assert owner.read([A]) == {A: Capacity(account_headroom=900)}


def test_giving_back_what_there_is_not_is_no_error(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    assert provisioner(aws).request(A, 0) == Capacity()


def test_a_large_increase_is_made_in_steps(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    owner = provisioner(aws, step=10)
    asked = [owner.request(A, 25) for _ in range(3)]
    assert [capacity.requested for capacity in asked if isinstance(capacity, Capacity)] == [10, 20, 25]


def test_reserved_concurrency_and_the_accounts_headroom(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    aws.client("lambda").put_function_concurrency(FunctionName="a", ReservedConcurrentExecutions=50)
    now = provisioner(aws).read([A])[A]
    assert isinstance(now, Capacity) and now.reserved == 50 and now.account_headroom == 1000 - 50 - 100


@pytest.mark.parametrize(
    ("reserved", "asked", "expected"),
    [
        pytest.param(50, 60, (50, "reserved concurrency of 50"), id="reserved"),
        pytest.param(50, 40, (40, ""), id="within-what-is-reserved"),
        pytest.param(None, 950, (900, "900 that the account may still provision"), id="account"),
        pytest.param(0, 3, (0, "reserved concurrency of 0"), id="nothing-is-let-in"),
    ],
)
def test_no_more_is_asked_for_than_the_limits_allow_and_that_is_said(
    aws: boto3.Session, deploy: Any, reserved: int | None, asked: int, expected: tuple[int, str]
) -> None:
    granted, said = expected
    deploy("a")
    if reserved is not None:
        aws.client("lambda").put_function_concurrency(FunctionName="a", ReservedConcurrentExecutions=reserved)
    answer = provisioner(aws, step=1000).request(A, asked)
    assert isinstance(answer, Capacity)
    assert answer.requested == granted
    assert said in answer.status_reason and bool(said) == bool(answer.status_reason)


def test_a_function_that_is_not_there_fails_alone(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    answers = provisioner(aws).read([A, GONE])
    assert isinstance(answers[A], Capacity)
    assert isinstance(gone := answers[GONE], Failed) and "gone:live" in gone.reason
    assert isinstance(provisioner(aws).request(GONE, 1), Failed)


@pytest.fixture
def scaled(aws: boto3.Session, deploy: Any) -> boto3.Session:
    """`a:live` is Application Auto Scaling's, between 2 and 8."""
    deploy("a")
    aws.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="lambda",
        ResourceId="function:a:live",
        ScalableDimension="lambda:function:ProvisionedConcurrency",
        MinCapacity=2,
        MaxCapacity=8,
    )
    return aws


def limits(aws: boto3.Session) -> tuple[int, int]:
    answer = aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="lambda")
    (target,) = answer["ScalableTargets"]
    return target["MinCapacity"], target["MaxCapacity"]


@pytest.mark.parametrize(("asked", "minimum"), [(5, 5), (20, 8), (0, 0)])
def test_where_auto_scaling_owns_the_number_its_minimum_is_moved(
    scaled: boto3.Session, asked: int, minimum: int
) -> None:
    owner = provisioner(scaled)
    answer = owner.request(A, asked)
    assert limits(scaled) == (minimum, 8)
    assert isinstance(answer, Capacity) and answer.requested == minimum
    assert f"its minimum is now {minimum}" in answer.status_reason
    assert owner.read([A]) == {A: Capacity(account_headroom=900)}, "the number itself is not ours to put"


def test_or_it_is_left_alone_and_that_is_said(scaled: boto3.Session) -> None:
    answer = provisioner(scaled, move_minimum=False).request(A, 5)
    assert limits(scaled) == (2, 8)
    assert isinstance(answer, Capacity) and "left alone" in answer.status_reason


def test_without_auto_scaling_it_is_not_asked(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    granted = LambdaProvisioner(aws.client("lambda"), None).request(A, 1)
    assert isinstance(granted, Capacity) and granted.requested == 1


def config(status: str, requested: int = 4, reason: str = "") -> dict[str, Any]:
    return {
        "RequestedProvisionedConcurrentExecutions": requested,
        "AllocatedProvisionedConcurrentExecutions": 2,
        "AvailableProvisionedConcurrentExecutions": 1,
        "Status": status,
        **({"StatusReason": reason} if reason else {}),
    }


@pytest.fixture
def stubbed() -> tuple[Any, Stubber]:
    client = boto3.client("lambda", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    stub = Stubber(client)
    stub.activate()
    return client, stub


def test_in_progress_and_failed_come_with_their_reason(stubbed: tuple[Any, Stubber]) -> None:
    client, stub = stubbed
    for answer in (config("IN_PROGRESS"), config("FAILED", reason="FUNCTION_ERROR_INIT_FAILURE")):
        stub.add_response("get_account_settings", {"AccountLimit": {"UnreservedConcurrentExecutions": 40}})
        stub.add_response("get_function_concurrency", {})
        stub.add_response("get_provisioned_concurrency_config", answer)
    owner = LambdaProvisioner(client, None)
    expected = Capacity(requested=4, allocated=2, available=1, status="IN_PROGRESS", account_headroom=0)
    assert owner.read([A]) == {A: expected}
    failed = owner.read([A])[A]
    assert isinstance(failed, Capacity)
    assert (failed.status, failed.status_reason) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")


def test_more_is_not_asked_for_while_the_last_increase_is_being_allocated(
    stubbed: tuple[Any, Stubber],
) -> None:
    client, stub = stubbed
    stub.add_response("get_provisioned_concurrency_config", config("IN_PROGRESS"))
    answer = LambdaProvisioner(client, None).request(A, 9)
    assert isinstance(answer, Capacity) and answer.requested == 4
    assert "still being allocated" in answer.status_reason
    stub.assert_no_pending_responses()


def test_but_less_is(stubbed: tuple[Any, Stubber]) -> None:
    client, stub = stubbed
    stub.add_response("get_provisioned_concurrency_config", config("IN_PROGRESS"))
    stub.add_response("put_provisioned_concurrency_config", config("IN_PROGRESS", requested=1))
    answer = LambdaProvisioner(client, None).request(A, 1)
    assert isinstance(answer, Capacity) and answer.requested == 1


def test_a_refusal_is_a_failure_with_awss_words(stubbed: tuple[Any, Stubber]) -> None:
    client, stub = stubbed
    stub.add_client_error(
        "get_provisioned_concurrency_config", "ProvisionedConcurrencyConfigNotFoundException"
    )
    stub.add_response("get_function_concurrency", {})
    stub.add_response("get_account_settings", {"AccountLimit": {"UnreservedConcurrentExecutions": 1000}})
    stub.add_client_error(
        "put_provisioned_concurrency_config",
        "InvalidParameterValueException",
        "Alias with weights can not be used with Provisioned Concurrency",
    )
    answer = LambdaProvisioner(client, None).request(A, 2)
    assert isinstance(answer, Failed) and "Alias with weights" in answer.reason


def test_an_outage_is_not_taken_for_none(stubbed: tuple[Any, Stubber]) -> None:
    client, stub = stubbed
    stub.add_client_error("get_account_settings", "ServiceException", http_status_code=500)
    answer = LambdaProvisioner(client, None).read([A])[A]
    assert isinstance(answer, Failed) and "GetAccountSettings" in answer.reason


class Refusing:
    """An Application Auto Scaling that may not be asked."""

    def describe_scalable_targets(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeScalableTargets")

    def register_scalable_target(self, **_: Any) -> Any:
        raise AssertionError("not to be reached")


def test_nothing_is_put_where_it_cannot_be_known_who_owns_the_number(aws: boto3.Session, deploy: Any) -> None:
    deploy("a")
    owner = LambdaProvisioner(aws.client("lambda"), Refusing())
    assert isinstance(owner.request(A, 2), Failed)
    assert owner.read([A]) == {A: Capacity(account_headroom=900)}
