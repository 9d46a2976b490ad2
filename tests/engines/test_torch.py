"""The torch engine: the module's own answers from mapped safetensors, nothing initialised, no pickle."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preheat.engines import EngineError, open_session
from preheat.manifest import GoldenSpec, Manifest, TensorSpec
from preheat.pack import Pack, read_pack
from preheat.tensor import Tensor

from ..runtime.packs import rewrite_manifest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
BENCH = "preheat_tools.bench.modules:Encoder"
SHAPE = {"words": 50, "positions": 32, "width": 16, "layers": 2, "heads": 4, "inner": 32}


def _pack(folder: Path, factory: str = BENCH, arguments: dict[str, Any] = SHAPE) -> tuple[Pack, Any]:
    from preheat_tools.bench.modules import Encoder
    from safetensors.torch import save_file

    torch.manual_seed(3)
    module = Encoder(**SHAPE).eval()
    save_file(module.state_dict(), folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps({"factory": factory, "arguments": arguments}))
    np.savez(folder / "golden.npz", nothing=np.zeros(1))
    manifest = Manifest(
        name="encoder",
        version="",
        engine="torch",
        graph="model.json",
        precision="fp32",
        opset=0,
        files={},
        memory_mb=1.0,
        traffic_share=0.5,
        inputs=tuple(TensorSpec(name=n, type="int64", shape=("batch", "length")) for n in ("tokens", "mask")),
        outputs=(TensorSpec(name="answer", type="float32", shape=("batch", 16)),),
        golden=GoldenSpec(file="golden.npz", cases=1, rtol=1e-4, atol=1e-5),
    )
    rewrite_manifest(folder, manifest)
    return read_pack(folder), module


def test_it_answers_as_the_module_does(tmp_path: Path):
    pack, module = _pack(tmp_path)
    tokens, mask = np.arange(10).reshape(2, 5), np.ones((2, 5), np.int64)
    with torch.no_grad():
        expected = module(torch.from_numpy(tokens), torch.from_numpy(mask)).numpy()
    session = open_session(pack)
    for inputs in ({"tokens": tokens, "mask": mask}, {"mask": Tensor.from_numpy(mask), "tokens": tokens}):
        answer = session.run(inputs)["answer"]
        assert bytes(answer.data) == expected.tobytes()
    session.close()
    with pytest.raises(EngineError, match="closed"):
        session.run({"tokens": tokens, "mask": mask})


def test_nothing_is_initialised_and_the_layers_are_as_they_were_afterwards(tmp_path: Path):
    pack, _ = _pack(tmp_path)
    before = torch.random.get_rng_state()
    reset = torch.nn.Linear.reset_parameters
    open_session(pack)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.nn.Linear.reset_parameters is reset


@pytest.mark.parametrize(
    ("factory", "arguments", "says"),
    [
        pytest.param("no.such:Thing", SHAPE, "importable factory", id="no-such-factory"),
        pytest.param(BENCH, {**SHAPE, "width": 32}, "does not fit the module", id="another-shape"),
        pytest.param(BENCH, {**SHAPE, "layers": 3}, "does not fit the module", id="a-missing-layer"),
    ],
)
def test_weights_or_factory_that_do_not_fit_are_refused(tmp_path: Path, factory, arguments, says):
    pack, _ = _pack(tmp_path, factory, arguments)
    with pytest.raises(EngineError, match=says):
        open_session(pack)


def _fails_as_no_factory_should(**arguments: Any) -> Any:
    raise KeyError("a setting of its own")


class _AnswersWithText(torch.nn.Module):
    def forward(self, tokens: Any, mask: Any) -> Any:
        return "no tensor"


class _AnswersTwice(torch.nn.Module):
    def forward(self, tokens: Any, mask: Any) -> Any:
        return tokens, mask


def test_what_a_factory_raises_is_an_engines_error(tmp_path: Path):
    pack, _ = _pack(tmp_path, f"{__name__}:_fails_as_no_factory_should")
    with pytest.raises(EngineError, match="its factory failed: KeyError: 'a setting of its own'"):
        open_session(pack)


@pytest.mark.parametrize("module", [_AnswersWithText, _AnswersTwice])
def test_an_answer_that_is_not_the_manifests_is_an_engines_error(tmp_path: Path, module: type[Any]):
    pack, _ = _pack(tmp_path)
    session = open_session(pack)
    session._module = module()
    tokens = np.zeros((1, 2), np.int64)
    with pytest.raises(EngineError, match=r"torch cannot answer answer: (AttributeError|ValueError)"):
        session.run({"tokens": tokens, "mask": tokens})


_TURNS = iter(range(2))
_SECOND_CAME, _FIRST_ENDED = threading.Event(), threading.Event()


def _the_first_ends_while_the_second_is_made(**arguments: Any) -> Any:
    from preheat_tools.bench.modules import Encoder

    if next(_TURNS) == 0:
        _SECOND_CAME.wait(0.5)  # it does not, as long as one is made at a time
    else:
        _SECOND_CAME.set()
        _FIRST_ENDED.wait(10.0)
    return Encoder(**arguments)


def test_two_modules_made_at_one_time_leave_the_layers_as_they_were(tmp_path: Path):
    pack, _ = _pack(tmp_path, f"{__name__}:_the_first_ends_while_the_second_is_made")
    reset = torch.nn.Linear.reset_parameters
    made: list[Any] = []

    def make() -> None:
        made.append(open_session(pack))
        _FIRST_ENDED.set()

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert torch.nn.Linear.reset_parameters is reset


def test_a_pickle_in_place_of_the_weights_is_never_unpickled(tmp_path: Path):
    pack, module = _pack(tmp_path)
    torch.save(module.state_dict(), pack.path("weights.safetensors"))
    with pytest.raises(EngineError, match="does not fit the module"):
        open_session(pack)
