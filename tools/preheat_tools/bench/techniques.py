"""What each technique of a cold start gives alone: the whole of them, and the whole without one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from preheat_tools.bench.cold_start import Cache, Row, Variant, measure

ALL = Variant(name="preheat_fast", imports=False)
ALL_WITH_IMPORTS = Variant(name="preheat_fast", imports=True)

HASHED_FIRST = Variant(name="preheat_fast", imports=False, environment=(("PREHEAT_HASHES", "first"),))


@dataclass(frozen=True, slots=True)
class Technique:
    """One that can be left out, and the start without it."""

    title: str
    without: Variant
    beside: Variant = ALL


TECHNIQUES = (
    Technique(
        "onnxruntime's C API, without numpy and its Python package",
        Variant(name="preheat_plain", imports=False),
    ),
    Technique(
        "weights in a file that is mapped (both hashed first)",
        Variant(name="preheat_within", imports=False),
        HASHED_FIRST,
    ),
    Technique("no packing of weights before the first answer", Variant(name="preheat_packed", imports=False)),
    Technique("large weights hashed in the next ping", HASHED_FIRST),
    Technique(
        "boto3 put off until it is used", Variant(name="preheat_eager", imports=True), ALL_WITH_IMPORTS
    ),
    Technique(
        "that, and Powertools beside the models",
        Variant(name="preheat_after", imports=True),
        ALL_WITH_IMPORTS,
    ),
)


def measure_techniques(folder: Path, cache: Cache, runs: int, say: Callable[[str], None]) -> list[Row]:
    """Every start on one model of the benchmark's, in turn."""
    _with_weights_within(folder)
    variants = (ALL, ALL_WITH_IMPORTS, *(technique.without for technique in TECHNIQUES))
    return measure(folder, variants, cache, runs, say)


def print_techniques(console: Console, rows: Sequence[Row]) -> None:
    """By technique and model: ms with all of them, without this one, and how many times as long that is."""
    models = list(dict.fromkeys(row.model for row in rows))
    for cache in dict.fromkeys(row.cache for row in rows):
        table = Table(title=f"First answer with every technique → without this one, ms, {cache} page cache")
        table.add_column("technique")
        for model in models:
            table.add_column(model, justify="right")
        times = {(row.model, row.variant): row.median_ms for row in rows if row.cache == cache}
        for technique in TECHNIQUES:
            cells = []
            for model in models:
                whole, less = times[model, technique.beside], times[model, technique.without]
                cells.append(f"{whole:.0f} → {less:.0f} ({less / whole:.2f}x)")
            table.add_row(technique.title, *cells)
        console.print(table)


def _with_weights_within(folder: Path) -> None:
    """A pack of the same graph in `within/pack`, with its weights in the graph's file; made once."""
    import onnx
    from preheat.frozen import replace
    from preheat.manifest import FILE_NAME, content_version
    from preheat.pack import read_pack

    from preheat_tools.pack.writer import files_in

    within = folder / "within" / "pack"
    if (within / FILE_NAME).exists():
        return
    shutil.rmtree(within, ignore_errors=True)
    within.mkdir(parents=True)
    manifest = read_pack(folder / "pack").manifest
    graph = manifest.cpu.graph if manifest.cpu else manifest.graph  # the one that runs here
    onnx.save(onnx.load(str(folder / "pack" / graph)), str(within / manifest.graph))
    shutil.copy(folder / "pack" / manifest.golden.file, within)
    files = files_in(within)
    changed = replace(manifest, files=files, version=content_version(files), cpu=None, read_ahead=())
    (within / FILE_NAME).write_text(changed.to_json())
