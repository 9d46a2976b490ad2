"""What the user and Lambda say of an environment, from its variables."""

from __future__ import annotations

import os

from preheat.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

RESERVE_MB = 128.0
"""What the interpreter, the engine and a handler's own imports take before any model; measured in docs/runtime.md."""
WARM_UP_S = 5.0
INIT_S = 8.0
SCRATCH = "/tmp"  # noqa: S108  (the one folder that Lambda lets a function write to)
LAYERS = "/opt"
ON_DEMAND, PROVISIONED, SNAP_START = "on-demand", "provisioned-concurrency", "snap-start"


class SettingError(ValueError):
    """A variable of the environment that cannot be used."""


class Settings(Frozen):
    """How an environment is to keep its models."""

    hot: bool = True
    """Whether models are loaded ahead of requests; False loads each at its first use (development)."""
    memory_mb: float = float("inf")
    """What all loaded models together may take."""
    models: str = ""
    """The folder of packs; empty leaves it to the code."""
    packs: tuple[str, ...] = ()
    """Addresses of packs outside the function's package, file:// or s3://."""
    warm_up_s: float = WARM_UP_S
    """How long one model's warm-up may go on."""
    init_s: float = INIT_S
    """Until when in INIT a load may begin, and be expected to end: Lambda stops an on-demand INIT at 10 s and runs it
    again inside the first request (Lambda Developer Guide, "Lambda execution environment lifecycle")."""
    device: str = "cpu"
    """Where models run: cpu, or cuda where there is a GPU (`preheat.engines.device`)."""
    metrics: str = "full"
    """How many metrics are told of: full, lean or off (`preheat.record`)."""
    hash_first: bool = False
    """Whether even the largest weights are hashed before the first answer where Lambda delivered them (`delivers`)."""
    initialization: str = ON_DEMAND
    on_lambda: bool = True
    """Whether INIT began with this process, as on Lambda, or the host is made somewhere in a program of one's own."""
    function: str = "local"
    version: str = "$LATEST"
    root: str = "."
    scratch: str = SCRATCH

    @staticmethod
    def of(variables: Mapping[str, str]) -> Settings:
        """Read and validate; raises SettingError."""
        mode = variables.get("PREHEAT_MODE", "hot")
        if mode not in ("hot", "cold"):
            raise SettingError(f"PREHEAT_MODE must be hot or cold, was: {mode!r}")
        device = variables.get("PREHEAT_DEVICE", "cpu")
        if device not in ("cpu", "cuda"):
            raise SettingError(f"PREHEAT_DEVICE must be cpu or cuda, was: {device!r}")
        metrics = variables.get("PREHEAT_METRICS", "full")
        if metrics not in ("full", "lean", "off"):
            raise SettingError(f"PREHEAT_METRICS must be full, lean or off, was: {metrics!r}")
        hashes = variables.get("PREHEAT_HASHES", "ahead")
        if hashes not in ("ahead", "first"):
            raise SettingError(f"PREHEAT_HASHES must be ahead or first, was: {hashes!r}")
        function_mb = _amount(variables, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", float("inf"))
        return Settings(
            hot=mode == "hot",
            memory_mb=_amount(variables, "PREHEAT_MEMORY_MB", max(function_mb - RESERVE_MB, 0.0)),
            models=variables.get("PREHEAT_MODELS", ""),
            packs=tuple(filter(None, map(str.strip, variables.get("PREHEAT_PACKS", "").split(",")))),
            warm_up_s=_amount(variables, "PREHEAT_WARM_UP_S", WARM_UP_S),
            init_s=_amount(variables, "PREHEAT_INIT_S", INIT_S),
            device=device,
            metrics=metrics,
            hash_first=hashes == "first",
            initialization=variables.get("AWS_LAMBDA_INITIALIZATION_TYPE", ON_DEMAND),
            on_lambda="AWS_LAMBDA_FUNCTION_NAME" in variables,
            function=variables.get("AWS_LAMBDA_FUNCTION_NAME", "local"),
            version=variables.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            root=variables.get("LAMBDA_TASK_ROOT", "."),
            scratch=variables.get("TMPDIR", SCRATCH),
        )

    def folder(self, asked: str) -> str:
        """Where the packs are: PREHEAT_MODELS, else what the code asks for; relative to the function's package."""
        return os.path.join(self.root, self.models or asked)

    def delivers(self, folder: str) -> bool:
        """Whether a folder came with the function's package or a layer, which Lambda checks and mounts read-only.

        Not so what lies on EFS, in /tmp, or anywhere outside of Lambda.
        """
        real = os.path.realpath(folder)
        ours = (os.path.realpath(self.root), LAYERS)
        return self.on_lambda and any(os.path.commonpath((real, one)) == one for one in ours)


def _amount(variables: Mapping[str, str], name: str, default: float) -> float:
    text = variables.get(name, "")
    if not text:
        return default
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise SettingError(f"{name} must be a number of at least 0, was: {text!r}")
    return amount
