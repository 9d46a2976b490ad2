"""The four models of the benchmark and where their files lie."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(".preheat/bench")
MISSING_EXTRA = 3
"""Exit code of the process that makes the models."""


class MissingExtraError(RuntimeError):
    """What the benchmark needs is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One benchmark model; `factory` names what makes its torch module, in `preheat_tools.bench.modules`."""

    name: str
    factory: str
    title: str


MODELS = (
    Model(name="rec", factory="TwoTower", title="two-tower recommender, tables of 128 MB"),
    Model(name="minilm", factory="minilm_encoder", title="all-MiniLM-L6-v2, published weights"),
    Model(name="resnet50", factory="ResNet50", title="ResNet-50, random weights"),
    Model(name="big", factory="big_encoder", title="12-layer encoder of 183 M parameters, random weights"),
)


def named(names: str) -> tuple[Model, ...]:
    """The models of a comma-separated list; ValueError names an unknown one."""
    known = {model.name: model for model in MODELS}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"models are {', '.join(known)}, was given: {', '.join(unknown)}")
    return tuple(known[name] for name in wanted)


def made(model: Model, cache: Path) -> Path:
    """A model's folder, made where it is missing: in a process of its own, since what this one maps is never cold."""
    command = [sys.executable, "-m", "preheat_tools.bench.packs", model.name, str(cache)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == MISSING_EXTRA:
        raise MissingExtraError(done.stdout.strip())
    if done.returncode:
        raise RuntimeError(f"{model.name} could not be made: {done.stdout.strip()}")
    return cache / model.name
