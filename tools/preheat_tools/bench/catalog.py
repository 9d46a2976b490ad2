"""The four models of the benchmark and where their files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CACHE = Path(".preheat/bench")


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
