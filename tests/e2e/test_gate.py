"""Each kind of faulty version is stopped by the deployment's hook with its reason; a good one is not.

Real worker processes throughout: what is broken is the built function, as a developer would break it.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from preheat_tools.demo.faulty import WRONG, write_weight
from preheat_tools.localcloud.canary import Canary, Outcome, Shift, package

from tests.e2e.conftest import MEMORY_MB, MODEL, System, requests
from tests.waiting import until

pytestmark = pytest.mark.cloud

AT_ONCE = Shift.of("AllAtOnce")
FAILED = f"- {MODEL} failed in environment [0-9a-f]+: "
TIMEOUT_S = 3


def wrong_weight(folder: Path) -> None:
    write_weight(folder / "models" / MODEL, WRONG)


def not_a_number(folder: Path) -> None:
    write_weight(folder / "models" / MODEL, math.nan)


def wrong_hash(folder: Path) -> None:
    weights = folder / "models" / MODEL / "weights.bin"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 0xFF
    weights.write_bytes(data)


def no_golden(folder: Path) -> None:
    (folder / "models" / MODEL / "golden.npz").unlink()


def no_model(folder: Path) -> None:
    shutil.rmtree(folder / "models" / MODEL)


def other_schema(folder: Path) -> None:
    manifest = folder / "models" / MODEL / "manifest.json"
    body = json.loads(manifest.read_text())
    body["inputs"][0]["shape"] = ["batch", 295]
    manifest.write_text(json.dumps(body))


def imports_what_is_not_there(folder: Path) -> None:
    begin_with(folder, "import no_such_package")


def hangs_in_init(folder: Path) -> None:
    begin_with(folder, "import time\ntime.sleep(600)")


def takes_more_memory(folder: Path) -> None:
    begin_with(folder, f"KEPT = b'.' * ({MEMORY_MB} << 20)")


def answers_slowly(folder: Path) -> None:
    """100 ms more an answer, of tens of microseconds."""
    answer_after(folder, "time.sleep(0.1)")


def fails_in_all_environments_but_the_first(folder: Path) -> None:
    taken = folder.parent / "the-first-has-begun"
    begin_with(
        folder,
        f"try:\n    open({str(taken)!r}, 'x').close()\n    OTHERS = False\nexcept OSError:\n    OTHERS = True",
    )
    answer_after(folder, "if OTHERS: raise OSError('the device does not answer')")


def begin_with(folder: Path, source: str) -> None:
    """Put statements at the beginning of the handler's module."""
    module = folder / "app.py"
    module.write_text(f"{source}\n{module.read_text()}")
    for compiled in (folder / "__pycache__").glob("app.*"):
        compiled.unlink()  # it is not checked against its source


def answer_after(folder: Path, statement: str) -> None:
    """Let a statement run ahead of every answer of one model."""
    begin_with(folder, SESSION.format(model=MODEL, statement=statement))


SESSION = """
import time
from preheat import host

class Altered:
    def __init__(self, session):
        self.session = session
    def __getattr__(self, name):
        return getattr(self.session, name)
    def run(self, inputs):
        {statement}
        return self.session.run(inputs)

def opened(pack, plain=host.open_session, **options):
    session = plain(pack, **options)
    return Altered(session) if pack.name == "{model}" else session

host.open_session = opened
"""


@pytest.fixture
def short_of_time(shipped: System) -> Iterator[None]:
    """What hangs is given up after seconds; the versions that serve keep their own timeout."""
    functions = shipped.cloud.client("lambda")
    timeout_s = functions.get_function_configuration(FunctionName=shipped.function)["Timeout"]
    functions.update_function_configuration(FunctionName=shipped.function, Timeout=TIMEOUT_S)
    shipped.cloud.set(init_limit_s=1.0)
    yield
    shipped.cloud.set(init_limit_s=10.0)
    functions.update_function_configuration(FunctionName=shipped.function, Timeout=timeout_s)


@pytest.fixture
def deploy(
    shipped: System, canary: Canary, copy: Path, customers: Callable[[], list[int]]
) -> Callable[[Callable[[Path], None]], Outcome]:
    """Deploys the built function as changed while customers ask; a version that is stopped has met none of them."""

    def deploy(change: Callable[[Path], None]) -> Outcome:
        change(copy)
        before = int(shipped.last()["sequence"])
        outcome = canary.deploy(package(copy), AT_ONCE)
        serves = outcome.old if outcome.stopped else outcome.new
        until(lambda: [one for one in requests(shipped, before) if one["version"] == serves])
        alias = shipped.cloud.client("lambda").get_alias(FunctionName=shipped.function, Name="live")
        assert alias["FunctionVersion"] == serves
        assert not (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
        if outcome.stopped:
            assert {one["version"] for one in requests(shipped, before)} == {outcome.old}
        assert set(customers()) == {200}
        return outcome

    return deploy


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(wrong_weight, rf"{FAILED}.*\] is \S+, golden is ", id="wrong-weights"),
        pytest.param(not_a_number, rf"{FAILED}.*\] is nan, golden is ", id="answers-nan"),
        pytest.param(
            answers_slowly,
            rf"- {MODEL}: steady_ms is 1\d\d\.\d, was .*: more than 100 times as slow",
            id="too-slow",
        ),
        pytest.param(
            takes_more_memory, rf"signal: killed.*more memory than the function's {MEMORY_MB} MB", id="memory"
        ),
        pytest.param(
            imports_what_is_not_there,
            "No module named 'no_such_package'.*Runtime.ImportModuleError",
            id="import-error",
        ),
        pytest.param(
            fails_in_all_environments_but_the_first,
            rf"{FAILED}OSError: the device does not answer",
            id="one-environment-and-not-another",
        ),
        pytest.param(
            other_schema,
            rf"{FAILED}.*the manifest says visited is .*295\], the graph says .*294\]",
            id="wrong-input-schema",
        ),
        pytest.param(no_golden, f"{FAILED}.*golden.npz", id="golden-file-missing"),
        pytest.param(wrong_hash, f"{FAILED}.*SHA-256 of weights.bin", id="hash-mismatch"),
        pytest.param(no_model, f"{FAILED}no model '{MODEL}'", id="a-model-less"),
    ],
)
def test_a_faulty_version_is_stopped_with_its_reason(
    deploy: Callable[..., Outcome], change: Callable[[Path], None], says: str
) -> None:
    outcome = deploy(change)
    assert outcome.stopped == "BeforeAllowTraffic: Failed"
    assert re.search(says, outcome.report), outcome.report


@pytest.mark.usefixtures("short_of_time")
def test_one_that_hangs_in_init_is_stopped_when_its_time_is_over(deploy: Callable[..., Outcome]) -> None:
    outcome = deploy(hangs_in_init)
    assert outcome.stopped == "BeforeAllowTraffic: Failed"
    assert f"Task timed out after {TIMEOUT_S}.00 seconds" in outcome.report, outcome.report


def test_one_that_fails_in_some_environments_was_good_in_the_first(
    shipped: System, deploy: Callable[..., Outcome]
) -> None:
    outcome = deploy(fails_in_all_environments_but_the_first)
    asked = [one for one in shipped.cloud.invocations() if one["version"] == outcome.new]
    failed = set(re.findall(FAILED, outcome.report))
    assert 0 < len(failed) < len({one["environment"] for one in asked})


def test_a_good_version_passes(deploy: Callable[..., Outcome]) -> None:
    outcome = deploy(lambda folder: (folder / "note.txt").write_text("another version of the same models"))
    assert (outcome.stopped, outcome.report.splitlines()[0]) == ("", "PASSED")
