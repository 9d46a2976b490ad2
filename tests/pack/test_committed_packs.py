"""The packs in the repository, read and asked with stock onnxruntime."""

from pathlib import Path

import onnxruntime
import pytest
from preheat.golden import difference, read_golden
from preheat.pack import check_files, pack_folders, read_pack
from preheat.tensor import Tensor

MODELS = Path(__file__).parents[2] / "functions/recommend/models"
PACKS = [pytest.param(folder, id=Path(folder).name) for folder in pack_folders(MODELS)]


@pytest.mark.parametrize("folder", PACKS)
def test_files_are_what_the_manifest_says_and_golden_questions_get_golden_answers(folder: str) -> None:
    pack = read_pack(folder)
    check_files(pack)
    session = onnxruntime.InferenceSession(pack.path(pack.manifest.graph), providers=["CPUExecutionProvider"])
    names = [spec.name for spec in pack.manifest.outputs]
    for question in read_golden(pack):
        found = session.run(names, {name: tensor.numpy() for name, tensor in question.inputs.items()})
        answers = {name: Tensor.from_numpy(array) for name, array in zip(names, found, strict=True)}
        assert difference(question.answers, answers, pack.manifest.golden) == ""


@pytest.mark.parametrize("folder", PACKS)
def test_all_recommenders_have_one_contract(folder: str) -> None:
    manifest = read_pack(folder).manifest
    assert [(spec.name, spec.type, spec.shape) for spec in manifest.inputs] == [
        ("visited", "float32", ("batch", 294))
    ]
    assert [(spec.name, spec.type, spec.shape) for spec in manifest.outputs] == [
        ("scores", "float32", ("batch", 294))
    ]
