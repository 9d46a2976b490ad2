"""What `manifest.json` of a model pack says, read and validated.

Standard library only, for the writer (`preheat pack`) and for the runtime, on whose cold path it is.
"""

from __future__ import annotations

import os
from types import MappingProxyType

from preheat.fields import Fields, PackError, short
from preheat.frozen import Frozen, as_dict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FORMAT = 1
FILE_NAME = "manifest.json"
NAME_MARKS = "_.-"
"""What a model's name may have beside ASCII letters and digits, though not at its start."""
TENSOR_TYPES = (
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
)


class PackFile(Frozen):
    """One file of a pack."""

    bytes: int
    sha256: str


class TensorSpec(Frozen):
    """An input or output; a dimension is a number, or the name of one that may vary."""

    name: str
    type: str
    shape: tuple[int | str, ...]


class GoldenSpec(Frozen):
    """Where the questions with known answers are, and how far an answer may be off: atol + rtol × |golden|."""

    file: str
    cases: int
    rtol: float
    atol: float


class LaidOut(Frozen):
    """A second graph, laid out for one family of CPUs (`preheat.engines.cpu`); others run the portable one."""

    family: str
    graph: str


class Measured(Frozen):
    """Times on the machine that built the pack, in ms; an environment learns its own."""

    machine: str = ""
    load_ms: float = 0.0
    first_answer_ms: float = 0.0
    steady_ms: float = 0.0
    packed_load_ms: float = 0.0
    """Making a session whose weights are copied into the kernels' layout; 0 in all three where not measured."""
    packed_steady_ms: float = 0.0
    packed_memory_mb: float = 0.0


class Manifest(Frozen):
    """What a pack says of itself."""

    name: str
    version: str
    engine: str
    graph: str
    precision: str
    opset: int
    files: Mapping[str, PackFile]
    memory_mb: float
    traffic_share: float
    priority: int = 0
    """Among models that are to be loaded at one time, the higher goes first."""
    required: bool = False
    """Whether an environment in which this model fails is to be replaced: see docs/decisions on required models."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    golden: GoldenSpec
    session: Mapping[str, str] = MappingProxyType({})
    """Entries of the engine's session configuration."""
    measured: Measured = Measured()
    built_with: Mapping[str, str] = MappingProxyType({})
    cpu: LaidOut | None = None
    read_ahead: tuple[tuple[int, int], ...] = ()
    """Offset and length of what may be read ahead of the engine in the portable graph's weights, in bytes
    (`preheat.engines.read_ahead`)."""

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        import json

        body = {"format": FORMAT} | _plain(self)
        if self.cpu is None:
            del body["cpu"]
        if not self.read_ahead:
            del body["read_ahead"]
        return json.dumps(body, indent=2) + "\n"

    @staticmethod
    def from_json(text: str | bytes, where: str) -> Manifest:
        """Parse and validate; `where` names the pack in a PackError."""
        import json  # 10 ms for a bare interpreter, though Lambda's bootstrap has it

        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PackError(f"{where}: {FILE_NAME} is not JSON: {error}; copy the pack again") from None
        read = Fields(body, where)
        if (version := read.get("format", int)) != FORMAT:
            raise PackError(
                f"{where}: format must be {FORMAT}, was: {version}; make the pack again with this release"
            )
        manifest = Manifest(
            name=read.get("name", str),
            version=read.get("version", str),
            engine=read.get("engine", str),
            graph=read.get("graph", str),
            precision=read.get("precision", str, "fp32"),
            opset=read.get("opset", int, 0),
            files={name: _file(item) for name, item in read.items("files")},
            memory_mb=read.amount("memory_mb"),
            traffic_share=read.amount("traffic_share", most=1.0),
            priority=read.get("priority", int, 0),
            required=read.get("required", bool, False),
            inputs=tuple(_tensor_spec(item) for item in read.objects("inputs")),
            outputs=tuple(_tensor_spec(item) for item in read.objects("outputs")),
            golden=_golden(read.object("golden")),
            session=read.strings("session"),
            measured=_measured(read.object("measured", {})),
            built_with=read.strings("built_with"),
            cpu=_laid_out(read.object("cpu")) if "cpu" in read.body else None,
            read_ahead=_stretches(read.get("read_ahead", list, []), where),
        )
        read.no_more()
        _check(manifest, where)
        return manifest


def is_model_name(name: str) -> bool:
    """Whether a model may be named so: the name is part of paths and URLs."""
    letters = name.translate({ord(mark): None for mark in NAME_MARKS})
    return len(name) <= 64 and letters.isalnum() and letters.isascii() and name[0] not in NAME_MARKS


def content_version(files: Mapping[str, PackFile]) -> str:
    """The version that files of this content have: 16 hex digits over the sorted `name:sha256` lines."""
    import hashlib

    lines = "".join(f"{name}:{entry.sha256}\n" for name, entry in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _file(item: Fields) -> PackFile:
    digest = item.get("sha256", str)
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise PackError(f"{item.where}: sha256 must be 64 hexadecimal digits, was: {short(digest)}")
    found = PackFile(bytes=int(item.amount("bytes")), sha256=digest)
    item.no_more()
    return found


def _tensor_spec(item: Fields) -> TensorSpec:
    kind = item.get("type", str)
    if kind not in TENSOR_TYPES:
        raise PackError(f"{item.where}: type must be one of {', '.join(TENSOR_TYPES)}, was: {short(kind)}")
    shape = item.get("shape", list)
    for size in shape:
        if isinstance(size, bool) or not (isinstance(size, str) or (isinstance(size, int) and size > 0)):
            raise PackError(
                f"{item.where}: shape holds positive numbers and names of varying sizes, was: {short(shape)}"
            )
    spec = TensorSpec(name=item.get("name", str), type=kind, shape=tuple(shape))
    item.no_more()
    return spec


def _golden(item: Fields) -> GoldenSpec:
    cases = item.get("cases", int)
    if cases < 1:
        raise PackError(
            f"{item.where}: cases must be at least 1, was: {cases}; a model is warm when verified"
        )
    spec = GoldenSpec(
        file=item.get("file", str), cases=cases, rtol=item.amount("rtol"), atol=item.amount("atol")
    )
    item.no_more()
    return spec


def _laid_out(item: Fields) -> LaidOut:
    found = LaidOut(family=item.get("family", str), graph=item.get("graph", str))
    item.no_more()
    return found


def _stretches(given: list[Any], where: str) -> tuple[tuple[int, int], ...]:
    for stretch in given:
        if not (
            isinstance(stretch, list)
            and len(stretch) == 2
            and all(type(number) is int and number >= 0 for number in stretch)
        ):
            raise PackError(
                f"{where}: read_ahead holds pairs of an offset and a length in bytes, was: {short(stretch)}"
            )
    return tuple((offset, length) for offset, length in given)


def _measured(item: Fields) -> Measured:
    measured = Measured(
        machine=item.get("machine", str, ""),
        load_ms=item.amount("load_ms", 0.0),
        first_answer_ms=item.amount("first_answer_ms", 0.0),
        steady_ms=item.amount("steady_ms", 0.0),
        packed_load_ms=item.amount("packed_load_ms", 0.0),
        packed_steady_ms=item.amount("packed_steady_ms", 0.0),
        packed_memory_mb=item.amount("packed_memory_mb", 0.0),
    )
    item.no_more()
    return measured


def _check(manifest: Manifest, where: str) -> None:
    """What no single field shows."""
    if not is_model_name(manifest.name):
        raise PackError(
            f"{where}: name must be 1 to 64 letters, digits and {NAME_MARKS}, the first no mark, "
            f"was: {manifest.name!r}"
        )
    for name in manifest.files:
        if os.path.basename(name) != name or name in ("", ".", "..", FILE_NAME):
            raise PackError(f"{where}: files must lie in the pack's own folder, was: {name!r}")
    named = [("graph", manifest.graph), ("golden.file", manifest.golden.file)]
    for field, name in named + ([("cpu.graph", manifest.cpu.graph)] if manifest.cpu else []):
        if name not in manifest.files:
            raise PackError(f"{where}: {field} must be one of {sorted(manifest.files)}, was: {name!r}")
    if not manifest.inputs or not manifest.outputs:
        raise PackError(f"{where}: inputs and outputs must name at least one tensor each")
    if manifest.version != (expected := content_version(manifest.files)):
        raise PackError(
            f"{where}: version must be {expected} for files of these hashes, was: {manifest.version!r}"
        )


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Frozen):
        return {field: _plain(item) for field, item in as_dict(value).items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "items"):
        return {name: _plain(item) for name, item in value.items()}
    return value
