"""Reading S3 objects by ranges over the standard library alone: `boto3` would cost a cold start 200 ms of imports.

Requests are signed by AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request").
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import time
from urllib.parse import quote, urlsplit

from preheat.fields import PackError
from preheat.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

TRIES = 3
TIMEOUT_S = 10.0
"""Without a byte for this long a read is given up and tried again."""
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class _PassingError(Exception):
    """A failure that another try may not meet."""


class Bucket(Frozen):
    """An S3 bucket and how to reach it."""

    name: str
    endpoint: str
    """Scheme and host; the bucket is the path's first part."""
    region: str
    key_id: str
    secret: str
    token: str = ""
    timeout_s: float = TIMEOUT_S

    @staticmethod
    def of(name: str, environ: Mapping[str, str]) -> Bucket:
        """By the variables that Lambda sets; AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL name another endpoint."""
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
        try:
            key_id, secret = environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"]
        except KeyError as missing:
            raise PackError(
                f"s3://{name}: {missing.args[0]} is not set; Lambda sets it from the function's role"
            ) from None
        return Bucket(
            name=name,
            endpoint=endpoint or f"https://s3.{region}.amazonaws.com",
            region=region,
            key_id=key_id,
            secret=secret,
            token=environ.get("AWS_SESSION_TOKEN", ""),
        )

    def read_into(self, key: str, start: int, memory: memoryview) -> None:
        """Fill memory from an object, beginning at byte `start`; tried again where S3 is slow, busy or cuts short."""
        for attempt in range(1, TRIES + 1):
            try:
                self._read_once(key, start, memory)
                return
            except (_PassingError, OSError, http.client.HTTPException) as error:
                if attempt == TRIES:
                    raise PackError(
                        f"s3://{self.name}/{key}: bytes {start} to {start + len(memory) - 1} could not be read in "
                        f"{TRIES} tries: {error or type(error).__name__}; is the bucket in this region ({self.region})?"
                    ) from None
                time.sleep(0.05 * 4 ** (attempt - 1))

    def read(self, key: str, most: int) -> bytes:
        """A whole object of at most `most` bytes."""
        connection, response = self._get(key, "")
        try:
            body = response.read(most + 1)
        finally:
            connection.close()
        if len(body) > most:
            raise PackError(f"s3://{self.name}/{key} is larger than {most} bytes: it is no manifest")
        return body

    def _read_once(self, key: str, start: int, memory: memoryview) -> None:
        connection, response = self._get(key, f"bytes={start}-{start + len(memory) - 1}")
        try:
            done = 0
            while done < len(memory):
                count = response.readinto(memory[done:])
                if not count:
                    raise _PassingError(f"the reply ended after {done} of {len(memory)} bytes")
                done += count
        finally:
            connection.close()

    def _get(self, key: str, byte_range: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        url = urlsplit(self.endpoint)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.netloc, timeout=self.timeout_s)
        path = f"{url.path.rstrip('/')}/{quote(self.name)}/{quote(key)}"
        try:
            headers = self._signed(url.netloc, path, time.gmtime())
            connection.request("GET", path, headers=headers | ({"Range": byte_range} if byte_range else {}))
            response = connection.getresponse()
            if response.status not in (200, 206):
                self._refuse(key, response)
            return connection, response
        except BaseException:
            connection.close()
            raise

    def _refuse(self, key: str, response: http.client.HTTPResponse) -> None:
        where, text = f"s3://{self.name}/{key}", response.read(300).decode(errors="replace")
        if response.status == 404:
            raise PackError(f"{where} is not there (404); copy the pack's folder to that prefix: {text}")
        if response.status == 403:
            raise PackError(
                f"{where} may not be read (403); give the function's role s3:GetObject on it "
                f"(without s3:ListBucket a missing object answers 403 too): {text}"
            )
        if response.status == 416:
            raise PackError(f"{where} is shorter than its manifest says; copy the pack again")
        if response.status in (429, 500, 502, 503, 504):
            raise _PassingError(f"S3 answered {response.status}: {text}")
        raise PackError(f"{where}: S3 answered {response.status}: {text}")

    def _signed(self, host: str, path: str, now: time.struct_time) -> dict[str, str]:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", now)
        headers = {"host": host, "x-amz-content-sha256": _EMPTY_SHA256, "x-amz-date": stamp}
        if self.token:
            headers["x-amz-security-token"] = self.token
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        request = f"GET\n{path}\n\n{lines}\n{names}\n{_EMPTY_SHA256}"
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{self.secret}".encode()
        for part in (stamp[:8], self.region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        return headers | {
            "authorization": f"AWS4-HMAC-SHA256 Credential={self.key_id}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        }
