"""A pack for the torch engine: safetensors, and the name of the code that makes the module. No pickle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preheat.engines.torch_session import WEIGHTS_FILE
from preheat.manifest import Manifest, TensorSpec, content_version
from preheat.pack import read_pack

from preheat_tools.pack.golden import Arrays, Case, ask, write_golden
from preheat_tools.pack.sources import SourceError
from preheat_tools.pack.torch_source import answer_by, write_weights
from preheat_tools.pack.writer import Order, Packed, built_with, files_in, finish, golden_spec, replacing

FACTORY_FILE = "factory.json"


def write_torch_pack(order: Order, factory: str, module: Any, outputs: Sequence[str], folder: Path) -> Packed:
    """Pack a module that the function's own code makes by calling `factory`; its weights go along."""
    if order.precision != "fp32":
        raise SourceError("--precision int8 is of the onnxruntime engine; give --engine onnxruntime")
    cases = ask(answer_by(module, outputs), order.questions)
    with replacing(folder) as fresh:
        (fresh / FACTORY_FILE).write_text(json.dumps({"factory": factory}) + "\n")
        write_weights(module, fresh / WEIGHTS_FILE)
        write_golden(cases, fresh)
        timing = finish(_manifest(order, cases, fresh), fresh)
    return Packed(manifest=read_pack(folder).manifest, timing=timing, miss=0.0)


def _manifest(order: Order, cases: Sequence[Case], folder: Path) -> Manifest:
    files = files_in(folder)
    return Manifest(
        name=order.name,
        version=content_version(files),
        engine="torch",
        graph=FACTORY_FILE,
        precision="fp32",
        opset=0,
        files=files,
        memory_mb=0.0,
        traffic_share=order.traffic_share,
        priority=order.priority,
        required=order.required,
        inputs=_specs([case.inputs for case in cases]),
        outputs=_specs([case.answers for case in cases]),
        golden=golden_spec(order),
        built_with=built_with("torch", "safetensors"),
    )


def _specs(seen: list[Arrays]) -> tuple[TensorSpec, ...]:
    """Declared shapes from those seen: a dimension that differs between cases, or is the first, may vary."""
    return tuple(
        TensorSpec(
            name=name, type=array.dtype.name, shape=_shape(name, [arrays[name].shape for arrays in seen])
        )
        for name, array in seen[0].items()
    )


def _shape(name: str, shapes: list[tuple[int, ...]]) -> tuple[int | str, ...]:
    if len({len(shape) for shape in shapes}) != 1:
        raise SourceError(f"{name}: all samples must have the same rank, have shapes {shapes}")
    sizes = [set(column) for column in zip(*shapes, strict=True)]
    return tuple(
        ("batch" if place == 0 else f"{name}_{place}") if place == 0 or len(found) > 1 else found.pop()
        for place, found in enumerate(sizes)
    )
