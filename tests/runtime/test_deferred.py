"""Modules that are imported when they are first used, or in a ping."""

from __future__ import annotations

import importlib
import inspect
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from preheat import ModelHost
from preheat.deferred import _WAITING, defer, load_deferred

from .fakes import FakeSurroundings
from .packs import write_pack

NAMES = ("heavy_module", "heavy_package", "breaks_when_imported")


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Three modules that note that they were executed."""
    note = "import builtins\nbuiltins.executed = [*getattr(builtins, 'executed', []), __name__]\n"
    (tmp_path / "heavy_module.py").write_text(note + "import heavy_module\nVALUE = 7\n")
    (tmp_path / "heavy_package").mkdir()
    (tmp_path / "heavy_package/__init__.py").write_text(note + "from heavy_package.part import PART\n")
    (tmp_path / "heavy_package/part.py").write_text(note + "PART = 8\n")
    (tmp_path / "breaks_when_imported.py").write_text(note + "raise ZeroDivisionError\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("builtins.executed", [], raising=False)
    yield tmp_path
    _WAITING.clear()
    for name in [one for one in sys.modules if one.partition(".")[0] in NAMES]:
        del sys.modules[name]


def executed() -> list[str]:
    import builtins

    return builtins.executed  # type: ignore[attr-defined,no-any-return]


def test_an_import_costs_nothing_until_something_is_used() -> None:
    defer(["heavy_module"])
    import heavy_module  # type: ignore[import-not-found]

    assert (executed(), isinstance(heavy_module, ModuleType), heavy_module.__name__) == (
        [],
        True,
        "heavy_module",
    )
    assert heavy_module.VALUE == 7
    heavy_module.VALUE = 9
    assert (executed(), sys.modules["heavy_module"].VALUE) == (["heavy_module"], 9)
    del heavy_module.VALUE
    assert not hasattr(sys.modules["heavy_module"], "VALUE")


def test_what_is_imported_from_it_is_there() -> None:
    defer(["heavy_package"])
    from heavy_package import PART  # type: ignore[import-not-found]

    assert (PART, executed()) == (8, ["heavy_package", "heavy_package.part"])


def test_a_part_of_it_brings_the_whole_as_any_import_does() -> None:
    defer(["heavy_package"])
    import heavy_package
    import heavy_package.part  # type: ignore[import-not-found]

    assert executed() == ["heavy_package", "heavy_package.part"]
    assert heavy_package.part.PART == 8
    assert heavy_package.part.__spec__.origin.endswith("part.py")
    assert heavy_package.part.__loader__ is heavy_package.part.__spec__.loader


def test_threads_that_use_it_at_one_time_have_one_module() -> None:
    defer(["heavy_package"])
    import heavy_package

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(id(heavy_package.__dict__))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    assert (len(set(found)), len(found), executed().count("heavy_package")) == (1, 8, 1)


def test_what_fails_is_told_to_whoever_uses_it_and_to_each_ping() -> None:
    defer(["breaks_when_imported"])
    import breaks_when_imported  # type: ignore[import-not-found]

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            _ = breaks_when_imported.VALUE
        with pytest.raises(ZeroDivisionError):
            load_deferred(lambda: True)
    assert executed() == ["breaks_when_imported"] * 4


def test_a_look_at_every_module_there_is_imports_none() -> None:
    defer(["breaks_when_imported", "heavy_module"])
    assert inspect.getmodule(test_an_import_costs_nothing_until_something_is_used) is sys.modules[__name__]
    assert inspect.stack()[0].function == "test_a_look_at_every_module_there_is_imports_none"
    assert executed() == []


def test_a_part_can_be_reloaded() -> None:
    defer(["heavy_package"])
    import heavy_package.part

    before = heavy_package.part.__loader__
    importlib.reload(heavy_package.part)
    assert executed() == ["heavy_package", "heavy_package.part", "heavy_package.part"]
    assert type(heavy_package.part.__loader__) is type(before)


def test_a_module_that_fails_after_it_asked_for_itself_is_not_kept_half_made(modules: Path) -> None:
    (modules / "heavy_module.py").write_text(
        "import sys\nsys.stand_in.__doc__\nPART = 1\nraise ZeroDivisionError\n"
    )
    defer(["heavy_module"])
    stand_in = sys.modules["heavy_module"]
    sys.stand_in = stand_in  # type: ignore[attr-defined]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            _ = stand_in.PART
    del sys.stand_in  # type: ignore[attr-defined]


def test_where_time_ends_the_next_ones_wait() -> None:
    defer(["heavy_module", "heavy_package"])
    turns = iter([True, False])
    load_deferred(lambda: next(turns))
    assert executed() == ["heavy_module"]
    load_deferred(lambda: True)
    assert "heavy_package" in executed()


def test_a_module_that_is_imported_already_is_left() -> None:
    before = sys.modules["json"]
    defer(["json"])
    assert sys.modules["json"] is before


@pytest.mark.parametrize(("name", "said"), [("no_such_module", "was to be deferred"), ("a.b", "top-level")])
def test_a_name_that_cannot_be_deferred_fails_at_once(name: str, said: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=said):
        defer([name])


def test_a_host_imports_them_in_a_ping_and_not_in_an_init_that_somebody_may_wait_for(tmp_path: Path) -> None:
    write_pack(tmp_path / "models", "a")
    host = ModelHost.from_packs(
        "models", deferred=["heavy_module"], surroundings=FakeSurroundings(root=str(tmp_path))
    )
    assert executed() == []
    host.warm({}, host.clock.steady_s() + 0.9)  # too little time for an import that cannot be stopped
    assert executed() == []
    host.warm({}, host.clock.steady_s() + 10.0)
    assert executed() == ["heavy_module"]
