"""The wire contract between the warmer and a function: what a ping asks and what its reply says.

Written once, for both ends. Imports the standard library only: it is on every cold start's path.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType

from preheat.frozen import Frozen, as_dict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERSION = 1
FIELDS = ("version", "release_at_ms", "models", "departures", "every")
MAX_HOLD_S = 0.25
"""However far off a release is, a ping is never held longer: a held environment is one a customer cannot have."""
MAX_HOLD_SHARE = 0.1
"""Nor past this share of the time the invocation has left."""
LATEST_MS = 2**53
"""Up to which every whole number is one in any JSON reader (RFC 8259, section 6)."""


class PingError(ValueError):
    """A ping that does not keep the contract; the text says what was given and what is allowed."""


class Level(IntEnum):
    """How warm one model is in one environment; a higher level includes the lower ones."""

    COLD = 0
    CACHED = 1
    LOADED = 2
    ON_DEVICE = 3
    HOT = 4


class Ping(Frozen):
    """What the warmer asks of one environment."""

    release_at_ms: int = 0
    """Wall-clock instant, Unix ms, at which every ping of the round lets go; one in the past answers at once."""
    models: Mapping[str, Level] = MappingProxyType({})
    """The level wanted of each named model; none named means the environment's own eager set."""
    departures: int = 0
    """How many environments the sender knows to have left for want of a required model: after two, none does."""
    every: bool = False
    """Whether every model of the environment is to be verified and timed, HOT ones anew, whatever else is named."""

    def to_event(self) -> dict[str, Any]:
        """The JSON payload of the invocation."""
        body: dict[str, Any] = {"version": VERSION, "release_at_ms": self.release_at_ms}
        if self.models:
            body["models"] = {name: level.name for name, level in self.models.items()}
        if self.departures:
            body["departures"] = self.departures
        if self.every:
            body["every"] = True
        return {"preheat": body}

    @staticmethod
    def from_event(event: Mapping[str, Any]) -> Ping:
        """Parse a payload that has the key `preheat`; raises PingError."""
        body = event["preheat"]
        if not isinstance(body, dict):
            raise PingError(f"preheat must be an object, was: {body!r}")
        if unknown := body.keys() - FIELDS:
            raise PingError(f"preheat has unknown fields {sorted(unknown)}; allowed: {', '.join(FIELDS)}")
        if (version := body.get("version")) != VERSION or isinstance(version, bool):
            raise PingError(f"preheat.version must be {VERSION}, was: {version!r}")
        release_at_ms = body.get("release_at_ms", 0)
        if (
            isinstance(release_at_ms, bool)
            or not isinstance(release_at_ms, int | float)
            or not 0 <= release_at_ms <= LATEST_MS  # NaN is neither
        ):
            raise PingError(f"preheat.release_at_ms must be Unix time in ms, was: {release_at_ms!r:.60}")
        models = body.get("models", {})
        if not isinstance(models, dict):
            raise PingError(f"preheat.models must map model names to levels, was: {models!r}")
        departures = body.get("departures", 0)
        if isinstance(departures, bool) or not isinstance(departures, int) or departures < 0:
            raise PingError(f"preheat.departures must be a count, was: {departures!r}")
        if not isinstance(every := body.get("every", False), bool):
            raise PingError(f"preheat.every must be true or false, was: {every!r}")
        return Ping(
            release_at_ms=int(release_at_ms),
            models={name: _level(name, v) for name, v in models.items()},
            departures=departures,
            every=every,
        )


class ModelReport(Frozen):
    """One model as a ping found or left it; times in ms, 0 where it has not happened."""

    level: Level
    version: str
    load_ms: float = 0.0
    first_answer_ms: float = 0.0
    steady_ms: float = 0.0
    memory_mb: float = 0.0
    problem: str = ""
    """Why the model is quarantined; empty when it is sound."""
    requests: int = 0
    """Customers' requests that asked it since the last ping (or INIT)."""
    needs_mb: float = 0.0
    """What it takes while it is loaded."""
    needs_ms: float = 0.0
    """What loading it takes, as learnt here, else as its pack says."""
    hashed: bool = True
    """Whether each of its files was hashed, and has the hash that its manifest says."""


class Reply(Frozen):
    """What a ping learned of the environment that took it."""

    environment: str
    """Random id, made anew in every execution environment."""
    initialization: str
    """`AWS_LAMBDA_INITIALIZATION_TYPE`: on-demand, provisioned-concurrency, snap-start."""
    cold: bool
    """Whether this ping was the environment's first invocation."""
    age_s: float
    idle_s: float
    """Since the end of the last invocation, or of INIT."""
    requests: int
    """Customers' requests served since the last ping (or INIT)."""
    held_ms: float
    init_ms: float
    models: Mapping[str, ModelReport] = MappingProxyType({})
    models_mb: float = 0.0
    """The budget for models; 0 where there is no limit."""

    def to_payload(self) -> dict[str, Any]:
        """The JSON answer of the invocation."""
        models = {
            name: as_dict(report) | {"level": report.level.name} for name, report in self.models.items()
        }
        return {"preheat": {"version": VERSION, **as_dict(self), "models": models}}

    @staticmethod
    def from_payload(payload: Any) -> Reply:
        """Parse an answer; raises PingError where the function does not speak the contract.

        Fields that are not known are of a later release of the runtime: they are left.
        """
        body = payload.get("preheat") if isinstance(payload, dict) else None
        if not isinstance(body, dict) or body.get("version") != VERSION:
            raise PingError(f"not a reply of ping contract {VERSION}: {str(payload)[:200]!r}")
        if "error" in body:
            raise PingError(f"the function refused the ping: {body['error']}")
        try:
            models = {
                name: ModelReport(**{**_known(ModelReport, report), "level": _level(name, report["level"])})
                for name, report in body["models"].items()
            }
            return Reply(**{**_known(Reply, body), "models": models})
        except (TypeError, KeyError, AttributeError) as error:
            raise PingError(f"a reply of ping contract {VERSION} with unusable fields: {error}") from error


def refusal(error: PingError) -> dict[str, Any]:
    """The answer to a malformed ping: an ordinary result, since an invocation error would set off alarms."""
    return {"preheat": {"version": VERSION, "error": str(error)}}


def _known(kind: type[Frozen], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in kind._fields if name in fields}


def _level(model: str, name: Any) -> Level:
    if not isinstance(name, str) or name not in Level.__members__:
        allowed = ", ".join(Level.__members__)
        raise PingError(f"the level of {model!r} must be one of {allowed}, was: {name!r}")
    return Level[name]
