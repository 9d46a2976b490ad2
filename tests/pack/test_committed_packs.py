"""The packs in the repository, read and asked with stock onnxruntime."""

from pathlib import Path

import onnxruntime
import pytest
from preheat.engines import open_session
from preheat.golden import difference, read_golden
from preheat.hashes import check_files
from preheat.pack import pack_folders, read_pack
from preheat.tensor import Tensor
from preheat_tools.models.evaluation import Questions, Scores, all_but_one, evaluate, popularity
from preheat_tools.models.msweb import WebData, read_web_data

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "functions/recommend/models"
TEST_USERS = 1000
"""Of the 5,000: enough to tell a model that learnt something, in seconds."""
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


@pytest.mark.parametrize("folder", PACKS)
def test_the_page_says_of_each_what_its_pack_says(folder: str) -> None:
    manifest = read_pack(folder).manifest
    page = (ROOT / "docs/models.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{manifest.name}` |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    size_mb = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
    assert (cells[2], cells[-1]) == (f"{manifest.traffic_share:.0%}".replace("%", " %"), f"{size_mb:.2f}")
    assert f"`{manifest.name}` {manifest.memory_mb:g}" in page.partition("## Memory")[2].replace(" MB", "")


def test_packs_are_small_enough_to_be_committed_and_two_are_large() -> None:
    sizes = [sum(file.stat().st_size for file in Path(folder).iterdir()) for folder in pack_folders(MODELS)]
    assert len(sizes) == 5 and sum(sizes) <= 25_000_000
    assert sum(size >= 8_000_000 for size in sizes) >= 2


@pytest.fixture(scope="module")
def web() -> WebData:
    return read_web_data(ROOT / "data/msweb")


@pytest.fixture(scope="module")
def questions(web: WebData) -> Questions:
    return all_but_one(web.test[:TEST_USERS])


def recall(folder: str, questions: Questions) -> float:
    """Recall@10 of a pack as the runtime opens it."""
    session = open_session(read_pack(folder))

    def score(given: Scores) -> Scores:
        answer: Scores = session.run({"visited": given})["scores"].numpy()
        return answer

    found = evaluate(score, questions).recall_at_10
    session.close()
    return found


@pytest.mark.parametrize("folder", [pack for pack in PACKS if pack.id != "trending"])
def test_a_recommender_finds_hidden_visits_that_popularity_does_not(
    folder: str, web: WebData, questions: Questions
) -> None:
    assert recall(folder, questions) > evaluate(popularity(web.training), questions).recall_at_10


def test_trending_is_popularity_itself(web: WebData, questions: Questions) -> None:
    baseline = evaluate(popularity(web.training), questions).recall_at_10
    assert recall(str(MODELS / "trending"), questions) == pytest.approx(baseline, abs=1.0)
