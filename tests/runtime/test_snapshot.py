"""SnapStart, played as far as it can be: a process that has loaded and warmed is forked as if restored.

What a fork cannot show: it drops threads, which a snapshot keeps; its clock goes on, which a snapshot's may not; and a
socket that it shares still works, where a restored one is dead.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from preheat import ModelHost
from preheat.host import RequiredModelFailed
from preheat.settings import SNAP_START
from preheat.snapshot import restored

from ..engines.test_remote import _upload, s3
from .fakes import FakeSurroundings, World
from .packs import write_pack

__all__ = ["s3"]


class Hooks(ModuleType):
    """Stands in for the module that Lambda's runtimes bring."""

    def __init__(self) -> None:
        super().__init__("snapshot_restore_py")
        self.before: list[Callable[[], None]] = []
        self.after: list[Callable[[], None]] = []

    def register_before_snapshot(self, hook: Callable[..., None], *arguments: Any) -> None:
        self.before.append(lambda: hook(*arguments))

    def register_after_restore(self, hook: Callable[..., None], *arguments: Any) -> None:
        self.after.append(lambda: hook(*arguments))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_pack(tmp_path / "models", "a")
    return tmp_path / "models"


def test_hooks_are_registered_where_a_snapshot_is_taken(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Hooks()
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", hooks)
    around = FakeSurroundings(root=str(models.parent), initialization=SNAP_START)
    host = ModelHost.from_packs("models", surroundings=around)
    (before,), (after,) = hooks.before, hooks.after
    first = host.life.environment
    before()
    after()
    assert host.life.environment != first
    assert host.report()["a"].level.name == "HOT"


def test_none_are_where_none_is(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", None)  # importing it would fail
    ModelHost.from_packs("models", surroundings=FakeSurroundings(root=str(models.parent)))


def test_no_snapshot_is_taken_of_a_required_model_that_failed(models: Path) -> None:
    write_pack(models, "must", wrong_by=1.0, required=True)
    with pytest.raises(RequiredModelFailed):
        World(models, initialization=SNAP_START).init()


def test_a_copy_has_an_id_and_a_first_invocation_of_its_own(models: Path) -> None:
    world = World(models, initialization=SNAP_START).init()
    world.host.begin_invocation(ping=False)
    first = world.host.life.environment
    world.clock.now_s += 3600.0
    restored(world.host)
    assert world.host.begin_invocation(ping=False)
    assert [record["environment"] for record in world.around.records("cold_start")] != [first, first]
    assert world.around.records("cold_start")[1]["InitTime"] == [0.0]  # of the restore, not of INIT


def test_a_copy_whose_model_answers_wrongly_quarantines_it(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(models, initialization=SNAP_START).init()
    monkeypatch.setattr(world.opener.sessions["a"], "run", lambda inputs: {})
    restored(world.host)
    assert world.host.report()["a"].problem == "golden question 0, asked again: no output scores"


def test_seeds_are_renewed(models: Path) -> None:
    world = World(models, initialization=SNAP_START).init()
    drawn = []
    for _ in range(2):
        random.seed(7)  # the snapshot's state
        restored(world.host)
        drawn.append(random.random())
    assert drawn[0] != drawn[1]


FORKED = """
import json, os, random, sys
from preheat import ModelHost
from preheat.snapshot import restored
from preheat.tensor import Tensor

host = ModelHost.from_packs("models")
question = {"visited": Tensor.of([1, 0, 0, 1], "float32", (1, 4))}

def sockets():
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            pass
    return [name for name in found if name.startswith("socket:")]

def told():
    answer = host["a"].run(question)["scores"].values()
    level = host.report()["a"].level.name
    return json.dumps([host.life.environment, random.random(), answer, level, sockets(), sorted(host)])

def copy():
    reader, writer = os.pipe()
    if os.fork() == 0:
        restored(host)
        os.write(writer, told().encode())
        os._exit(0)
    os.wait()
    return os.read(reader, 65536).decode()

random.seed(7)
print(copy()); print(copy()); print(told())
"""


def forked(models: Path, script: str = FORKED, **variables: str) -> list[Any]:
    """What the two copies and the process itself told."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=models.parent,
        env=os.environ | variables,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at open descriptors in /proc")
def test_no_copy_has_a_socket_of_the_snapshots(models: Path, s3: dict[str, str]) -> None:
    """Not even where a pack came over the network in INIT; a socket that is there would be seen."""
    write_pack(models.parent / "far", "b")
    _upload(models.parent / "far" / "b", "forked/b")
    scratch = models.parent / "scratch"
    scratch.mkdir()
    variables = s3 | {"PREHEAT_PACKS": "s3://models/forked/b", "TMPDIR": str(scratch)}
    copies = forked(models, **variables)
    assert [(one[4], one[5]) for one in copies] == [([], ["a", "b"])] * 3
    leaking = forked(models, f"import socket\nkept = socket.socket()\n{FORKED}", **variables)
    shared = {tuple(one[4]) for one in leaking}
    assert len(shared) == 1 and len(shared.pop()) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork stands for a restore")
def test_copies_of_a_warm_process_differ_where_they_must_and_answer_alike(models: Path) -> None:
    copies = forked(models)
    ids, draws, answers, levels, _, _ = zip(*copies, strict=True)
    assert len(set(ids)) == 3
    assert len(set(draws)) == 3
    assert answers[0] == answers[1] == answers[2]
    assert set(levels) == {"HOT"}
