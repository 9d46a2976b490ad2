"""One invocation of a target as signed bytes, so that a whole volley can be one signature."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import get_cert_path

from warmer.adapters.volley import Origin
from warmer.policy.values import Target

API_VERSION = "2015-03-31"
"""https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""


class CredentialSource(Protocol):
    """Credentials that renew themselves, as a boto3 session's do."""

    def get_frozen_credentials(self) -> ReadOnlyCredentials: ...


@dataclass(frozen=True, slots=True)
class LambdaEndpoint:
    """Signs synchronous invocations for one region's endpoint.

    A signature covers host, path, time and body, and nothing that must be used once: the same bytes are valid on every
    connection for five minutes (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html).
    """

    url: str
    region: str
    credentials: CredentialSource

    def origin(self) -> Origin:
        """Where connections go, trusting the same authorities as boto3."""
        parts = urlsplit(self.url)
        tls = parts.scheme == "https"
        trust = ssl.create_default_context(cafile=get_cert_path(True)) if tls else None
        return Origin(host=parts.hostname or "", port=parts.port or (443 if tls else 80), trust=trust)

    def signed(self, target: Target, body: bytes) -> bytes:
        """The whole HTTP request of one invocation through the target's alias."""
        request = AWSRequest(
            method="POST",
            url=f"{self.url.rstrip('/')}/{API_VERSION}/functions/{target.function}/invocations",
            params={"Qualifier": target.alias},
            headers={"X-Amz-Invocation-Type": "RequestResponse", "Content-Type": "application/json"},
            data=body,
        )
        SigV4Auth(self.credentials.get_frozen_credentials(), "lambda", self.region).add_auth(request)
        ready = request.prepare()
        parts = urlsplit(str(ready.url))
        lines = [f"POST {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {_text(value)}" for name, value in ready.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _text(value: str | bytes) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value
