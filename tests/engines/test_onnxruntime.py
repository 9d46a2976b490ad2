"""Both paths to onnxruntime: the same answers to the last bit, and errors that say what to do."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from preheat.engines import EngineError, open_session
from preheat.engines.capi import MisfitError, find_library
from preheat.engines.fast import Cancel, FastSession, library, load_library
from preheat.frozen import replace
from preheat.golden import difference, read_golden
from preheat.manifest import TensorSpec
from preheat.pack import Pack, read_pack
from preheat.tensor import Tensor

from ..runtime.packs import WIDTH, rewrite_manifest, write_pack

COMMITTED = sorted(Path("functions/recommend/models").glob("*/manifest.json"))
TYPES = ["float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool"]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return read_pack(write_pack(tmp_path, "small"))


@pytest.mark.parametrize("packed", [False, True], ids=["unpacked", "packed"])
@pytest.mark.parametrize("manifest", COMMITTED, ids=lambda path: path.parent.name)
def test_both_paths_answer_alike_to_the_last_bit_and_as_the_original_did(manifest: Path, packed: bool):
    pack = read_pack(manifest.parent)
    fast, plain = (open_session(pack, packed=packed, fast=path) for path in (True, False))
    assert (fast.phases.path, plain.phases.path) == ("fast", "plain")
    for question in read_golden(pack):
        answers = fast.run(question.inputs)
        assert {name: _bits(answer) for name, answer in answers.items()} == {
            name: _bits(answer) for name, answer in plain.run(question.inputs).items()
        }
        assert difference(question.answers, answers, pack.manifest.golden) == ""


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("shape", [(3, 2), (1,), (), (0, 5)], ids=["matrix", "one", "scalar", "empty"])
def test_every_type_and_shape_passes_through_both_paths(tmp_path: Path, kind: str, shape: tuple[int, ...]):
    pack = _same_again(tmp_path, kind, len(shape))
    given = (np.arange(np.prod(shape, dtype=int)) % 2).astype(kind).reshape(shape)
    for fast in (True, False):
        answer = open_session(pack, fast=fast).run({"given": Tensor.from_numpy(given)})["back"]
        assert (answer.type, answer.shape, bytes(answer.data)) == (kind, shape, given.tobytes())


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_a_big_endian_array_gets_the_same_answer(pack: Pack, fast: bool):
    session = open_session(pack, fast=fast)
    visited = np.random.default_rng(7).random((2, WIDTH), dtype=np.float32)
    assert session.run({"visited": visited.astype(">f4")}) == session.run({"visited": visited})


def test_arrays_of_numpy_and_read_only_buffers_are_taken_as_they_are(pack: Pack):
    session = open_session(pack)
    visited = np.random.default_rng(7).random((2, WIDTH), dtype=np.float32)
    writable, frozen = bytearray(visited.tobytes()), memoryview(visited.tobytes())
    answers = [
        session.run({"visited": visited}),
        session.run({"visited": np.asfortranarray(visited)}),
        *(
            session.run({"visited": Tensor(type="float32", shape=(2, WIDTH), data=d)})
            for d in (writable, frozen)
        ),
    ]
    assert len({_bits(answer["scores"]) for answer in answers}) == 1


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        pytest.param({}, "visited", id="no-input"),
        pytest.param({"visits": np.zeros((1, WIDTH), np.float32)}, "visit", id="an-unknown-input"),
        pytest.param({"visited": np.zeros((1, 9), np.float32)}, "Expected: 4", id="a-wrong-width"),
        pytest.param({"visited": np.zeros((1, WIDTH), np.int64)}, "visited|data type", id="a-wrong-type"),
        pytest.param({"visited": np.zeros(WIDTH, np.float32)}, "rank", id="a-wrong-rank"),
    ],
)
def test_what_a_model_does_not_take_is_an_error_and_the_session_lives_on(pack, fast, inputs, says):
    session = open_session(pack, fast=fast)
    with pytest.raises(EngineError, match=says):
        session.run(inputs)
    assert session.run({"visited": np.ones((1, WIDTH), np.float32)})["scores"].shape == (1, WIDTH)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_a_closed_session_says_so(pack: Pack, fast: bool):
    session = open_session(pack, fast=fast)
    session.close()
    session.close()
    with pytest.raises(EngineError, match="closed"):
        session.run({"visited": np.ones((1, WIDTH), np.float32)})


def test_a_tensor_that_lies_about_its_size_never_reaches_the_engine(pack: Pack):
    lying = Tensor(type="float32", shape=(100, WIDTH), data=b"\0" * 16)
    with pytest.raises(EngineError, match=r"16 bytes where its type and shape take 1600"):
        open_session(pack).run({"visited": lying})


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_a_graph_that_is_none_is_refused_with_the_way_out(pack: Pack, fast: bool):
    Path(pack.path("model.onnx")).write_bytes(b"not a graph")
    with pytest.raises(EngineError, match="preheat pack --verify"):
        open_session(pack, fast=fast)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_an_operator_the_engine_lacks_is_refused_by_name(tmp_path: Path, fast: bool):
    pack = _same_again(tmp_path, "float32", 1, operator="Telepathy")
    with pytest.raises(EngineError, match="Telepathy"):
        open_session(pack, fast=fast)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"type": "int64"}, "visited is int64.*the graph says float32", id="type"),
        pytest.param({"shape": ("batch", 9)}, r"visited is float32", id="size"),
        pytest.param({"shape": (4,)}, r"the graph says float32", id="rank"),
        pytest.param({"name": "visits"}, "inputs are visits.*the graph says visited", id="name"),
    ],
)
def test_a_manifest_that_lies_about_its_graph_is_found_out_when_it_is_opened(pack, fast, changes, says):
    (spec,) = pack.manifest.inputs
    lie = replace(pack, manifest=replace(pack.manifest, inputs=(replace(spec, **changes),)))
    with pytest.raises(EngineError, match=says):
        open_session(lie, fast=fast)


def test_an_unknown_engine_is_refused(pack: Pack):
    strange = replace(pack, manifest=replace(pack.manifest, engine="abacus"))
    with pytest.raises(EngineError, match="one of onnxruntime, torch, was: 'abacus'"):
        open_session(strange)


def test_a_thread_count_that_is_none_is_refused(pack: Pack):
    strange = replace(pack, manifest=replace(pack.manifest, session={"intra_op_num_threads": "many"}))
    with pytest.raises(EngineError, match="whole number, was: 'many'"):
        open_session(strange)


def test_many_threads_may_ask_one_session(pack: Pack):
    session = open_session(pack)
    questions = [np.random.default_rng(n).random((2, WIDTH), dtype=np.float32) for n in range(8)]
    expected = [_bits(session.run({"visited": question})["scores"]) for question in questions]
    wrong: list[int] = []

    def ask(number: int) -> None:
        for _ in range(200):
            if _bits(session.run({"visited": questions[number]})["scores"]) != expected[number]:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("content", [None, b"no library"], ids=["missing", "unreadable"])
def test_where_the_c_api_does_not_fit_the_plain_path_is_named_once(tmp_path: Path, content, capsys):
    path = tmp_path / "libonnxruntime.so.9"
    if content:
        path.write_bytes(content)
    assert load_library(str(path) if content else None) is None
    assert capsys.readouterr().err.count("Python API") == 1


def test_a_library_that_is_not_onnxruntime_does_not_fit(capsys):
    assert load_library("libc.so.6") is None
    assert "OrtGetApiBase" in capsys.readouterr().err


def test_a_table_too_old_for_what_is_called_does_not_fit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("preheat.engines.capi.API_VERSION", 999)
    with pytest.raises(MisfitError, match="no version 999"):
        from preheat.engines.capi import Api

        Api(str(find_library()))


def test_a_session_given_up_before_it_is_made_is_never_made(pack: Pack):
    api, cancel = library(), Cancel()
    assert api is not None
    cancel.ask()
    with pytest.raises(EngineError, match=r"cancel"):
        FastSession(api, pack, cancel=cancel)


def test_the_fast_path_imports_neither_numpy_nor_onnxruntime(pack: Pack):
    code = (
        "import sys\n"
        "from preheat.pack import read_pack\nfrom preheat.golden import read_golden\n"
        "from preheat.engines import open_session\n"
        f"pack = read_pack({pack.folder!r})\n"
        "session = open_session(pack)\n"
        "session.run(read_golden(pack)[0].inputs)\n"
        "assert session.phases.path == 'fast'\n"
        "heavy = {'numpy', 'onnxruntime', 'logging', 'dataclasses', 'inspect', 'typing'} & sys.modules.keys()\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _bits(tensor: Tensor) -> tuple[str, tuple[int, ...], bytes]:
    return tensor.type, tensor.shape, bytes(tensor.data)


def _same_again(root: Path, kind: str, rank: int, operator: str = "Identity") -> Pack:
    """A pack whose model gives back what it is given."""
    folder = write_pack(root, "same")
    element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    shape = [f"d{axis}" for axis in range(rank)]
    graph = helper.make_graph(
        [helper.make_node(operator, ["given"], ["back"])],
        "same",
        [helper.make_tensor_value_info("given", element, shape)],
        [helper.make_tensor_value_info("back", element, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    manifest = read_pack(folder).manifest
    rewrite_manifest(
        folder,
        manifest,
        inputs=(TensorSpec(name="given", type=kind, shape=tuple(shape)),),
        outputs=(TensorSpec(name="back", type=kind, shape=tuple(shape)),),
    )
    return read_pack(folder)
