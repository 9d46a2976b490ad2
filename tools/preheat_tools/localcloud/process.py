"""The local cloud from outside: started, found again, asked, ended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
"""Dummies: nothing checks them, and no account is ever asked."""
START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0


class LocalCloudError(RuntimeError):
    """The local cloud cannot do what was asked; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCloud:
    """A running cloud: where it is, and what it can be asked."""

    pid: int
    port: int
    compression: float
    folder: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud."""
        import boto3
        from botocore.config import Config

        sdk: Any = boto3  # by name: no overload fits one that is not known beforehand
        return sdk.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(read_timeout=900, retries={"total_max_attempts": 1}, max_pool_connections=200),
        )

    def state(self) -> dict[str, Any]:
        """Environments, functions, settings and virtual time; see control.Control.state."""
        return dict(self._ask("GET", "state"))

    def now_s(self) -> float:
        """Virtual Unix time."""
        return float(self.state()["now_s"])

    def invocations(self, after: int = 0) -> list[dict[str, Any]]:
        """What was invoked since a sequence number; see ledger.Invocation."""
        return list(self._ask("GET", f"invocations?after={after}")["invocations"])

    def hook_answers(self) -> dict[str, str]:
        """What deployment hooks told CodeDeploy, by the id of their execution."""
        return dict(self._ask("GET", "hooks")["answers"])

    def set(self, **settings: Any) -> None:
        """Change settings while it runs; see settings.Settings."""
        self._ask("POST", "settings", settings)

    def inject(self, **fault: Any) -> None:
        """Inject a fault; see faults.Fault."""
        self._ask("POST", "fault", fault)

    def clear_faults(self) -> None:
        self._ask("DELETE", "fault")

    def load(self, series: Sequence[Mapping[str, Any]]) -> int:
        """Put series of metrics into CloudWatch's past; the number of datapoints."""
        return int(self._ask("POST", "history", list(series))["datapoints"])

    def stop(self) -> None:
        """End it, its environments and its files (the log stays)."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        until = time.monotonic() + STOP_LIMIT_S
        while alive(self.pid) and time.monotonic() < until:
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        sweep(Path(self.folder))

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_preheat/{path}", data=data, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            raise LocalCloudError(json.load(problem)["error"]) from None
        except OSError as problem:
            raise LocalCloudError(
                f"no local cloud answers at {self.url} ({problem}): start one with `preheat local up`"
            ) from None


def start(
    folder: Path, *, port: int = 0, compression: float = 1.0, settings: Mapping[str, Any] | None = None
) -> LocalCloud:
    """Start a cloud in a folder and wait until it answers; raises LocalCloudError with its log's end."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or _free_port()
    command = [sys.executable, "-m", "preheat_tools.localcloud.server"]
    command += [str(folder), str(port), str(compression), json.dumps(dict(settings or {}))]
    with (folder / "cloud.log").open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    cloud = LocalCloud(pid=process.pid, port=port, compression=compression, folder=str(folder))
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise LocalCloudError(f"the local cloud ended as it started:\n{_tail(folder / 'cloud.log')}")
        if _ready(cloud.url):
            (folder / "state.json").write_text(json.dumps(asdict(cloud)))
            return cloud
        time.sleep(0.02)
    cloud.stop()
    raise LocalCloudError(f"the local cloud was not ready in {START_LIMIT_S:.0f} s: {folder / 'cloud.log'}")


def find(folder: Path) -> LocalCloud | None:
    """The cloud that runs in a folder; None where none does."""
    cloud = remembered(folder)
    if cloud is None or not alive(cloud.pid):
        return None
    try:
        return cloud if cloud.state()["pid"] == cloud.pid else None
    except LocalCloudError:
        return None


def running(folder: Path) -> LocalCloud:
    """The cloud that runs in a folder; raises LocalCloudError where none does."""
    cloud = find(folder)
    if cloud is None:
        lost = remembered(folder)
        what = f"the local cloud (process {lost.pid}) has ended" if lost else "no local cloud is up"
        raise LocalCloudError(f"{what}: start one with `preheat local up`")
    return cloud


def remembered(folder: Path) -> LocalCloud | None:
    """What the state file tells, whether it still runs or not."""
    try:
        return LocalCloud(**json.loads((folder / "state.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def sweep(folder: Path) -> None:
    """Remove what a cloud leaves; its log stays."""
    for name in ("state.json", "trees", "environments", "build", "tmp", "home"):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def local_cloud(folder: Path, **options: Any) -> Iterator[LocalCloud]:
    """A cloud for the length of a block."""
    cloud = start(folder, **options)
    try:
        yield cloud
    finally:
        cloud.stop()


def alive(pid: int) -> bool:
    """Whether a process runs; one of our own that has ended is collected."""
    with contextlib.suppress(ChildProcessError, OSError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _environment(folder: Path, port: int) -> dict[str, str]:
    """Private folders, loopback only, and nothing of the caller's AWS or Python settings."""
    for name in ("tmp", "home"):
        (folder / name).mkdir(exist_ok=True)
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON", "MINISTACK", "LAMBDA_"))
    }
    return kept | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",  # else both listen on every interface, whatever BIND_HOST says
        "SFTP_ENABLED": "0",
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(folder / "tmp"),
        "HOME": str(folder / "home"),
        "LOG_LEVEL": os.environ.get("PREHEAT_LOCAL_LOG", "WARNING"),
    }


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_ministack/ready", timeout=2) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tail(path: Path, lines: int = 20) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
