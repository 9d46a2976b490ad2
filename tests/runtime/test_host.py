"""Which models an environment keeps, at which level, and what happens to one that fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from preheat import ModelHost
from preheat.engines import EngineError
from preheat.fields import PackError
from preheat.host import RequiredModelFailed, UnknownModel
from preheat.manifest import Measured
from preheat.memory import NotReady
from preheat.model import Quarantined
from preheat.pack import Pack
from preheat.ping import Level
from preheat.settings import PROVISIONED

from .fakes import VISITED, FakeSurroundings, World
from .packs import write_pack

if TYPE_CHECKING:
    from preheat.engines import Session


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_eager_models_are_hot_when_init_ends(models: Path) -> None:
    write_pack(models, "a")
    write_pack(models, "b")
    world = World(models).init()
    assert world.levels() == {"a": "HOT", "b": "HOT"}
    assert world.host.unready() == {}
    assert world.host["a"].run(VISITED)["scores"].shape == (1, 4)


def test_from_packs_does_init_with_what_the_environment_says(models: Path) -> None:
    write_pack(models, "a")
    around = FakeSurroundings(root=str(models.parent))
    host = ModelHost.from_packs("models", beside=("colorsys",), surroundings=around)
    assert host["a"].level == Level.HOT


def test_a_module_beside_the_models_that_cannot_be_imported_fails_init(models: Path) -> None:
    write_pack(models, "a")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        ModelHost.from_packs(
            "models", beside=("no_such_module",), surroundings=FakeSurroundings(root=str(models.parent))
        )


def test_cold_mode_loads_a_model_at_its_first_use_and_verifies_it_then(models: Path) -> None:
    write_pack(models, "a")
    write_pack(models, "wrong", wrong_by=1.0)
    world = World(models, hot=False).init()
    assert world.levels() == {"a": "COLD", "wrong": "COLD"}
    assert world.opener.opened == []
    world.host["a"].run(VISITED)
    assert world.levels()["a"] == "HOT"
    with pytest.raises(Quarantined, match=r"golden question 0: scores\[0\] is .*, golden is"):
        world.host["wrong"].run(VISITED)


def test_the_budget_goes_to_the_models_worth_most_and_the_rest_load_on_first_use(models: Path) -> None:
    write_pack(models, "often", traffic_share=0.8, memory_mb=10.0)
    write_pack(models, "some", traffic_share=0.15, memory_mb=10.0)
    write_pack(models, "rare", traffic_share=0.05, memory_mb=10.0)
    world = World(models, memory_mb=20.0).init()
    assert world.levels() == {"often": "HOT", "some": "HOT", "rare": "COLD"}
    assert world.host.unready() == {}  # what is not eager is not waited for
    world.host["rare"].run(VISITED)
    assert world.levels() == {"often": "HOT", "some": "CACHED", "rare": "HOT"}


def test_an_eager_model_that_gave_way_to_a_request_does_not_make_the_environment_unready(
    models: Path,
) -> None:
    write_pack(models, "often", traffic_share=0.8, memory_mb=10.0)
    write_pack(models, "rare", traffic_share=0.05, memory_mb=10.0)
    world = World(models, memory_mb=10.0).init()
    world.host["rare"].run(VISITED)
    assert world.levels() == {"often": "CACHED", "rare": "HOT"}
    assert world.host.unready() == {}


def test_models_that_fill_the_budget_to_the_last_byte_do_not_evict_each_other(models: Path) -> None:
    write_pack(models, "a", memory_mb=0.1, traffic_share=0.9)
    write_pack(models, "b", memory_mb=0.2, traffic_share=0.9)  # 0.3 - 0.1 is less than 0.2 by a rounding
    assert World(models, memory_mb=0.3).init().levels() == {"a": "HOT", "b": "HOT"}


def test_a_model_on_its_way_is_in_use(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pack(models, "a", memory_mb=10.0)
    write_pack(models, "b", memory_mb=10.0)
    world = World(models, memory_mb=10.0, hot=False).init()
    hosted = world.host._models["a"]
    usual = hosted._opener

    def asks_for_b_meanwhile(pack: Pack) -> Session:
        with pytest.raises(NotReady, match="has no room beside a"):
            world.host["b"].run(VISITED)
        return usual(pack)

    monkeypatch.setattr(hosted, "_opener", asks_for_b_meanwhile)
    world.host.warm({"a": Level.HOT}, world.clock.now_s + 10.0)
    assert world.levels() == {"a": "HOT", "b": "COLD"}


def test_a_model_in_use_is_never_evicted(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pack(models, "a", memory_mb=10.0, traffic_share=0.9)
    write_pack(models, "b", memory_mb=10.0, traffic_share=0.1)
    world = World(models, memory_mb=10.0).init()
    asked: list[str] = []

    def run_b_while_a_runs(inputs: Any) -> Any:
        asked.append(world.levels()["a"])
        with pytest.raises(
            NotReady, match=r"b needs 10 MB; the budget of 10 MB \(PREHEAT_MEMORY_MB\) has no room beside a"
        ):
            world.host["b"].run(VISITED)
        return {}

    monkeypatch.setattr(world.opener.sessions["a"], "run", run_b_while_a_runs)
    world.host["a"].run(VISITED)
    assert asked == ["HOT"]
    world.host["b"].run(VISITED)  # now that it is free
    assert world.levels() == {"a": "CACHED", "b": "HOT"}


def test_a_model_larger_than_the_budget_is_said_to_be(models: Path) -> None:
    write_pack(models, "a", memory_mb=10.0)
    write_pack(models, "huge", memory_mb=100.0)
    world = World(models, memory_mb=50.0).init()
    with pytest.raises(NotReady, match="huge needs 100 MB; the budget of 50 MB"):
        world.host["huge"].run(VISITED)
    assert world.levels() == {"a": "HOT", "huge": "COLD"}  # and evicts nothing for it


def slow(load_ms: float) -> Measured:
    return Measured(machine="a test", load_ms=load_ms)


def test_on_demand_init_leaves_to_the_first_ping_what_would_not_fit_its_ten_seconds(models: Path) -> None:
    write_pack(models, "a", measured=slow(2500.0), priority=1)
    write_pack(models, "b", measured=slow(2500.0))
    world = World(models, load_s=5.0)  # twice as slow here as where the packs were built
    world.host.initialise()
    assert world.levels() == {"a": "HOT", "b": "COLD"}
    assert world.clock.now_s < 10.0
    assert world.host.unready() == {"b": "COLD, not HOT yet"}
    world.host.warm({}, world.clock.now_s + 20.0)
    assert world.levels() == {"a": "HOT", "b": "HOT"}


@pytest.mark.parametrize(
    ("measured", "level"),
    [
        pytest.param(Measured(load_ms=1000.0), "HOT", id="a-load-that-fits"),
        pytest.param(Measured(load_ms=1000.0, first_answer_ms=3000.0), "COLD", id="a-slow-first-answer"),
        # two golden questions and two more until its latency is steady
        pytest.param(Measured(load_ms=1000.0, steady_ms=700.0), "COLD", id="slow-later-answers"),
    ],
)
def test_init_counts_on_the_answers_that_a_model_is_asked_before_it_is_hot(
    models: Path, measured: Measured, level: str
) -> None:
    write_pack(models, "a", measured=measured)
    assert World(models).init().levels() == {"a": level}  # 7 s are left, and all may take twice as long


def test_a_warm_up_ends_with_init_which_is_nothing_against_the_model(models: Path) -> None:
    write_pack(models, "a")
    world = World(models, load_s=6.0, answers_s=(2.0,)).init()
    assert world.levels() == {"a": "LOADED"}
    assert world.clock.now_s < 10.0
    deadline_s = world.clock.now_s + 1.0
    world.host.warm({}, deadline_s)  # one that is too short for it
    assert world.levels() == {"a": "LOADED"}
    world.host["a"].run(VISITED)  # a customer's request takes its time
    assert world.levels() == {"a": "HOT"}


@pytest.mark.parametrize(("on_lambda", "level"), [(True, "COLD"), (False, "HOT")])
def test_what_a_process_did_before_counts_as_init_only_where_init_began_with_it(
    models: Path, on_lambda: bool, level: str
) -> None:
    write_pack(models, "a")
    world = World(models, on_lambda=on_lambda)
    world.clock.now_s = 9.0  # of slow imports, or of a program that did other things
    assert world.init().levels() == {"a": level}


def test_provisioned_init_loads_all_that_fits_the_memory(models: Path) -> None:
    for name in "abc":
        write_pack(models, name, measured=slow(20_000.0))
    world = World(models, initialization=PROVISIONED).init()
    assert set(world.levels().values()) == {"HOT"}


def test_required_models_and_priorities_go_first(models: Path) -> None:
    write_pack(models, "a", traffic_share=0.9)
    write_pack(models, "b", traffic_share=0.05, priority=1)
    write_pack(models, "c", traffic_share=0.05, required=True)
    assert World(models).host.eager() == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError("nothing expected"), "ZeroDivisionError: nothing expected"),
        (MemoryError(), "MemoryError"),
        (EngineError("its own words"), "its own words"),
    ],
)
def test_whatever_goes_wrong_with_one_model_stays_with_it(models: Path, error: Exception, said: str) -> None:
    write_pack(models, "a")
    write_pack(models, "b")
    world = World(models)

    def fails(pack: Pack) -> Session:
        raise error

    world.host._models["a"]._opener = fails
    assert world.init().levels() == {"a": "COLD", "b": "HOT"}
    assert world.host.report()["a"].problem == said


def test_a_model_that_fails_is_told_once_and_frees_its_memory(models: Path) -> None:
    write_pack(models, "wrong", wrong_by=1.0, memory_mb=10.0)
    write_pack(models, "right", memory_mb=10.0, traffic_share=0.1)
    world = World(models, memory_mb=10.0).init()
    for _ in range(3):
        with pytest.raises(Quarantined):
            world.host["wrong"].run(VISITED)
    world.host["right"].run(VISITED)
    assert len(world.around.records("quarantine")) == 1
    assert world.host.unready()["wrong"].startswith("golden question 0")


def test_when_an_eager_model_fails_another_takes_its_place(models: Path) -> None:
    write_pack(models, "wrong", wrong_by=1.0, memory_mb=10.0, traffic_share=0.9)
    write_pack(models, "right", memory_mb=10.0, traffic_share=0.1)
    world = World(models, memory_mb=10.0).init()
    assert world.levels() == {"wrong": "COLD", "right": "COLD"}
    world.host.warm({}, world.clock.now_s + 10.0)
    assert world.levels() == {"wrong": "COLD", "right": "HOT"}


def test_a_pack_that_cannot_be_read_is_reported_and_the_others_go_on(models: Path) -> None:
    write_pack(models, "a")
    (write_pack(models, "b") / "manifest.json").write_text("{")
    world = World(models).init()
    assert world.levels() == {"a": "HOT", "b": "COLD"}
    with pytest.raises(Quarantined, match=r"manifest\.json is not JSON"):
        world.host["b"].run(VISITED)
    assert world.around.records("quarantine")[0]["model"] == "b"


def test_names_are_unique_and_an_unknown_one_is_told_the_others(models: Path) -> None:
    write_pack(models, "a")
    with pytest.raises(UnknownModel, match="no model 'x'; there are a"):
        World(models).host["x"]
    (models / "a").rename(models / "z")
    write_pack(models, "a")
    with pytest.raises(PackError, match="are both named a; rename one"):
        World(models)


def test_a_folder_without_packs_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="make one with `preheat pack`"):
        World(tmp_path)


def test_a_required_model_that_fails_under_provisioned_concurrency_fails_init(models: Path) -> None:
    write_pack(models, "a")
    write_pack(models, "must", wrong_by=1.0, required=True)
    with pytest.raises(RequiredModelFailed, match="required model must failed: golden question 0"):
        World(models, initialization=PROVISIONED).init()


def test_a_required_model_that_is_not_verified_or_does_not_fit_fails_it_too(models: Path) -> None:
    write_pack(models, "must", required=True, memory_mb=100.0)
    with pytest.raises(RequiredModelFailed, match="required model must is COLD, not HOT, after INIT"):
        World(models, initialization=PROVISIONED, memory_mb=50.0).init()
    with pytest.raises(RequiredModelFailed, match="required model must is LOADED, not HOT"):
        World(models, initialization=PROVISIONED, answers_s=(6.0,)).init()


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        pytest.param("{", True, id="that-says-nothing"),
        pytest.param('{"required": true', True, id="that-says-so"),
        pytest.param('{"required": false', False, id="that-says-otherwise"),
        pytest.param('{"required":\n false, "name": 7}', False, id="that-says-otherwise-as-json"),
    ],
)
def test_a_manifest_that_cannot_be_read_counts_as_required(models: Path, text: str, fails: bool) -> None:
    write_pack(models, "a")
    (write_pack(models, "b") / "manifest.json").write_text(text)
    world = World(models, initialization=PROVISIONED)
    if fails:
        with pytest.raises(RequiredModelFailed, match=r"required model b failed: .*manifest"):
            world.init()
    else:
        assert world.init().levels() == {"a": "HOT", "b": "COLD"}


def test_another_model_that_fails_does_not(models: Path) -> None:
    write_pack(models, "may", wrong_by=1.0)
    assert World(models, initialization=PROVISIONED).init().levels() == {"may": "COLD"}


@pytest.mark.parametrize(
    ("wanted", "level"),
    [
        (Level.COLD, "COLD"),
        (Level.CACHED, "CACHED"),
        (Level.LOADED, "LOADED"),
        (Level.ON_DEVICE, "LOADED"),  # where there is no device
        (Level.HOT, "HOT"),
    ],
)
def test_a_model_is_brought_to_the_level_asked(models: Path, wanted: Level, level: str) -> None:
    write_pack(models, "a")
    world = World(models, hot=False).init()
    world.host.warm({"a": wanted}, world.clock.now_s + 10.0)
    assert world.levels() == {"a": level}


def test_a_hot_model_stays_hot_when_less_is_asked_but_gives_its_memory_back_when_none_is(
    models: Path,
) -> None:
    write_pack(models, "a")
    world = World(models).init()
    world.host.warm({"a": Level.LOADED}, world.clock.now_s + 10.0)
    assert world.levels() == {"a": "HOT"}
    world.host.warm({"a": Level.COLD}, world.clock.now_s + 10.0)
    assert world.levels() == {"a": "CACHED"}


def test_no_model_of_one_ping_is_evicted_for_another(models: Path) -> None:
    for name in "abc":
        write_pack(models, name, memory_mb=10.0)
    world = World(models, memory_mb=20.0, hot=False).init()
    world.host.warm(dict.fromkeys("abc", Level.HOT), world.clock.now_s + 10.0)
    assert sorted(world.levels().values()) == ["COLD", "HOT", "HOT"]


def test_no_load_begins_after_the_deadline_of_a_ping(models: Path) -> None:
    write_pack(models, "a", priority=1)
    write_pack(models, "b")
    world = World(models, load_s=3.0, hot=False).init()
    world.host.warm(dict.fromkeys("ab", Level.HOT), world.clock.now_s + 2.0)
    assert world.levels() == {
        "a": "LOADED",
        "b": "COLD",
    }  # nor does the warm-up of the one that took too long


def test_a_ping_leaves_what_it_cannot_end_and_takes_a_lesser_model(models: Path) -> None:
    write_pack(models, "large", measured=slow(9000.0), priority=1)
    write_pack(models, "small")
    world = World(models, hot=False).init()
    world.host.warm({"large": Level.HOT, "small": Level.HOT}, world.clock.now_s + 10.0)
    assert world.levels() == {"large": "COLD", "small": "HOT"}
    world.host.warm({"large": Level.HOT}, world.clock.now_s + 25.0)  # with time enough
    assert world.levels() == {"large": "HOT", "small": "HOT"}
