"""What a function is set up as, and which strategies that rules out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SNAPSTART_TMP_MB = 512
SNAPSTART_PYTHON, MANAGED_PYTHON = (3, 12), (3, 13)
MANAGED_LEAST_MB = 2048
"""https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html, .../lambda-managed-instances-runtimes.html and SAM's
CapacityProviderConfig, which cannot be added to a function that exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """As GetFunctionConfiguration tells it; of a trace nothing is known, and nothing is ruled out."""

    runtime: str = ""
    """Empty for a container image, which does not say."""
    efs: bool = False
    tmp_mb: int = 512
    snapstart: bool = False

    @staticmethod
    def of(configuration: Mapping[str, Any]) -> Setup:
        return Setup(
            runtime=str(configuration.get("Runtime", "")),
            efs=bool(configuration.get("FileSystemConfigs")),
            tmp_mb=int(configuration.get("EphemeralStorage", {}).get("Size", 512)),
            snapstart=configuration.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
        )


UNKNOWN = Setup()


def barred(strategy: str, setup: Setup, memory_mb: int) -> str:
    """Why this function cannot have that strategy as it is set up; empty where it can."""
    python = re.fullmatch(r"python(\d+)\.(\d+)", setup.runtime)
    version = (int(python[1]), int(python[2])) if python else None
    least = {"snapstart": SNAPSTART_PYTHON, "managed": MANAGED_PYTHON}.get(strategy, (0, 0))
    tests = (
        (strategy == "snapstart" and setup.efs, "it mounts EFS"),
        (strategy == "snapstart" and setup.tmp_mb > SNAPSTART_TMP_MB, f"its /tmp has {setup.tmp_mb} MB"),
        (
            strategy == "managed" and memory_mb < MANAGED_LEAST_MB,
            f"{memory_mb} MB is below their least, {MANAGED_LEAST_MB} MB",
        ),
        (version is not None and version < least, f"it runs {setup.runtime}"),
        (strategy in ("static", "target-tracking") and setup.snapstart, "SnapStart is on"),
    )
    return next((why for holds, why in tests if holds), "")
