from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

import tests.moto_lambda  # noqa: F401  (before the first mock)

REGION = "eu-west-1"
ACCOUNT = "123456789012"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """An empty account."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield boto3.Session(region_name=REGION)


@pytest.fixture
def deploy(aws: boto3.Session) -> Any:
    """Deploy a function with an alias, as a template would."""
    role = aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client = aws.client("lambda")

    def function(name: str, *, alias: str = "live", tags: dict[str, str] | None = None, **more: Any) -> str:
        answer = client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": _zip()},
            Publish=True,
            Tags=tags or {},
            **{"MemorySize": 2048, "Architectures": ["arm64"], **more},
        )
        client.create_alias(FunctionName=name, Name=alias, FunctionVersion=answer["Version"])
        return str(answer["FunctionArn"])

    return function


@pytest.fixture
def table(aws: boto3.Session) -> str:
    """The warmer's table."""
    aws.client("dynamodb").create_table(
        TableName="histories",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "target", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "target", "KeyType": "HASH"}],
    )
    return "histories"


def _zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    return content.getvalue()
