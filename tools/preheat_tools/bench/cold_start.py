"""Process start to first verified answer: variants in turn, fresh processes, medians with spread."""

from __future__ import annotations

import compileall
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import preheat

from preheat_tools.bench.disk import STAYS, bounded, forget, must_be_forgotten, resident_share, whole_disk

VARIANTS = ("torch_naive", "onnxruntime_naive", "preheat_plain", "preheat_fast", "limit")
USUAL = ("torch_naive", "onnxruntime_naive")
"""As usually written: a function's imports (boto3, Powertools) stand at the top of the file, so they come first."""
STEADY_ANSWERS = 15
LARGE_BYTES = 1 << 20
_RUNTIME = Path(preheat.__file__).parent
_START = Path(__file__).with_name("start.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to start; `imports` says whether boto3 and Powertools are imported too."""

    name: str
    imports: bool
    environment: tuple[tuple[str, str], ...] = ()
    """Variables beside those of every start."""


@dataclass(frozen=True, slots=True)
class Cache:
    """How the page cache is before a start, and how fast the disk may be read, where that is bounded."""

    cold: bool = False
    read_mb_s: float | None = None

    @property
    def title(self) -> str:
        if not self.cold:
            return "warm"
        return f"cold, {self.read_mb_s:g} MB/s" if self.read_mb_s else "cold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process: ms from its start to the verified answer, by phase, and the ms of later answers."""

    first_answer_ms: float
    phases_ms: dict[str, float]
    steady_ms: float
    pinged_ms: float = 0.0
    """A later answer after a ping, which may have swapped a packed session in; 0 where there is no host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All runs of one variant on one model."""

    model: str
    bytes: int
    cache: str
    variant: Variant
    runs: tuple[Run, ...]

    @property
    def median_ms(self) -> float:
        return statistics.median(run.first_answer_ms for run in self.runs)

    @property
    def steady_ms(self) -> float:
        return statistics.median(run.steady_ms for run in self.runs)

    @property
    def pinged_ms(self) -> float:
        return statistics.median(run.pinged_ms for run in self.runs)

    def to_json(self) -> dict[str, object]:
        """The form of a row in `--json`."""
        times = [run.first_answer_ms for run in self.runs]
        phases = {
            name: round(statistics.median(run.phases_ms[name] for run in self.runs), 2)
            for name in self.runs[0].phases_ms
        }
        return {
            "model": self.model,
            "bytes": self.bytes,
            "cache": self.cache,
            "variant": self.variant.name,
            "first_answer_ms": {
                "median": round(self.median_ms, 2),
                "min": round(min(times), 2),
                "max": round(max(times), 2),
                "n": len(times),
            },
            "phases": phases,
            "steady_ms": round(self.steady_ms, 3),
        } | ({"pinged_steady_ms": round(self.pinged_ms, 3)} if self.pinged_ms else {})


def measure(
    folder: Path, variants: Sequence[Variant], cache: Cache, runs: int, say: Callable[[str], None]
) -> list[Row]:
    """Every variant on one model, in turn, `runs` times; one more of each goes first where the cache is warm.

    The runtime starts from bytecode, as its layer ships it. NotPossibleError where this machine has no such cache.
    """
    compileall.compile_dir(_RUNTIME, quiet=2)
    with bounded(whole_disk(folder), cache.read_mb_s) if cache.read_mb_s else nullcontext():
        return _measure(folder, variants, cache, runs, say)


def _measure(
    folder: Path, variants: Sequence[Variant], cache: Cache, runs: int, say: Callable[[str], None]
) -> list[Row]:
    found: dict[Variant, list[Run]] = {variant: [] for variant in variants}
    if not cache.cold:
        for variant in variants:
            _start(variant, folder)
    for number in range(runs):
        say(f"{folder.name}, {cache.title} cache, run {number + 1} of {runs}")
        for variant in variants:
            if cache.cold:
                drop_from_cache(folder)
            found[variant].append(_start(variant, folder))
    size = (folder / "pack" / "weights.bin").stat().st_size
    return [
        Row(
            model=folder.name,
            bytes=size,
            cache=cache.title,
            variant=variant,
            runs=tuple(
                _with_answer(run, _usual_steady_ms(found)) if variant.name == "limit" else run for run in seen
            ),
        )
        for variant, seen in found.items()
    ]


def drop_from_cache(folder: Path) -> None:
    """Let the page cache forget the model and the packages a start reads (not Python's own library).

    NotPossibleError where the weights are in memory all the same.
    """
    forget((*folder.rglob("*"), *_package_files()))
    must_be_forgotten(folder / "pack" / "weights.bin")


def in_memory_still() -> list[str]:
    """The packages' libraries that stay in memory when told to go, by name: some process runs them."""
    libraries = [
        path for path in _package_files() if ".so" in path.name and path.stat().st_size > LARGE_BYTES
    ]
    forget(libraries)
    return sorted(path.name for path in libraries if resident_share(path) > STAYS)


_PACKAGES = (
    "onnxruntime",
    "numpy",
    "numpy.libs",
    "torch",
    "boto3",
    "botocore",
    "aws_lambda_powertools",
    "preheat",
)


def _package_files() -> Iterator[Path]:
    if not _FILES:
        for entry in map(Path, sys.path):
            for name in _PACKAGES:
                if (entry / name).is_dir():
                    _FILES.extend(path for path in (entry / name).rglob("*") if path.suffix in _READ)
    yield from _FILES


_FILES: list[Path] = []
_READ = (
    ".so",
    ".pyc",
    ".py",
    ".json",
    ".gz",
    *(f".{n}" for n in range(100)),
)  # a library may end in its version


def _start(variant: Variant, folder: Path) -> Run:
    """One process, from the instant before it is made, in a function's environment as far as it is read."""
    imports = "imports" if variant.imports else "none"
    folder = folder.resolve()
    command = [sys.executable, str(_START), variant.name, str(folder), str(folder / "pack"), imports]
    lambdas = {
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "LAMBDA_TASK_ROOT": str(folder),
        "PREHEAT_MODELS": str(folder),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREHEAT_")}
    environment = inherited | lambdas | dict(variant.environment)
    begun = time.monotonic()
    done = subprocess.run(
        [*command, str(STEADY_ANSWERS)],
        capture_output=True,
        text=True,
        check=False,
        close_fds=False,
        env=environment,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{variant.name} on {folder.name} failed: {done.stderr.strip()[-500:]}")
    answer = json.loads(done.stdout)
    phases, last = {}, begun
    for phase, instant in answer["marks"]:
        phases[phase] = (instant - last) * 1e3
        last = instant
    steady, pinged = (
        statistics.median(answer[name]) if answer[name] else 0.0 for name in ("steady_ms", "pinged_ms")
    )
    return Run(first_answer_ms=(last - begun) * 1e3, phases_ms=phases, steady_ms=steady, pinged_ms=pinged)


def _usual_steady_ms(found: Mapping[Variant, Sequence[Run]]) -> float:
    return statistics.median(run.steady_ms for run in found[Variant(name=USUAL[1], imports=True)])


def _with_answer(run: Run, steady_ms: float) -> Run:
    """The limit: the weights touched, and one steady answer of plain onnxruntime, prepacked."""
    return Run(
        first_answer_ms=run.first_answer_ms + steady_ms,
        phases_ms=run.phases_ms | {"answer": run.phases_ms["answer"] + steady_ms},
        steady_ms=steady_ms,
    )
