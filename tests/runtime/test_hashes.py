"""Which files are hashed before an answer, which beside it, and which where nobody waits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from preheat.engines import EngineError
from preheat.frozen import replace
from preheat.hashes import AHEAD_BYTES, LARGE_BYTES, PIECE_BYTES
from preheat.model import Quarantined
from preheat.pack import Pack, read_pack
from preheat.ping import Level
from preheat.settings import PROVISIONED

from .fakes import VISITED, Left, World
from .packs import flip_a_byte, rewrite_manifest, write_pack
from .test_pings import Function

if TYPE_CHECKING:
    from preheat.engines import Session


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.mark.parametrize("file", ["model.onnx", "golden.npz"])
def test_one_wrong_byte_quarantines_a_model_and_no_other(models: Path, file: str) -> None:
    write_pack(models, "sound")
    flip_a_byte(write_pack(models, "spoilt") / file)
    world = World(models).init()
    with pytest.raises(Quarantined, match=f"SHA-256 of {file} is"):
        world.host["spoilt"].run(VISITED)
    assert world.opener.opened == ["sound"]  # an engine never sees a file that is not what was packed
    world.host["sound"].run(VISITED)
    assert world.levels() == {"sound": "HOT", "spoilt": "COLD"}
    (line,) = world.around.records("quarantine")
    assert (line["model"], line["QuarantinedModels"]) == ("spoilt", [1.0])
    assert "SHA-256" in line["reason"]


def test_weights_in_bulk_are_hashed_beside_the_opening_and_a_wrong_byte_is_found_all_the_same(
    models: Path,
) -> None:
    for name in ("sound", "spoilt"):
        folder = write_pack(models, name)
        manifest = read_pack(folder).manifest
        (folder / "weights.bin").write_bytes(bytes(LARGE_BYTES + 1))
        rewrite_manifest(folder, manifest)
    flip_a_byte(models / "spoilt/weights.bin")
    world = World(models).init()
    assert world.levels() == {"sound": "HOT", "spoilt": "COLD"}
    with pytest.raises(Quarantined, match=r"SHA-256 of weights\.bin is"):
        world.host["spoilt"].run(VISITED)


@pytest.fixture
def spoilt(models: Path) -> Path:
    """A pack whose weights in bulk differ from its manifest by a byte, and answer as they should."""
    folder = write_pack(models, "a")
    manifest = read_pack(folder).manifest
    (folder / "weights.bin").write_bytes(bytes(AHEAD_BYTES + 1))
    rewrite_manifest(folder, manifest)
    flip_a_byte(folder / "weights.bin")
    return folder


def test_weights_that_lambda_delivered_are_hashed_by_the_first_ping_rather_than_before_a_customers_answer(
    models: Path, spoilt: Path
) -> None:
    write_pack(models, "sound")
    world = World(models, on_lambda=True, root=str(models.parent)).init()
    assert world.levels() == {"a": "HOT", "sound": "HOT"}
    assert {name: report.hashed for name, report in world.host.report().items()} == {
        "a": False,
        "sound": True,
    }
    world.host.warm({}, world.clock.now_s + 10.0)
    assert world.levels() == {"a": "COLD", "sound": "HOT"}
    with pytest.raises(Quarantined, match=r"SHA-256 of weights\.bin is"):
        world.host["a"].run(VISITED)
    (record,) = world.around.records("quarantine")
    assert record["model"] == "a"


@pytest.mark.parametrize("wrong", [False, True])
def test_pings_too_short_to_hash_all_of_it_go_on_where_the_last_one_was(
    models: Path, spoilt: Path, monkeypatch: pytest.MonkeyPatch, *, wrong: bool
) -> None:
    (spoilt / "weights.bin").write_bytes(bytes(3 * PIECE_BYTES + AHEAD_BYTES))
    rewrite_manifest(spoilt, read_pack(spoilt).manifest)
    if wrong:
        flip_a_byte(spoilt / "weights.bin")
    world = World(models, on_lambda=True, root=str(models.parent)).init()
    model = world.host._models["a"]
    monkeypatch.setattr(model, "_clock_s", lambda: 2.0)  # past the deadline: one piece a ping
    seen = []
    for _ in range(8):  # 4 of 28 MiB in each, and a look that nothing is left
        model.check_rest(1.0)
        seen.append(model.hashed)
    assert seen[:5] == [False] * 5
    assert (model.problem == "", "SHA-256 of weights.bin" in model.problem) == (not wrong, wrong)


def test_a_level_that_hashes_is_not_reached_before_they_are_hashed(models: Path, spoilt: Path) -> None:
    world = World(models, on_lambda=True, root=str(models.parent)).init()
    world.host.warm({"a": Level.CACHED}, world.clock.now_s + 10.0)
    assert "SHA-256 of weights.bin" in world.host.report()["a"].problem


def test_golden_questions_are_hashed_before_they_are_parsed_however_many(models: Path) -> None:
    folder = write_pack(models, "a")
    manifest = read_pack(folder).manifest
    (folder / "golden.npz").write_bytes(bytes(AHEAD_BYTES + 1))
    rewrite_manifest(folder, manifest)
    flip_a_byte(folder / "golden.npz")
    world = World(models, on_lambda=True, root=str(models.parent)).init()
    assert "SHA-256 of golden.npz" in world.host.report()["a"].problem


def test_an_environment_that_a_late_hash_ended_hashes_first_from_then_on(models: Path, spoilt: Path) -> None:
    rewrite_manifest(spoilt, replace(read_pack(spoilt).manifest, required=True))
    flip_a_byte(spoilt / "weights.bin")
    levels = []
    for _ in range(2):
        world = World(models, on_lambda=True, root=str(models.parent)).init()
        levels.append(world.levels()["a"])
        with pytest.raises(Left):
            Function(world).ping()
    assert levels == ["HOT", "COLD"]


@pytest.mark.parametrize("setting", [{"hash_first": True}, {"root": "/var/task"}, {"on_lambda": False}])
def test_they_are_hashed_before_the_first_answer_where_asked_for_or_brought_from_elsewhere(
    models: Path, spoilt: Path, setting: dict[str, Any]
) -> None:
    world = World(models, **({"on_lambda": True, "root": str(models.parent)} | setting)).init()
    assert world.levels() == {"a": "COLD"}


def test_with_provisioned_concurrency_they_are_hashed_in_init(models: Path, spoilt: Path) -> None:
    world = World(models, on_lambda=True, root=str(models.parent), initialization=PROVISIONED).init()
    assert world.levels() == {"a": "COLD"}


def test_weights_of_another_size_are_found_at_once(models: Path, spoilt: Path) -> None:
    (spoilt / "weights.bin").write_bytes(bytes(AHEAD_BYTES))
    world = World(models, on_lambda=True, root=str(models.parent)).init()
    assert f"weights.bin has {AHEAD_BYTES} bytes" in world.host.report()["a"].problem
    assert world.opener.opened == []


def test_weights_that_are_hashed_in_no_time_are_hashed_before_the_first_answer_everywhere(
    models: Path,
) -> None:
    folder = write_pack(models, "a")
    manifest = read_pack(folder).manifest
    (folder / "weights.bin").write_bytes(bytes(AHEAD_BYTES))
    rewrite_manifest(folder, manifest)
    flip_a_byte(folder / "weights.bin")
    assert World(models, on_lambda=True, root=str(models.parent)).init().levels() == {"a": "COLD"}


def test_a_wrong_hash_is_the_reason_given_even_where_the_engine_fails_too(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_pack(models, "a")
    manifest = read_pack(folder).manifest
    (folder / "weights.bin").write_bytes(bytes(LARGE_BYTES + 1))
    rewrite_manifest(folder, manifest)
    flip_a_byte(folder / "weights.bin")
    world = World(models)

    def refuses(pack: Pack) -> Session:
        raise EngineError("the engine says something else")

    monkeypatch.setattr(world.host._models["a"], "_opener", refuses)
    assert world.init().host.report()["a"].problem.startswith(f"{folder}: SHA-256 of weights.bin is")


def test_torch_never_sees_weights_of_a_wrong_hash_however_large(models: Path) -> None:
    folder = write_pack(models, "a", engine="torch")
    manifest = read_pack(folder).manifest
    (folder / "weights.safetensors").write_bytes(bytes(LARGE_BYTES + 1))
    rewrite_manifest(folder, manifest)
    flip_a_byte(folder / "weights.safetensors")
    world = World(models).init()
    assert "SHA-256 of weights.safetensors" in world.host.report()["a"].problem
    assert world.opener.opened == []
