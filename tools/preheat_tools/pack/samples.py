"""The inputs of the golden questions: read from a file, or drawn from what the model declares."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from preheat.manifest import TensorSpec

from preheat_tools.pack.golden import Arrays
from preheat_tools.pack.sources import SourceError

BATCHES = (1, 2, 4)


def read_samples(path: Path) -> tuple[Arrays, ...]:
    """Questions from an .npz: arrays `<input>` for one, or `0.<input>`, `1.<input>`, … for several."""
    arrays = _arrays(path)
    questions: dict[int, dict[str, npt.NDArray[np.generic]]] = {}
    for name, array in arrays.items():
        case, dot, rest = name.partition(".")
        if dot and case.isdecimal():
            if not rest.startswith("out."):  # a pack's own golden.npz can be asked again
                questions.setdefault(int(case), {})[rest.removeprefix("in.")] = array
        else:
            questions.setdefault(0, {})[name] = array
    if not questions:
        raise SourceError(f"{path} holds no arrays: give `<input>`, or `0.<input>`, `1.<input>`, …")
    return tuple(questions[case] for case in sorted(questions))


def draw_samples(specs: Sequence[TensorSpec], seed: int = 0) -> tuple[Arrays, ...]:
    """Normal numbers, or zeros and ones for whole ones; batches of 1, 2 and 4 where the first dimension is free."""
    for spec in specs:
        if free := [size for size in spec.shape[1:] if isinstance(size, str)]:
            raise SourceError(
                f"input {spec.name} has shape {list(spec.shape)}: what {', '.join(free)} may be is not known; "
                f"give --samples FILE.npz with an array for each input"
            )
    free_batch = all(spec.shape and isinstance(spec.shape[0], str) for spec in specs)
    draw = np.random.default_rng(seed)
    return tuple(
        {spec.name: _drawn(spec, batch, draw) for spec in specs}
        for batch in (BATCHES if free_batch else (1, 1, 1))
    )


def _drawn(spec: TensorSpec, batch: int, draw: np.random.Generator) -> npt.NDArray[np.generic]:
    shape = [batch if isinstance(size, str) else size for size in spec.shape]
    if spec.type.startswith("float"):
        return draw.standard_normal(shape).astype(spec.type)
    return draw.integers(0, 2, shape).astype(spec.type)  # a whole number may be a place in a table


def _arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    if not path.is_file():
        raise SourceError(f"no samples at {path}: give an .npz, as numpy.savez makes it")
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error):
        raise SourceError(
            f"{path} must be a whole .npz of plain arrays, numbers alone: save it with numpy.savez"
        ) from None
