"""A deployment, from the built package to the last step of the shift, by the real hook and real workers."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from preheat_tools.demo.faulty import with_one_wrong_weight
from preheat_tools.localcloud import deployment
from preheat_tools.localcloud.canary import Canary, Shift, package
from preheat_tools.localcloud.commands import local
from preheat_tools.localcloud.process import LocalCloud

from tests.e2e.conftest import MODEL, ROOT, System, until

pytestmark = pytest.mark.cloud

FIVE_MINUTES = Shift.of("Canary10Percent5Minutes")
WARM = 4
CUSTOMERS = 2


@pytest.fixture(scope="module")
def shipped(fast: LocalCloud, deployed: System) -> System:
    """The same build on a cloud in which five minutes take five seconds; one cold start of a customer rolls back."""
    built = Path(deployed.cloud.folder) / "build/template.yaml"
    parameters = {
        "WarmerState": "DISABLED",
        "ColdStartLimit": "1",
        "LatencyLimit": "60000",
        "DeploymentEnvironments": str(WARM),
        "DeploymentRatio": "100",  # the machine is anybody's: times are not what is tested
    }
    made = deployment.deploy(fast, ROOT / "template.yaml", stack="canary", parameters=parameters, built=built)
    return System(fast, made, deployment.api_url(fast, made), deployment.api_key(fast, made))


@pytest.fixture
def canary(shipped: System) -> Canary:
    """The stack as it is between deployments: enough warm for its customers and the hook's questions, no alarm."""
    canary = Canary(shipped.cloud, shipped.made, lambda line: None)
    until(lambda: not canary.alarms())
    shipped.settle({"floor": WARM})
    until(lambda: shipped.tick()["reached"] >= WARM)  # a round of INITs on a busy machine may reach fewer
    return canary


@pytest.fixture
def package_built(deployed: System) -> Path:
    return Path(deployed.cloud.folder) / "build/Recommend"


@pytest.fixture
def good(package_built: Path, tmp_path: Path) -> bytes:
    """Other code, the same models."""
    shutil.copytree(package_built, tmp_path / "good")
    (tmp_path / "good/note.txt").write_text(str(tmp_path))
    return package(tmp_path / "good")


@pytest.fixture
def customers(shipped: System) -> Iterator[Callable[[], list[int]]]:
    """They ask all through the test; called, the statuses of what they were answered so far."""
    over, statuses = threading.Event(), []

    def ask() -> None:
        while not over.is_set():
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


def test_a_good_version_takes_over_and_no_customer_waits_for_init(
    shipped: System, canary: Canary, good: bytes, customers: Callable[[], list[int]]
) -> None:
    before = int(shipped.last()["sequence"])

    outcome = canary.deploy(good, FIVE_MINUTES)

    assert outcome.stopped == ""
    assert outcome.report.startswith("PASSED")
    until(lambda: requests(shipped, before)[-1]["version"] == outcome.new)
    asked = requests(shipped, before)
    assert {one["version"] for one in asked} == {outcome.old, outcome.new}
    assert [one for one in asked if one["cold"]] == []
    assert set(customers()) == {200}


def test_a_model_with_one_wrong_weight_never_gets_a_request(
    shipped: System,
    canary: Canary,
    package_built: Path,
    tmp_path: Path,
    customers: Callable[[], list[int]],
) -> None:
    before = int(shipped.last()["sequence"])
    wrong = package(with_one_wrong_weight(package_built, MODEL, tmp_path / "wrong"))

    outcome = canary.deploy(wrong, FIVE_MINUTES)

    assert outcome.stopped == "BeforeAllowTraffic: Failed"
    assert f"- {MODEL} failed in environment" in outcome.report, outcome.report
    assert ", golden is " in outcome.report, outcome.report
    until(lambda: len(customers()) > 0)
    assert {one["version"] for one in requests(shipped, before)} == {outcome.old}
    assert set(customers()) == {200}


def wrong_hash(models: Path) -> None:
    data = bytearray((models / MODEL / "weights.bin").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (models / MODEL / "weights.bin").write_bytes(data)


def no_golden(models: Path) -> None:
    (models / MODEL / "golden.npz").unlink()


def no_model(models: Path) -> None:
    shutil.rmtree(models / MODEL)


def other_schema(models: Path) -> None:
    manifest = models / MODEL / "manifest.json"
    body = json.loads(manifest.read_text())
    body["inputs"][0]["shape"] = ["batch", 295]
    manifest.write_text(json.dumps(body))


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        pytest.param(wrong_hash, f"- {MODEL} failed .*SHA-256 of weights.bin", id="wrong-hash"),
        pytest.param(no_golden, f"- {MODEL} failed .*golden.npz", id="golden-file-missing"),
        pytest.param(no_model, f"- {MODEL} failed .*no model '{MODEL}'", id="a-model-less"),
        pytest.param(other_schema, f"- {MODEL} failed ", id="wrong-input-schema"),
    ],
)
def test_a_broken_pack_is_stopped_with_its_reason(
    canary: Canary, package_built: Path, tmp_path: Path, break_it: Callable[[Path], None], says: str
) -> None:
    shutil.copytree(package_built, tmp_path / "broken")
    break_it(tmp_path / "broken/models")
    outcome = canary.deploy(package(tmp_path / "broken"), FIVE_MINUTES)
    assert outcome.stopped == "BeforeAllowTraffic: Failed"
    assert re.search(says, outcome.report), outcome.report


def test_an_answer_that_is_no_number_is_stopped(canary: Canary, package_built: Path, tmp_path: Path) -> None:
    folder = with_one_wrong_weight(package_built, MODEL, tmp_path / "nan", weight=math.nan)
    outcome = canary.deploy(package(folder), FIVE_MINUTES)
    assert outcome.stopped == "BeforeAllowTraffic: Failed"
    assert re.search(rf"- {MODEL} failed .*nan, golden is ", outcome.report), outcome.report


def test_a_version_that_cannot_start_never_gets_a_request(canary: Canary) -> None:
    outcome = canary.deploy(package_of("raise RuntimeError('no models today')"), FIVE_MINUTES)
    assert outcome.stopped == "BeforeAllowTraffic: Failed"
    assert "no models today" in outcome.report


def test_errors_while_traffic_shifts_roll_back(
    shipped: System, canary: Canary, good: bytes, customers: Callable[[], list[int]]
) -> None:
    alarm = f"{shipped.made.stack}-errors"
    before = int(shipped.last()["sequence"])
    told: list[str] = []

    def fail(line: str) -> None:
        told.append(line)
        if "10 %" in line:  # what only customers find: the hook has been content
            shipped.cloud.client("lambda").invoke(
                FunctionName=shipped.function, Qualifier="live", Payload=b'{"httpMethod": 1}'
            )

    outcome = Canary(shipped.cloud, shipped.made, fail).deploy(good, FIVE_MINUTES)

    assert outcome.stopped == f"alarm {alarm}"
    assert told[-1].endswith(f"version {outcome.old} has all requests")
    after = int(shipped.last()["sequence"])
    until(lambda: len(requests(shipped, after)) > CUSTOMERS)
    assert {one["version"] for one in requests(shipped, after)[CUSTOMERS:]} == {outcome.old}
    assert [one for one in requests(shipped, before) if one["cold"]] == []


def test_the_command_says_what_happened(shipped: System, canary: Canary, deployed: System) -> None:
    told = CliRunner().invoke(
        local,
        ["--folder", shipped.cloud.folder, "deploy", "--stack", shipped.made.stack, "--canary=AllAtOnce"],
    )
    assert told.exit_code == 0, told.output
    assert "by a stand-in" in told.output
    assert "BeforeAllowTraffic: Succeeded" in told.output and "PASSED" in told.output


def test_a_shift_that_codedeploy_does_not_know_is_refused(shipped: System) -> None:
    told = CliRunner().invoke(
        local,
        ["--folder", shipped.cloud.folder, "deploy", "--stack", shipped.made.stack, "--canary=Slowly"],
    )
    assert told.exit_code == 2 and "a shift is AllAtOnce" in told.output


def package_of(source: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("app.py", source)
    return data.getvalue()
