"""Whether a graph takes and gives what its manifest says; looked at before a session takes a question."""

from __future__ import annotations

from preheat.engines import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from preheat.manifest import TensorSpec
    from preheat.pack import Pack

    # name, element type by numpy's names, shape with None where a dimension varies
    Found = Sequence[tuple[str, str, Sequence[int | None]]]


def check_specs(pack: Pack, inputs: Found, outputs: Found) -> None:
    """EngineError where the manifest of a pack lies about its graph."""
    _compare(pack, "inputs", pack.manifest.inputs, inputs)
    _compare(pack, "outputs", pack.manifest.outputs, outputs)


def _compare(pack: Pack, side: str, said: Sequence[TensorSpec], found: Found) -> None:
    by_name = {name: (kind, shape) for name, kind, shape in found}
    names = [spec.name for spec in said]
    if by_name.keys() != set(names):
        raise EngineError(
            f"{pack.folder}: the manifest says its {side} are {', '.join(names)}, "
            f"the graph says {', '.join(by_name)}; make the pack again"
        )
    for spec in said:
        kind, shape = by_name[spec.name]
        if spec.type != kind or not _same_form(spec.shape, shape):
            raise EngineError(
                f"{pack.folder}: the manifest says {spec.name} is {spec.type}{list(spec.shape)}, "
                f"the graph says {kind}{['any' if size is None else size for size in shape]}; make the pack again"
            )


def _same_form(said: Sequence[int | str], found: Sequence[int | None]) -> bool:
    """Of one rank, and equal wherever the graph fixes a size; what the graph leaves open the manifest may narrow."""
    return len(said) == len(found) and all(
        size is None or stated == size for stated, size in zip(said, found, strict=True)
    )
