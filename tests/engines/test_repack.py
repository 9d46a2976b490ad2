"""The second step: when a packed session pays, that it is made within a ping or not at all, and that it is sound."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from preheat.engines import EngineError, open_session
from preheat.engines.repack import NotPackedError, make_packed, why_not
from preheat.frozen import replace
from preheat.golden import difference, read_golden
from preheat.host import ModelHost
from preheat.manifest import GoldenSpec, Measured, TensorSpec
from preheat.pack import Pack, read_pack
from preheat.settings import Settings
from preheat.surroundings import ProcessClock

from ..runtime.packs import rewrite_manifest, write_pack

WIDE = 2048
LAYERS = 12
PAYS = Measured(
    machine="a test",
    load_ms=300.0,
    first_answer_ms=90.0,
    steady_ms=90.0,
    packed_load_ms=700.0,
    packed_steady_ms=45.0,
    packed_memory_mb=700.0,
)
ROOM = {"slowness": 1.0, "left_s": 5.0, "room_mb": 1000.0}


def _wide_pack(root: Path, **changes: object) -> Pack:
    """Twelve matrices of 16 MB in an external file: packing them takes a good part of a second, an answer little."""
    folder = write_pack(root, "wide")
    random = np.random.default_rng(1)
    weights = [(random.random((WIDE, WIDE), dtype=np.float32) - 0.5) / 50 for _ in range(LAYERS)]
    names = ["given", *(f"x{layer}" for layer in range(1, LAYERS)), "answer"]
    graph = helper.make_graph(
        [helper.make_node("MatMul", [names[n], f"w{n}"], [names[n + 1]]) for n in range(LAYERS)],
        "wide",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, ["batch", WIDE])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", WIDE])],
        [
            helper.make_tensor(f"w{n}", TensorProto.FLOAT, w.shape, w.tobytes(), raw=True)
            for n, w in enumerate(weights)
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "model.onnx").unlink()
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="weights.bin")
    given = random.random((2, WIDE), dtype=np.float32)
    answer = given
    for matrix in weights:
        answer = answer @ matrix
    np.savez(folder / "golden.npz", **{"0.in.given": given, "0.out.answer": answer})
    settings = {
        "inputs": (TensorSpec(name="given", type="float32", shape=("batch", WIDE)),),
        "outputs": (TensorSpec(name="answer", type="float32", shape=("batch", WIDE)),),
        "golden": GoldenSpec(file="golden.npz", cases=1, rtol=1e-2, atol=1e-4),
        "measured": PAYS,
        "memory_mb": 210.0,
    }
    rewrite_manifest(folder, read_pack(folder).manifest, **(settings | changes))
    return read_pack(folder)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return _wide_pack(tmp_path_factory.mktemp("packs"))


@pytest.mark.parametrize(
    ("measured", "room", "says"),
    [
        pytest.param({}, {}, "", id="it-pays-after-16-answers"),
        pytest.param({"packed_steady_ms": 0.0}, {}, "did not measure", id="not-measured"),
        pytest.param({"packed_steady_ms": 89.0}, {}, "answers in 89 ms", id="a-gain-within-the-noise"),
        pytest.param(
            {"packed_steady_ms": 86.0}, {}, "takes 700 ms for 4 ms", id="a-gain-that-never-makes-up-for-it"
        ),
        pytest.param({}, {"left_s": 1.0}, "takes 1 s, 1 s are left", id="too-little-time-left"),
        pytest.param({}, {"slowness": 10.0}, "takes 10 s", id="a-slow-machine"),
        pytest.param({}, {"left_s": -1.0}, "0 s are left", id="a-deadline-that-passed"),
        pytest.param({}, {"room_mb": 699.0}, "takes 700 MB beside", id="no-room-for-both"),
    ],
)
def test_a_packed_session_is_made_only_where_it_pays_and_fits(wide: Pack, measured, room, says):
    manifest = replace(wide.manifest, measured=replace(PAYS, **measured))
    reason = why_not(manifest, **(ROOM | room))
    assert says in reason and bool(says) == bool(reason)


def test_torch_has_no_packed_sessions(wide: Pack):
    assert "torch" in why_not(replace(wide.manifest, engine="torch"), **ROOM)


def test_a_packed_session_keeps_the_golden_tolerance(wide: Pack):
    (question,) = read_golden(wide)
    packed = make_packed(wide, 60)
    assert packed.packed
    assert difference(question.answers, packed.run(question.inputs), wide.manifest.golden) == ""


def test_without_memory_for_it_the_error_says_how_much_and_what_to_do(wide: Pack):
    code = (
        "import resource, sys\n"
        "from preheat.engines import EngineError, open_session\n"
        "from preheat.engines.fast import library\n"
        "from preheat.pack import read_pack\n"
        f"pack, _ = read_pack({wide.folder!r}), library()\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000,) * 2)\n"
        "try:\n    open_session(pack, packed=True)\n"
        "except EngineError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "no memory to open wide, which takes 210 MB; give the function more MemorySize" in done.stdout


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_truncated_weights_are_refused_when_they_are_opened(tmp_path: Path, fast: bool):
    pack = _wide_pack(tmp_path)
    os.truncate(pack.path("weights.bin"), 1000)
    with pytest.raises(EngineError, match="preheat pack --verify"):
        open_session(pack, fast=fast)


def test_one_that_is_late_is_given_up_and_leaves_no_memory(wide: Pack):
    before_mb = _resident_mb()
    with pytest.raises(NotPackedError, match="not made within"):
        make_packed(wide, 0.001)
    assert _resident_mb() - before_mb < 100


def test_a_host_swaps_within_a_ping_and_never_in_a_request(tmp_path: Path):
    host = _host(_wide_pack(tmp_path))
    (question,) = read_golden(read_pack(tmp_path / "wide"))
    model = host._models["wide"]
    for _ in range(3):
        unpacked = host["wide"].run(question.inputs)
        assert not model.packed
    host.warm({}, host.clock.steady_s() + 60)
    assert model.packed and model.problem == ""
    packed = host["wide"].run(question.inputs)
    assert difference(unpacked, packed, model.manifest.golden) == ""
    assert host.report()["wide"].memory_mb == 700.0


@pytest.mark.parametrize(
    ("memory_mb", "left_s"),
    [pytest.param(900, 60, id="no-memory-for-both"), pytest.param(4000, 0.5, id="no-time")],
)
def test_a_host_without_memory_or_time_stays_as_it_is(tmp_path: Path, memory_mb: float, left_s: float):
    host = _host(_wide_pack(tmp_path), memory_mb=memory_mb)
    host.warm({}, host.clock.steady_s() + left_s)
    assert not host._models["wide"].packed
    assert host["wide"].level.name == "HOT"


def test_provisioned_concurrency_packs_in_init(tmp_path: Path):
    host = _host(_wide_pack(tmp_path), initialization="provisioned-concurrency")
    assert host._models["wide"].packed


def test_a_packed_session_that_answers_wrongly_is_dropped_and_not_tried_again(tmp_path: Path):
    host = _host(_wide_pack(tmp_path))
    model = host._models["wide"]
    golden = Path(model.pack.path("golden.npz"))
    np.savez(
        golden,
        **{"0.in.given": np.ones((1, WIDE), np.float32), "0.out.answer": np.ones((1, WIDE), np.float32)},
    )
    host.warm({}, host.clock.steady_s() + 60)
    assert (model.packed, model.level.name, model.problem) == (False, "HOT", "")
    assert "golden is 1" in model.not_packed


def test_stopped_between_invocations_a_ping_packs_and_a_background_thread_does_not(wide: Pack):
    with _worker("ping", wide) as ping, _worker("background", wide) as background:
        assert [w.say("ask") for w in (ping, background)] == ["unpacked", "unpacked"]
        # as long as packing takes, and more: time that a stopped process does not have
        for _ in range(2):
            make_packed(wide, 60).close()
        assert background.say("ask") == "unpacked"
        assert ping.say("ping") == "packed"
        assert ping.say("ask") == "packed"


def test_running_on_between_invocations_the_background_thread_would_pack(wide: Pack):
    """What the test above holds against it is the stopping alone."""
    with _worker("background", wide, stops=False) as background:
        deadline_s = time.monotonic() + 60
        while background.say("ask") == "unpacked":
            assert time.monotonic() < deadline_s


class Worker:
    """A process that runs only between a line and its answer."""

    def __init__(self, process: subprocess.Popen[str], stops: bool) -> None:
        self._process, self._stops = process, stops

    def say(self, line: str) -> str:
        os.kill(self._process.pid, signal.SIGCONT)
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.hear()

    def hear(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        if self._stops:
            os.kill(self._process.pid, signal.SIGSTOP)
        return answer


@contextmanager
def _worker(design: str, pack: Pack, *, stops: bool = True) -> Iterator[Worker]:
    script = str(Path(__file__).with_name("worker.py"))
    process = subprocess.Popen(
        [sys.executable, script, design, pack.folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    worker = Worker(process, stops)
    try:
        assert worker.hear() == "ready"
        yield worker
    finally:
        process.kill()
        process.communicate()


class _Here:
    """An environment that began when it was made; its log goes nowhere."""

    def __init__(self, **settings: Any) -> None:
        self.settings = replace(Settings(), **settings)
        self._clock = ProcessClock()
        self._clock._zero_s = time.monotonic()

    def clock(self) -> ProcessClock:
        return self._clock

    def say(self, line: str) -> None:
        """Nothing."""

    def leave(self, reason: str) -> None:
        raise AssertionError(reason)


def _host(pack: Pack, memory_mb: float = 4000, initialization: str = "on-demand") -> ModelHost:
    host = ModelHost([pack], _Here(memory_mb=memory_mb, initialization=initialization))
    host.initialise()
    return host


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000
