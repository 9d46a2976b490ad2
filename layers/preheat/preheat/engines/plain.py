"""onnxruntime through its public Python API: the path that always fits, and needs numpy."""

from __future__ import annotations

from time import perf_counter

from preheat.engines import EngineError, Phases
from preheat.engines.device import CPU, CUDA, PROVIDER, runs_on_cpu
from preheat.engines.options import cannot_open, graph_for, options_for
from preheat.engines.specs import check_specs
from preheat.tensor import Tensor, little_endian

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from preheat.pack import Pack


class PlainSession:
    """A pack opened by `onnxruntime.InferenceSession`; the weights' file is mapped, not read."""

    def __init__(self, pack: Pack, *, packed: bool = False, device: str = CPU) -> None:
        begun = perf_counter()
        try:
            import onnxruntime
        except ImportError as error:
            raise EngineError(
                f"{pack.folder}: its engine onnxruntime is not installed ({error}); attach the layer `inference`"
            ) from None
        imported = perf_counter()
        chosen = options_for(pack, packed=packed)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        options.intra_op_num_threads = chosen.threads
        for key, value in chosen.entries.items():
            options.add_session_config_entry(key, value)
        try:
            self._session: Any = onnxruntime.InferenceSession(
                pack.path(graph_for(pack)), options, providers=_PROVIDERS[device]
            )
        except Exception as error:  # onnxruntime's own exceptions have no common public base
            raise cannot_open(pack, str(error)) from None
        check_specs(pack, _declared(self._session.get_inputs()), _declared(self._session.get_outputs()))
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._name = pack.manifest.name
        self.device = device
        if device == CUDA and PROVIDER not in self._session.get_providers():
            self.device = CPU
            runs_on_cpu("onnxruntime could not start its provider; its own log says why")
        self.packed = packed or device == CUDA  # prepacking is the CPU's
        self.phases = Phases(
            path="plain",
            library_ms=(imported - begun) * 1e3,
            session_ms=(perf_counter() - imported) * 1e3,
        )

    def run(self, inputs: Mapping[str, Tensor | Any]) -> dict[str, Tensor]:
        """See `preheat.engines.Session.run`."""
        if self._session is None:
            raise EngineError(f"{self._name}: its session is closed; open it again")
        arrays = {
            name: value.numpy() if isinstance(value, Tensor) else little_endian(value)
            for name, value in inputs.items()
        }
        try:
            answers = self._session.run(self._outputs, arrays)
        except Exception as error:
            raise EngineError(f"{self._name}: onnxruntime cannot answer: {error}") from None
        return {name: Tensor.from_numpy(answer) for name, answer in zip(self._outputs, answers, strict=True)}

    def close(self) -> None:
        """See `preheat.engines.Session.close`."""
        self._session = None


def _declared(nodes: Any) -> list[tuple[str, str, list[int | None]]]:
    """What a session says of its inputs or outputs; their types read `tensor(float)`."""
    return [
        (
            node.name,
            _TYPES.get(node.type, node.type),
            [size if isinstance(size, int) else None for size in node.shape],
        )
        for node in nodes
    ]


_PROVIDERS = {CPU: ["CPUExecutionProvider"], CUDA: [PROVIDER, "CPUExecutionProvider"]}
_TYPES = {
    f"tensor({name})": name
    for name in ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16")
} | {"tensor(float)": "float32", "tensor(double)": "float64"}
