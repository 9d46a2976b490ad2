"""Packs by address: S3 as moto serves it, and as it misbehaves; what arrives is checked, or is not there at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from moto import mock_aws
from preheat.engines import open_session
from preheat.fields import PackError
from preheat.frozen import replace
from preheat.golden import difference, read_golden
from preheat.hashes import check_files
from preheat.host import ModelHost
from preheat.model import Quarantined
from preheat.pack import read_pack
from preheat.remote import add_packs, open_address
from preheat.remote.fetch import fetch_pack
from preheat.remote.s3 import Bucket

from ..runtime.packs import flip_a_byte, rewrite_manifest, write_pack

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """The variables of a function whose S3 is moto's, behind an HTTP port of this machine."""
    with mock_aws():
        client = _client()
        client.create_bucket(Bucket="models")

        class Requests(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

            def do_GET(self) -> None:
                bucket, _, key = self.path.lstrip("/").partition("/")
                given = {"Range": self.headers["Range"]} if self.headers["Range"] else {}
                try:
                    reply = client.get_object(Bucket=bucket, Key=unquote(key), **given)
                    status, body = reply["ResponseMetadata"]["HTTPStatusCode"], reply["Body"].read()
                except ClientError as error:
                    status, body = error.response["ResponseMetadata"]["HTTPStatusCode"], str(error).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield KEYS | {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()
        server.server_close()


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A pack with a file of several parts."""
    folder = write_pack(tmp_path / "made", "big")
    (folder / "weights.bin").write_bytes(os.urandom(20_000_001))
    rewrite_manifest(folder, read_pack(folder).manifest)
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def test_a_pack_in_s3_arrives_whole_and_answers(s3, big: Path, scratch: Path):
    _upload(big, "a/big")
    pack = open_address("s3://models/a/big/", str(scratch), s3)
    check_files(pack)
    (question, _) = read_golden(pack)
    session = open_session(pack)
    assert difference(question.answers, session.run(question.inputs), pack.manifest.golden) == ""
    assert [entry.name for entry in scratch.iterdir()] == [f"preheat-big-{pack.manifest.version}"]


def test_a_pack_fetched_before_is_found_again(s3, big: Path, scratch: Path):
    _upload(big, "b/big")
    first = open_address("s3://models/b/big", str(scratch), s3)
    _client().delete_object(Bucket="models", Key="b/big/weights.bin")
    again = open_address("s3://models/b/big", str(scratch), s3)
    assert (again.folder, again.manifest) == (first.folder, first.manifest)
    assert (first.checked, again.checked) == (True, False)


def test_a_changed_byte_is_found_while_it_streams_and_nothing_is_left(s3, big: Path, scratch: Path):
    flip_a_byte(big / "weights.bin", at=10_000_000)
    _upload(big, "c/big")
    with pytest.raises(PackError, match=r"weights.bin: its SHA-256 is .*copy the pack again"):
        open_address("s3://models/c/big", str(scratch), s3)
    assert list(scratch.iterdir()) == []


def test_a_truncated_object_is_found(s3, big: Path, scratch: Path):
    _upload(big, "d/big")
    _client().put_object(Bucket="models", Key="d/big/weights.bin", Body=b"short")
    with pytest.raises(PackError, match=r"weights\.bin"):
        open_address("s3://models/d/big", str(scratch), s3)
    assert list(scratch.iterdir()) == []


def test_a_host_serves_packs_by_address_beside_its_own(s3, big: Path, scratch: Path, monkeypatch):
    _upload(big, "h/big")
    here = write_pack(scratch / "models", "here").parent
    variables = s3 | {"PREHEAT_PACKS": "s3://models/h/big, s3://models/h/none", "PREHEAT_MODELS": str(here)}
    for name, value in (variables | {"TMPDIR": str(scratch)}).items():
        monkeypatch.setenv(name, value)
    host = ModelHost.from_packs()
    (question, _) = read_golden(read_pack(big))
    for name in ("big", "here"):
        assert host[name].run(question.inputs)["scores"].shape == (1, 4)
    with pytest.raises(Quarantined, match="404"):
        host["none"]


@pytest.mark.parametrize("key", ["manifest.json", "weights.bin"])
def test_what_is_not_there_is_a_404_with_the_way_out(s3, big: Path, scratch: Path, key: str):
    _upload(big, "e/big")
    _client().delete_object(Bucket="models", Key=f"e/big/{key}")
    with pytest.raises(PackError, match=rf"e/big/{key} is not there \(404\); copy the pack"):
        open_address("s3://models/e/big", str(scratch), s3)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        pytest.param("s3://models", "a bucket and a pack's prefix", id="no-prefix"),
        pytest.param("https://models/x", "begins with file:// or s3://", id="another-scheme"),
        pytest.param("file://mnt/x", "three slashes", id="two-slashes"),
        pytest.param("file:///no/such/pack", "cannot be read", id="no-such-folder"),
    ],
)
def test_an_address_that_is_none_is_refused(scratch: Path, address: str, says: str):
    with pytest.raises(PackError, match=says):
        open_address(address, str(scratch), KEYS)


def test_a_pack_out_of_reach_is_no_required_model(tmp_path: Path, scratch: Path):
    packs, unreadable = add_packs(str(tmp_path), [f"file://{tmp_path}/not-mounted"], str(scratch))
    assert packs == []
    assert "cannot be read" in str(unreadable["not-mounted"])
    assert not unreadable["not-mounted"].required


def test_a_scratch_folder_that_is_not_there_is_one_packs_trouble(s3, big: Path, tmp_path: Path, monkeypatch):
    _upload(big, "o/big")
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    _, unreadable = add_packs(str(tmp_path), ["s3://models/o/big"], str(tmp_path / "gone"))
    assert "No such file or directory" in str(unreadable["big"])


def test_a_mounted_pack_is_used_where_it_is(big: Path, scratch: Path):
    assert open_address(f"file://{big}", str(scratch), {}).folder == str(big)
    assert list(scratch.iterdir()) == []


def test_without_credentials_the_missing_variable_is_named(scratch: Path):
    with pytest.raises(PackError, match="AWS_ACCESS_KEY_ID is not set"):
        open_address("s3://models/x", str(scratch), {})


def test_a_pack_larger_than_the_scratch_folder_is_refused_before_a_byte_comes(s3, big: Path, scratch: Path):
    manifest = read_pack(big).manifest
    files = dict(manifest.files) | {"weights.bin": replace(manifest.files["weights.bin"], bytes=1 << 60)}
    rewrite_manifest(big, manifest, files=files)
    _upload(big, "f/big")
    with pytest.raises(PackError, match="more EphemeralStorage"):
        open_address("s3://models/f/big", str(scratch), s3)


class Misbehaving:
    """An S3 of one object whose replies the test decides: `answer(count, start, end)` is a status and a body."""

    def __init__(self, answer: Callable[[int, int, int], tuple[int, bytes]]) -> None:
        self.count, lock, misbehaving = 0, threading.Lock(), self

        class Requests(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

            def do_GET(self) -> None:
                start, end = (int(n) for n in self.headers["Range"].removeprefix("bytes=").split("-"))
                with lock:
                    misbehaving.count += 1
                    count = misbehaving.count
                status, body = answer(count, start, end + 1)
                self.send_response(status)
                self.send_header("Content-Length", str(end + 1 - start if status < 400 else len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self.server.daemon_threads = True


OBJECT = bytes(range(256)) * 4


@contextmanager
def _misbehaving(
    answer: Callable[[int, int, int], tuple[int, bytes]],
) -> Iterator[tuple[Bucket, Misbehaving]]:
    fake = Misbehaving(answer)
    thread = threading.Thread(target=fake.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{fake.server.server_port}"
    bucket = replace(Bucket.of("models", KEYS | {"AWS_ENDPOINT_URL": endpoint}), timeout_s=0.2)
    try:
        yield bucket, fake
    finally:
        fake.server.shutdown()
        fake.server.server_close()


@pytest.mark.parametrize(
    "first",
    [
        pytest.param((503, b"slow down"), id="busy"),
        pytest.param((206, OBJECT[:100]), id="a-short-read"),
        pytest.param((206, b""), id="an-empty-read"),
    ],
)
def test_a_passing_failure_is_tried_again(first: tuple[int, bytes]):
    with _misbehaving(lambda n, a, b: first if n == 1 else (206, OBJECT[a:b])) as (bucket, fake):
        memory = bytearray(500)
        bucket.read_into("key", 200, memoryview(memory))
        assert (bytes(memory), fake.count) == (OBJECT[200:700], 2)


def test_a_read_that_never_comes_is_given_up_in_the_end():
    never = threading.Event()

    def hang(_count: int, _start: int, _end: int) -> tuple[int, bytes]:
        never.wait(20)
        return 206, b""

    with _misbehaving(hang) as (bucket, fake):
        with pytest.raises(
            PackError, match=r"bytes 0 to 499 could not be read in 3 tries.*region \(us-east-1\)"
        ):
            bucket.read_into("key", 0, memoryview(bytearray(500)))
        never.set()
        assert fake.count == 3


@pytest.mark.parametrize(
    ("status", "says"),
    [
        pytest.param(403, "s3:GetObject", id="forbidden"),
        pytest.param(404, "is not there", id="missing"),
        pytest.param(416, "shorter than its manifest says", id="past-the-end"),
        pytest.param(400, "S3 answered 400", id="refused"),
    ],
)
def test_a_lasting_failure_is_not_tried_again(status: int, says: str):
    with _misbehaving(lambda n, a, b: (status, b"<Error/>")) as (bucket, fake):
        with pytest.raises(PackError, match=says):
            bucket.read_into("key", 0, memoryview(bytearray(500)))
        assert fake.count == 1


def test_parts_are_read_side_by_side(big: Path, scratch: Path):
    """Each of the three parts of the weights waits until all three were asked for."""
    weights = (big / "weights.bin").read_bytes()
    together = threading.Barrier(3, timeout=20)
    files = {path.name: path.read_bytes() for path in big.iterdir()}

    class Here(Bucket):
        def read(self, key: str, most: int) -> bytes:
            return files[key.rpartition("/")[2]]

        def read_into(self, key: str, start: int, memory: memoryview) -> None:
            if key.endswith("weights.bin"):
                together.wait()
            memory[:] = files[key.rpartition("/")[2]][start : start + len(memory)]

    bucket = Here(name="models", endpoint="", region="", key_id="", secret="")
    pack = fetch_pack(bucket, "big", str(scratch))
    assert Path(pack.path("weights.bin")).read_bytes() == weights


@pytest.mark.parametrize("token", ["", "a-session-token"], ids=["keys", "role"])
def test_requests_are_signed_as_botocore_signs_them(token: str, monkeypatch: pytest.MonkeyPatch):
    bucket = Bucket.of("models", KEYS | ({"AWS_SESSION_TOKEN": token} if token else {}))
    now = datetime.now(UTC)
    ours = bucket._signed("s3.us-east-1.amazonaws.com", "/models/a%20b/c", now.timetuple())
    request = AWSRequest(method="GET", url="https://s3.us-east-1.amazonaws.com/models/a%20b/c")
    request.headers["X-Amz-Content-SHA256"] = ours["x-amz-content-sha256"]
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: now.replace(tzinfo=None))
    S3SigV4Auth(Credentials("testing", "testing", token or None), "s3", "us-east-1").add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]


def _client() -> Any:
    return boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def _upload(folder: Path, prefix: str) -> None:
    for path in folder.iterdir():
        _client().put_object(Bucket="models", Key=f"{prefix}/{path.name}", Body=path.read_bytes())
