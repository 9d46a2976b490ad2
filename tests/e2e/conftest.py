"""The repository's own template on a local cloud, deployed once for all tests: real sam, real worker processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from preheat_tools.localcloud import deployment
from preheat_tools.localcloud.canary import Canary
from preheat_tools.localcloud.process import LocalCloud, local_cloud

from tests.waiting import until

ROOT = Path(__file__).parents[2]
MODEL = "short_form"
LIVED_S = 600.0
TICK_S = 900.0
WARM = 4
"""Environments that the version that serves has before a deployment: for its customers and the hook's questions."""
CUSTOMERS = 2
PACE_S = 0.02
"""Of a customer, from one answer to the next question."""
MEMORY_MB = 512


@dataclass(slots=True)
class System:
    """The deployed system, as its customer, its warmer's schedule and a vandal see it."""

    cloud: LocalCloud
    made: deployment.Deployed
    url: str
    key: str
    ticks: int = 0

    @property
    def function(self) -> str:
        return self.made.outputs["RecommendFunction"]

    def ask(self, model: str = MODEL) -> tuple[int, Any]:
        """A customer's request: status and body."""
        return self.post(f"/recommend/{model}", {"visited": [1008, 1034], "k": 3}, self.key)

    def post(self, path: str, body: Any, key: str = "") -> tuple[int, Any]:
        """Any request: status and body."""
        headers = {"Content-Type": "application/json"} | ({"x-api-key": key} if key else {})
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def tick(self) -> dict[str, Any]:
        """What the schedule does; the warmer's summary of its cycle. Each is TICK_S after the last: a round is due."""
        self.ticks += 1
        return self.tick_at(self.cloud.now_s() + TICK_S * self.ticks)

    def tick_at(self, at_s: float) -> dict[str, Any]:
        """A cycle of that instant."""
        now = datetime.fromtimestamp(at_s, UTC)
        payload = json.dumps({"scheduled_time": now.isoformat(timespec="seconds")}).encode()
        answer = self.cloud.client("lambda").invoke(
            FunctionName=self.made.outputs["WarmerFunction"], Payload=payload
        )
        body = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, body
        return dict(body)

    def last(self, function: str = "") -> dict[str, Any]:
        """The newest invocation of the function, from the cloud's ledger."""
        name = function or self.function
        return [one for one in self.cloud.invocations() if one["function"] == name][-1]

    def environments(self, function: str = "") -> list[dict[str, Any]]:
        name = function or self.function
        return [one for one in self.cloud.state()["environments"] if one["function"] == name]

    def settle(self, settings: dict[str, Any]) -> None:
        """Change the warmer's settings as a user does."""
        self.cloud.client("ssm").put_parameter(
            Name=f"/{self.made.stack}/warmer", Value=json.dumps(settings), Type="String", Overwrite=True
        )

    def expire_all(self) -> None:
        """Let every idle environment die, as after a quiet night."""
        self.cloud.set(idle_ttl_s=0)
        until(lambda: not self.environments())
        self.cloud.set(idle_ttl_s=LIVED_S)

    def kill_one(self) -> int:
        """Kill an idle worker as the kernel does when memory runs out; its process id."""
        pid = next(int(one["pid"]) for one in self.environments() if one["state"] == "idle")
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in [one["pid"] for one in self.environments() if one["state"] == "idle"])
        return pid

    def publish(self, package: Path) -> str:
        """Publish other code of the function and move `live` to it; the version that it named before."""
        functions = self.cloud.client("lambda")
        before = str(functions.get_alias(FunctionName=self.function, Name="live")["FunctionVersion"])
        functions.update_function_code(FunctionName=self.function, ZipFile=package.read_bytes())
        version = functions.publish_version(FunctionName=self.function)["Version"]
        self.point_at(str(version))
        return before

    def point_at(self, version: str) -> None:
        self.cloud.client("lambda").update_alias(
            FunctionName=self.function, Name="live", FunctionVersion=version
        )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("system")


@pytest.fixture(scope="session")
def deployed(built: Path) -> Iterator[System]:
    settings = {"metric_delay_s": 0, "idle_ttl_s": LIVED_S}
    with local_cloud(built / "cloud", settings=settings) as cloud:
        # the tests tick the warmer themselves, and what one of them sees is not to be another's burst
        parameters = {"WarmerState": "DISABLED", "Bursts": "false"}
        made = deployment.deploy(cloud, ROOT / "template.yaml", parameters=parameters)
        yield System(cloud, made, deployment.api_url(cloud, made), deployment.api_key(cloud, made))


@pytest.fixture(scope="session")
def answering(deployed: System) -> System:
    """The same build once more, with its answers to bursts; its schedule is as good as never."""
    cloud, template = deployed.cloud, ROOT / "template.yaml"
    parameters = {"WarmerRate": '"rate(30 days)"', "WarmerPeriod": "3600"}
    made = deployment.deploy(
        cloud,
        template,
        stack="answering",
        parameters=parameters,
        built=Path(cloud.folder) / "build/template.yaml",
    )
    return System(cloud, made, deployment.api_url(cloud, made), deployment.api_key(cloud, made))


@pytest.fixture
def system(deployed: System) -> Iterator[System]:
    """The deployed system, cold, with the warmer told to keep two environments whatever they cost."""
    deployed.settle({"floor": 2})
    deployed.expire_all()
    yield deployed
    deployed.cloud.clear_faults()


@pytest.fixture(scope="session")
def shipped(fast: LocalCloud, deployed: System) -> System:
    """The same build on a cloud in which five minutes take five seconds; one cold start of a customer rolls back."""
    built = Path(deployed.cloud.folder) / "build/template.yaml"
    parameters = {
        "WarmerState": "DISABLED",
        "ColdStartLimit": "1",
        "LatencyLimit": "60000",
        "Memory": str(MEMORY_MB),
        "DeploymentRatio": "100",  # the machine is anybody's: what is slower here is so by far more
    }
    made = deployment.deploy(fast, ROOT / "template.yaml", stack="canary", parameters=parameters, built=built)
    return System(fast, made, deployment.api_url(fast, made), deployment.api_key(fast, made))


@pytest.fixture
def canary(shipped: System) -> Canary:
    """The stack as it is between deployments: enough warm for its customers and the hook's questions."""
    canary = Canary(shipped.cloud, shipped.made, lambda line: None)
    shipped.settle({"floor": WARM})
    serves = shipped.cloud.client("lambda").get_alias(FunctionName=shipped.function, Name="live")

    def ready() -> bool:
        return len([o for o in shipped.environments() if o["version"] == serves["FunctionVersion"]]) >= WARM

    until(lambda: ready() or shipped.tick()["reached"] >= WARM)  # a round on a busy machine may reach fewer
    return canary


@pytest.fixture
def copy(deployed: System, tmp_path: Path) -> Path:
    """The built function's folder, to be changed into another version."""
    folder = tmp_path / "version"
    shutil.copytree(Path(deployed.cloud.folder) / "build/Recommend", folder)
    return folder


@pytest.fixture
def customers(shipped: System) -> Iterator[Callable[[], list[int]]]:
    """They ask all through the test; called, the statuses of what they were answered so far."""
    over, statuses = threading.Event(), list[int]()

    def ask() -> None:
        while not over.wait(PACE_S):
            statuses.append(shipped.ask()[0])

    with ThreadPoolExecutor(CUSTOMERS) as asking:
        going = [asking.submit(ask) for _ in range(CUSTOMERS)]
        yield lambda: list(statuses)
        over.set()
        for one in going:
            one.result()


def requests(system: System, after: int) -> list[dict[str, Any]]:
    """Customers' invocations since one, by the cloud's ledger."""
    found = system.cloud.invocations(after)
    return [one for one in found if one["function"] == system.function and one["kind"] == "request"]


def corrupted(folder: Path, pack: str, into: Path) -> Path:
    """A zip of the built function with one byte of one pack's weights turned over."""
    copy = into / "function"
    shutil.copytree(folder, copy)
    weights = copy / "models" / pack / "weights.bin"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 0xFF
    weights.write_bytes(data)
    package = into / "function.zip"
    with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(copy.rglob("*")):
            archive.write(file, file.relative_to(copy))
    return package
