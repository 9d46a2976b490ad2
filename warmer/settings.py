"""What the user set for one target: read from tags and from a JSON parameter, checked, or refused with the reason.

The parameter's own fields hold for every target, those under `targets` for one, and a tag stands between the two:
`{"cold_start_cost_usd": 0.001, "targets": {"recommend:live": {"floor": 2}}}`.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from preheat.ping import Level

from warmer.policy.values import Objective, Target, Window
from warmer.windows import parse_window

TAG = "preheat"
"""The tag whose value is the alias to keep warm; `preheat:floor` and so on are its settings."""


class SettingError(ValueError):
    """A setting that cannot be used; the text names it, the value given and the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user set for one target."""

    objective: Objective = field(default_factory=Objective)
    levels: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given, and where."""

    value: Any
    where: str


@dataclass(frozen=True, slots=True)
class Document:
    """The JSON parameter: settings of every target, and of some."""

    shared: Mapping[str, Given] = field(default_factory=dict)
    by_target: Mapping[str, Any] = field(default_factory=dict)


def parse_document(text: str, name: str) -> Document:
    """Read the JSON parameter `name`; raises SettingError where nothing in it can be trusted."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise SettingError(f"parameter {name} must be JSON, was: {text[:80]!r} ({error})") from error
    if not isinstance(body, dict):
        raise SettingError(f"parameter {name} must be a JSON object, was: {text[:80]!r}")
    by_target = body.pop("targets", {})
    if not isinstance(by_target, dict):
        raise SettingError(f"targets in {name} must map function:alias to settings, was: {by_target!r}")
    return Document({key: Given(value, f"parameter {name}") for key, value in body.items()}, by_target)


def settings_of(
    target: Target, document: Document, tags: Mapping[str, str], parameter: str, now_s: float
) -> Settings:
    """The settings of one target, the most specific source winning; raises SettingError."""
    own = document.by_target.get(str(target), {})
    if not isinstance(own, dict):
        raise SettingError(f"targets.{target} in parameter {parameter} must be an object, was: {own!r}")
    given = dict(document.shared)
    given |= {
        key.removeprefix(f"{TAG}:").replace("-", "_"): Given(value, f"tag {key}")
        for key, value in tags.items()
        if key.startswith(f"{TAG}:")
    }
    given |= {key: Given(value, f"targets.{target} in parameter {parameter}") for key, value in own.items()}
    values = {name: _checked(name, one, now_s) for name, one in given.items()}
    enabled, levels = values.pop("enabled", True), values.pop("levels", {})
    objective = Objective(**values)
    if objective.floor > objective.ceiling:
        raise SettingError(f"floor must be at most ceiling ({objective.ceiling}), was: {objective.floor}")
    return Settings(objective=objective, levels=levels, enabled=enabled)


def fingerprint(objective: Objective, levels: Mapping[str, str]) -> str:
    """A few characters that differ where the settings of a target do."""
    windows = [(sorted(w.days), w.from_minute, w.until_minute, w.floor) for w in objective.windows]
    text = repr((replace(objective, windows=()), windows, sorted(levels.items())))
    return f"{zlib.crc32(text.encode()):08x}"


def _checked(name: str, given: Given, now_s: float) -> Any:
    if name not in RULES:
        raise SettingError(f"unknown setting {name} ({given.where}); allowed: {', '.join(sorted(RULES))}")
    rule = RULES[name]
    try:
        return rule.read(given.value, now_s)
    except (ValueError, TypeError, AttributeError) as error:
        why = str(error) if str(error).startswith("must ") else rule.says
        raise SettingError(f"{name} ({given.where}) {why}, was: {given.value!r}") from error


def _whole(value: Any, now_s: float) -> int:
    number = int(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 10_000:
        raise ValueError
    return number


def _usd(value: Any, now_s: float) -> float:
    number = _number(value)
    if number < 0:
        raise ValueError
    return number


def _share(value: Any, now_s: float) -> float:
    number = _number(value)
    if not 0 < number <= 1:
        raise ValueError
    return number


def _number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        raise ValueError
    return number


def _truth(value: Any, now_s: float) -> bool:
    words = {"true": True, "false": False, True: True, False: False}
    word = value.lower() if isinstance(value, str) else value
    if not isinstance(word, str | bool) or word not in words:
        raise ValueError
    return words[word]


def _windows(value: Any, now_s: float) -> tuple[Window, ...]:
    texts = value.split(" / ") if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError
    return tuple(window for text in texts for window in parse_window(text, now_s))


def _levels(value: Any, now_s: float) -> Mapping[str, str]:
    pairs = dict(pair.split("=") for pair in value.split()) if isinstance(value, str) else dict(value)
    if not all(isinstance(level, str) and level in Level.__members__ for level in pairs.values()):
        raise ValueError
    return pairs


@dataclass(frozen=True, slots=True)
class Rule:
    """How a setting is read (the value, the cycle's instant), and what it must be."""

    read: Callable[[Any, float], Any]
    says: str


RULES: Mapping[str, Rule] = {
    "cold_start_cost_usd": Rule(_usd, "must be dollars, 0 or more"),
    "cold_start_rate": Rule(_share, "must be a share of requests above 0, at most 1"),
    "monthly_budget_usd": Rule(_usd, "must be dollars a month, 0 or more"),
    "floor": Rule(_whole, "must be a whole number of environments, 0 to 10000"),
    "ceiling": Rule(_whole, "must be a whole number of environments, 0 to 10000"),
    "windows": Rule(_windows, "must be a list of windows, or windows joined by ' / '"),
    "levels": Rule(_levels, f"must map models to levels {', '.join(Level.__members__)}"),
    "enabled": Rule(_truth, "must be true or false"),
}
