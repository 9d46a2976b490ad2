"""`preheat pack`: from a model to a pack, or a look at one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from preheat.engines import EngineError
from preheat.engines.cpu import FAMILIES, this_machine_is
from preheat.fields import PackError
from preheat.manifest import is_model_name

if TYPE_CHECKING:
    from preheat_tools.pack.golden import Arrays
    from preheat_tools.pack.sources import Source
    from preheat_tools.pack.writer import Order, Packed

_PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of one packing."""

    source: str
    name: str
    out: Path
    weights: Path | None
    samples: Path | None
    output: tuple[str, ...]
    engine: str
    opset: int | None


@click.command("pack")
@click.argument("source", required=False)
@click.option("--name", help="The model's name; the source's own where it has one.")
@click.option("--out", type=_PATH, help="The pack's folder.  [default: ./NAME]")
@click.option(
    "--traffic-share", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Of all requests."
)
@click.option("--weights", type=_PATH, help="For a torch module: .safetensors, or a state_dict's .pt.")
@click.option(
    "--samples", type=_PATH, help="Inputs as .npz: `<input>`, or `0.<input>`, `1.<input>`, …; else drawn."
)
@click.option(
    "--output", multiple=True, default=("output",), show_default=True, help="A torch module's outputs."
)
@click.option(
    "--rtol", type=click.FloatRange(0), default=1e-3, show_default=True, help="Of an answer's size."
)
@click.option(
    "--atol", type=click.FloatRange(0), default=1e-5, show_default=True, help="In the answer's own unit."
)
@click.option("--precision", type=click.Choice(["fp32", "int8"]), default="fp32", show_default=True)
@click.option(
    "--engine", type=click.Choice(["onnxruntime", "torch"]), default="onnxruntime", show_default=True
)
@click.option(
    "--cpu",
    metavar="FAMILY",
    type=click.Choice(FAMILIES),
    help="A second graph, laid out for this machine's CPU, which must be of FAMILY: "
    f"{', '.join(FAMILIES)}. Others run the portable one.",
)
@click.option("--opset", type=click.IntRange(7, 26), help="Version of ONNX's operators.")
@click.option("--priority", type=int, default=0, show_default=True, help="The higher is loaded first.")
@click.option("--required", is_flag=True, help="An environment without this model is worth nothing.")
@click.option("--report", "report_file", type=_PATH, help="Write a page on what was gained, with a picture.")
@click.option(
    "--verify", "verified", type=_PATH, metavar="PACK", help="Check a pack: hashes and golden answers."
)
@click.option("--explain", "explained", type=_PATH, metavar="PACK", help="Say what a pack holds and why.")
def pack(
    *,
    source: str | None,
    name: str | None,
    out: Path | None,
    traffic_share: float,
    rtol: float,
    atol: float,
    precision: str,
    cpu: str | None,
    priority: int,
    required: bool,
    report_file: Path | None,
    verified: Path | None,
    explained: Path | None,
    **rest: Any,
) -> None:
    """Make a pack of SOURCE: an ONNX file, a folder with one and its data, or a torch module as package.module:factory.

    \b
    preheat pack model.onnx --report report.html
    preheat pack shop.nets:ranker --weights ranker.safetensors --samples visits.npz --out models/ranker
    preheat pack --verify models/ranker
    """
    from preheat_tools.pack.golden import Tolerance
    from preheat_tools.pack.measure import MeasureError
    from preheat_tools.pack.sources import SourceError
    from preheat_tools.pack.writer import Order

    try:
        if verified or explained:
            _look_at(verified, explained)
            return
        if source is None:
            raise click.UsageError("give a SOURCE to pack, or --verify or --explain with a pack")
        _must_make_sense(rest["engine"], cpu, report_file)
        name = name or _own_name(source)
        if not is_model_name(name):
            raise click.BadParameter(
                f"{name!r} is no name for a model: give 1 to 64 letters, digits and _.-, the first no mark",
                param_hint="--name",
            )
        request = Request(source=source, name=name, out=out or Path(name), **rest)
        with tempfile.TemporaryDirectory() as scratch:
            opened, module, questions = _open(request, Path(scratch))
            order = Order(
                name=name,
                traffic_share=traffic_share,
                questions=questions,
                tolerance=Tolerance(rtol=rtol, atol=atol),
                precision=precision,
                priority=priority,
                required=required,
                cpu=cpu or "",
            )
            packed = _write(request, order, opened, module)
            _tell(packed, request.out)
            if cpu and packed.manifest.cpu is None:
                click.echo(f"nothing in {name} is laid out by the CPU: it has no second graph for {cpu}")
            if report_file and opened is not None:
                _report(packed, request, opened, report_file)
    except (SourceError, PackError, MeasureError, EngineError) as error:
        raise click.ClickException(str(error)) from None


def _must_make_sense(engine: str, cpu: str | None, report_file: Path | None) -> None:
    """Refuses what could only fail after the work is done."""
    if engine == "torch" and report_file:
        raise click.UsageError(
            "--report compares with onnxruntime as usually written: not with --engine torch"
        )
    if report_file and not report_file.parent.is_dir():
        raise click.UsageError(
            f"--report {report_file}: there is no folder for it; make {report_file.parent}"
        )
    if cpu:
        if engine == "torch":
            raise click.UsageError("--cpu lays out graphs of onnxruntime: not with --engine torch")
        this_machine_is(cpu)


def _own_name(source: str) -> str:
    return source.rpartition(":")[2] if _is_factory(source) else Path(source).stem


def _is_factory(source: str) -> bool:
    return ":" in source and not Path(source).exists()


def _open(request: Request, scratch: Path) -> tuple[Source | None, Any, tuple[Arrays, ...]]:
    """The source as ONNX, or nothing for the torch engine; the torch module, or nothing; the golden questions."""
    from preheat_tools.pack.samples import draw_samples, read_samples
    from preheat_tools.pack.sources import Source, SourceError, in_opset, input_specs, open_onnx

    if not _is_factory(request.source):
        if request.engine == "torch" or request.weights:
            raise SourceError(f"{request.source} is no torch module: give package.module:factory")
        opened = open_onnx(Path(request.source))
        if request.opset:
            opened = Source(graph=in_opset(opened.graph, request.opset, scratch), answer=opened.answer)
        specs = input_specs(opened.graph)
        return opened, None, read_samples(request.samples) if request.samples else draw_samples(specs)
    if request.samples is None:
        raise SourceError(
            f"{request.source} does not say what it takes: give --samples FILE.npz, arguments in order"
        )
    from preheat_tools.pack.torch_source import OPSET, from_module, make_module

    questions = read_samples(request.samples)
    module = make_module(request.source, request.weights)
    if request.engine == "torch":
        return None, module, questions
    return from_module(module, questions, request.output, scratch, request.opset or OPSET), module, questions


def _write(request: Request, order: Order, opened: Source | None, module: Any) -> Packed:
    if opened is not None:
        from preheat_tools.pack.writer import write_pack

        return write_pack(order, opened, request.out)
    from preheat_tools.pack.torch_pack import write_torch_pack

    return write_torch_pack(order, request.source, module, request.output, request.out)


def _tell(packed: Packed, out: Path) -> None:
    timing, manifest = packed.timing, packed.manifest
    size_mb = sum(file.bytes for file in manifest.files.values()) / 1e6
    click.echo(
        f"{out}: {manifest.name} {manifest.version}, {manifest.precision}, {size_mb:.1f} MB; "
        f"first answer {timing.total_ms:.0f} ms after process start, session {timing.load_ms:.1f} ms, "
        f"later answers {timing.steady_ms:.3f} ms, {timing.memory_mb:.1f} MB"
    )
    if packed.int8_miss is not None and manifest.precision == "fp32":
        click.echo(f"int8 missed: its worst answer is off by {packed.int8_miss:.3g} tolerances; kept fp32")


def _report(packed: Packed, request: Request, opened: Source, path: Path) -> None:
    from preheat_tools.pack.explain import explain
    from preheat_tools.pack.measure import RUNS, compare
    from preheat_tools.pack.report import Row, report

    usual, own = compare(request.out, opened.graph)
    rows = (
        Row(title="onnxruntime, as usual", timing=usual),
        Row(title="this pack", timing=own),
    )
    path.write_text(report(packed, rows, explain(request.out), RUNS), encoding="utf-8")
    click.echo(
        f"{path}: {usual.total_ms / own.total_ms:.1f} times sooner than onnxruntime as usually written"
    )


def _look_at(verified: Path | None, explained: Path | None) -> None:
    from preheat_tools.pack.explain import explain
    from preheat_tools.pack.verify import verify

    if explained:
        click.echo(explain(explained))
    if verified:
        checks = verify(verified)
        for check in checks:
            click.secho("wrong " if check.wrong else "right ", fg="red" if check.wrong else "green", nl=False)
            click.echo(f"{check.what}: {check.wrong}" if check.wrong else check.what)
        if any(check.wrong for check in checks):
            raise click.exceptions.Exit(1)
