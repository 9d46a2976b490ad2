"""One setting puts models on a GPU where there is one; elsewhere they run on the CPU, and one line says why.

No GPU is here: what has one is played by an onnxruntime that says so, over its real CPU sessions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from preheat.engines import device, open_session
from preheat.engines.device import PROVIDER
from preheat.host import ModelHost
from preheat.pack import Pack, read_pack, read_packs
from preheat.ping import Level
from preheat.settings import SettingError, Settings

from ..runtime.fakes import VISITED, FakeSurroundings
from ..runtime.packs import write_pack


@pytest.fixture(autouse=True)
def unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new process: nothing is said yet."""
    monkeypatch.setattr(device, "_SAID", set())


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return read_pack(write_pack(tmp_path / "models", "a"))


def with_gpu(monkeypatch: pytest.MonkeyPatch, *, starts: bool = True) -> list[list[str]]:
    """An onnxruntime built for CUDA, whose provider starts or does not; the providers that sessions ask for."""
    real, asked = onnxruntime.InferenceSession, []

    class Session:
        def __init__(self, path: str, options: Any, providers: list[str]) -> None:
            asked.append(providers)
            self._real = real(path, options, providers=["CPUExecutionProvider"])

        def get_providers(self) -> list[str]:
            return [PROVIDER, "CPUExecutionProvider"] if starts else ["CPUExecutionProvider"]

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDER, "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    return asked


def test_without_a_gpu_models_run_on_the_cpu_and_one_line_says_why(
    pack: Pack, capfd: pytest.CaptureFixture[str]
) -> None:
    sessions = [open_session(pack, device="cuda") for _ in range(2)]
    usual = open_session(pack)
    for session in sessions:
        assert (session.device, session.phases.path) == ("cpu", usual.phases.path)
        assert session.run(VISITED)["scores"].data == usual.run(VISITED)["scores"].data
    (line,) = [one for one in capfd.readouterr().err.splitlines() if "PREHEAT_DEVICE" in one]
    assert line.startswith(
        "preheat: PREHEAT_DEVICE=cuda, but models run on the CPU: this onnxruntime has no CUDA"
    )


def test_with_one_the_session_asks_for_it_and_is_not_repacked(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = with_gpu(monkeypatch)
    session = open_session(pack, device="cuda")
    assert asked == [[PROVIDER, "CPUExecutionProvider"]]
    assert (session.device, session.packed) == ("cuda", True)


def test_a_provider_that_does_not_start_is_told(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with_gpu(monkeypatch, starts=False)
    assert open_session(pack, device="cuda").device == "cpu"
    assert "onnxruntime could not start its provider" in capfd.readouterr().err


@pytest.mark.parametrize(("wanted", "level"), [("cuda", Level.ON_DEVICE), ("cpu", Level.LOADED)])
def test_a_model_on_a_gpu_is_on_device_before_it_is_verified(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, wanted: str, level: Level
) -> None:
    with_gpu(monkeypatch)
    root = str(Path(pack.folder).parent)
    host = ModelHost(read_packs(root)[0], FakeSurroundings(root=root, device=wanted))
    host.warm({"a": Level.LOADED}, 1e9)
    assert host.report()["a"].level == level
    host.warm({"a": Level.HOT}, 1e9)
    assert host.report()["a"].level == Level.HOT


def test_the_setting_has_two_values() -> None:
    assert Settings.of({"PREHEAT_DEVICE": "cuda"}).device == "cuda"
    with pytest.raises(SettingError, match="PREHEAT_DEVICE must be cpu or cuda, was: 'gpu'"):
        Settings.of({"PREHEAT_DEVICE": "gpu"})


class Torch:
    """What is asked of torch before a module goes anywhere."""

    def __init__(self, available: bool) -> None:
        self.cuda = self
        self._available = available

    def is_available(self) -> bool:
        return self._available


@pytest.mark.parametrize(
    ("wanted", "available", "found"), [("cuda", True, "cuda"), ("cuda", False, "cpu"), ("cpu", True, "cpu")]
)
def test_torch_goes_where_it_can(
    wanted: str, available: bool, found: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert device.torch_device(Torch(available), wanted) == found
    said = capfd.readouterr().err
    assert ("torch finds no CUDA device" in said) == (wanted == "cuda" and not available)
