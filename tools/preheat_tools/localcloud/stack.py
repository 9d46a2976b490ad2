"""The parts of ministack that are repaired, and the check that they are what the repairs were written for."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MINISTACK = "1.5.33"
"""The release that the digests below were taken from (PyPI, MIT)."""


class StackMovedError(RuntimeError):
    """ministack is not the one that the repairs were written for; the text lists what has moved."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One name of ministack's that a repair replaces or leans on."""

    name: str
    """`module:attribute` below the package, as in `services.cloudwatch:record_metric`."""
    digest: str = ""
    """First 10 hex digits of the SHA-256 of its source; empty where only its presence matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """ministack's modules. They are untyped and reached into, hence `Any`; only repairs hold them."""

    app: Any
    responses: Any
    lambda_svc: Any
    lambda_runtime: Any
    cloudwatch: Any
    logs: Any
    scheduler: Any
    eventbridge: Any
    rest: Any
    http: Any
    provisioners: Any
    engine: Any
    changesets: Any
    handlers: Any


def load() -> Stack:
    """Import ministack. Its modules read the environment as they are imported: set it before."""

    def of(name: str) -> Any:
        return importlib.import_module(f"ministack.{name}")

    return Stack(
        app=of("app"),
        responses=of("core.responses"),
        lambda_svc=of("services.lambda_svc"),
        lambda_runtime=of("core.lambda_runtime"),
        cloudwatch=of("services.cloudwatch"),
        logs=of("services.cloudwatch_logs"),
        scheduler=of("services.scheduler"),
        eventbridge=of("services.eventbridge"),
        rest=of("services.apigateway_v1"),
        http=of("services.apigateway"),
        provisioners=of("services.cloudformation.provisioners"),
        engine=of("services.cloudformation.engine"),
        changesets=of("services.cloudformation.changesets"),
        handlers=of("services.cloudformation.handlers"),
    )


def moved(expected: Iterable[Expected]) -> list[str]:
    """What is not as expected, one sentence each; empty when the repairs fit."""
    return [text for one in expected if (text := _difference(one))]


def check(expected: Iterable[Expected]) -> None:
    """Refuse to patch what is not known; raises StackMovedError."""
    if differences := moved(expected):
        found = importlib.metadata.version("ministack")
        raise StackMovedError(
            f"the local cloud repairs ministack {MINISTACK}; found {found}, in which:\n  "
            + "\n  ".join(differences)
            + f"\nInstall the pinned one: pip install ministack=={MINISTACK}"
        )


def _difference(one: Expected) -> str:
    try:
        target = _find(one.name)
        found = hashlib.sha256(inspect.getsource(target).encode()).hexdigest()[:10] if one.digest else ""
    except (ImportError, AttributeError):
        return f"{one.name} is gone"
    except (OSError, TypeError):
        return f"{one.name} is no longer a function"
    return "" if found == one.digest else f"{one.name} has changed (source {found}, known {one.digest})"


def _find(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"ministack.{module}"), attribute)
