"""What a pack holds and why it is so, for a person to read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
from preheat.hashes import check_sizes
from preheat.manifest import Manifest, TensorSpec
from preheat.pack import Pack, read_pack


def explain(folder: Path) -> str:
    """Text in paragraphs; PackError where it is no pack, or not a whole one."""
    pack = read_pack(folder)
    manifest = pack.manifest
    check_sizes(pack, manifest.files)
    parts = [
        f"{manifest.name} {manifest.version}: {manifest.precision}, engine {manifest.engine}, "
        f"{manifest.traffic_share:.1%} of traffic, {manifest.memory_mb:.1f} MB in memory.",
        "takes " + _tensors(manifest.inputs) + "\ngives " + _tensors(manifest.outputs),
        _files(manifest),
        _graph(pack)
        if manifest.engine == "onnxruntime"
        else "The module is made by the function's own code; see the graph.",
        f"{manifest.golden.cases} golden questions, answered by the original model. An answer may be off by "
        f"{manifest.golden.atol:g} + {manifest.golden.rtol:g} × |golden|. The model counts as warm when all are right.",
        f"On {manifest.measured.machine}: session {manifest.measured.load_ms:.1f} ms, first answer "
        f"{manifest.measured.first_answer_ms:.2f} ms, later ones {manifest.measured.steady_ms:.3f} ms.",
        "Built with " + ", ".join(f"{name} {version}" for name, version in manifest.built_with.items()) + ".",
    ]
    return "\n\n".join(parts)


def _tensors(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{spec.name}: {spec.type} [{', '.join(map(str, spec.shape))}]" for spec in specs)


def _files(manifest: Manifest) -> str:
    rows = [f"  {name:<20}{entry.bytes:>14,} bytes" for name, entry in sorted(manifest.files.items())]
    return "Files (all hashes are part of the version):\n" + "\n".join(rows)


def _graph(pack: Pack) -> str:
    model = onnx.load(pack.path(pack.manifest.graph), load_external_data=False)
    kinds = Counter(node.op_type for node in model.graph.node)
    outside = [tensor for tensor in model.graph.initializer if tensor.external_data]
    nodes = ", ".join(f"{kind} × {count}" for kind, count in kinds.most_common())
    laid_out = pack.manifest.cpu
    cpu = (
        f"{laid_out.graph} beside it is laid out for {laid_out.family}, and runs on no other CPU"
        if laid_out
        else "no layout is of one CPU family"
    )
    return (
        f"Graph, optimised when the pack was made (opset {pack.manifest.opset}; nothing is optimised at start; "
        f"{cpu}): {nodes}.\n"
        f"{len(outside)} weights lie in a file that is mapped, not copied, each aligned to 64 bytes, a large one to "
        f"a page; {len(model.graph.initializer) - len(outside)} small ones stay in the graph."
    )
