"""`preheat pack package.module:factory`: torch in, a pack out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner, Result
from preheat.golden import read_golden
from preheat.pack import read_pack
from preheat_tools.cli import main

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

NETWORK = """
import torch

class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(40, 20)

    def forward(self, x):
        return torch.relu(self.layer(x))

def make():
    return Scaled()
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of the user's own, weights and samples; the current one."""
    name = f"nets_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(NETWORK)
    draw = torch.Generator().manual_seed(1)
    weights = {
        "layer.weight": torch.randn(20, 40, generator=draw),
        "layer.bias": torch.randn(20, generator=draw),
    }
    from safetensors.torch import save_file

    save_file(weights, tmp_path / "net.safetensors")
    torch.save(weights, tmp_path / "net.pt")
    np.savez(
        tmp_path / "samples.npz",
        **{"0.x": np.ones((1, 40), np.float32), "1.x": np.eye(3, 40, dtype=np.float32)},
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(
        "PYTHONPATH", str(tmp_path)
    )  # the processes that measure find the factory as a function would
    return tmp_path


def _pack(shop: Path, *arguments: str) -> Result:
    factory = f"nets_{shop.name}:make"
    return CliRunner().invoke(
        main, ["pack", factory, "--samples", "samples.npz", "--output", "score", "--name", "net", *arguments]
    )


@pytest.mark.parametrize("weights", ["net.safetensors", "net.pt"])
@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_golden_answers_are_those_of_the_module_with_its_weights(
    shop: Path, weights: str, engine: str
) -> None:
    done = _pack(shop, "--weights", weights, "--engine", engine)
    assert done.exit_code == 0, done.output
    pack = read_pack(shop / "net")
    assert pack.manifest.engine == engine
    assert [(spec.name, spec.shape) for spec in pack.manifest.inputs] == [("x", ("batch", 40))]
    state = torch.load("net.pt", weights_only=True)
    for question in read_golden(pack):
        x = torch.from_numpy(question.inputs["x"].numpy().copy())
        expected = torch.relu(x @ state["layer.weight"].T + state["layer.bias"])
        np.testing.assert_allclose(question.answers["score"].numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
    assert CliRunner().invoke(main, ["pack", "--verify", "net"]).exit_code == 0


def test_one_sample_leaves_the_batch_free(shop: Path) -> None:
    np.savez("samples.npz", x=np.ones((1, 40), np.float32))
    done = _pack(shop, "--weights", "net.pt")
    assert done.exit_code == 0, done.output
    session = onnxruntime.InferenceSession("net/model.onnx")
    assert session.run(None, {"x": np.ones((7, 40), np.float32)})[0].shape == (7, 20)


def test_a_dimension_that_samples_show_in_two_sizes_stays_free(shop: Path) -> None:
    """The layer takes any number of places before its last dimension."""
    shapes = {"0.x": (2, 3, 40), "1.x": (1, 5, 40)}
    np.savez("samples.npz", **{name: np.ones(shape, np.float32) for name, shape in shapes.items()})
    done = _pack(shop, "--weights", "net.pt")
    assert done.exit_code == 0, done.output
    batch, places, width = read_pack(shop / "net").manifest.inputs[0].shape
    assert (batch, width) == ("batch", 40)
    assert isinstance(places, str)
    session = onnxruntime.InferenceSession("net/model.onnx")
    assert session.run(None, {"x": np.ones((4, 9, 40), np.float32)})[0].shape == (4, 9, 20)


def test_a_torch_pack_holds_no_pickle(shop: Path) -> None:
    assert _pack(shop, "--weights", "net.safetensors", "--engine", "torch").exit_code == 0
    assert sorted(file.name for file in (shop / "net").iterdir()) == [
        "factory.json",
        "golden.npz",
        "manifest.json",
        "weights.safetensors",
    ]


def test_a_pickled_module_is_refused_and_its_code_does_not_run(shop: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (shop / "ran",))

    torch.save({"layer.weight": Trap()}, shop / "trap.pt")
    done = _pack(shop, "--weights", "trap.pt")
    assert done.exit_code == 1
    assert "safetensors.torch.save_file" in done.output
    assert not (shop / "ran").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["--weights", "none.safetensors"], "no weights at", id="no-weights"),
        pytest.param(["--weights", "samples.npz"], "holds no weights", id="not-weights"),
        pytest.param(
            ["--weights", "net.pt", "--output", "a", "--output", "b"], "--output", id="too-many-outputs"
        ),
        pytest.param(["--engine", "torch", "--precision", "int8"], "onnxruntime", id="int8-with-torch"),
    ],
)
def test_what_does_not_fit_says_what_to_do(shop: Path, arguments: list[str], says: str) -> None:
    done = _pack(shop, *arguments)
    assert done.exit_code == 1, done.output
    assert says in done.output
    assert not (shop / "net").exists()


def test_a_module_without_samples_is_refused(shop: Path) -> None:
    done = CliRunner().invoke(main, ["pack", f"nets_{shop.name}:make"])
    assert done.exit_code == 1
    assert "give --samples" in done.output


def test_a_factory_that_is_not_there_is_refused(shop: Path) -> None:
    done = CliRunner().invoke(main, ["pack", "nowhere.at:all", "--samples", "samples.npz"])
    assert done.exit_code == 1
    assert "package.module:factory" in done.output
