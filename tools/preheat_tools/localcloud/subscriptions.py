"""Subscription filters: CloudWatch's patterns over words and JSON properties, for delivery to a function."""

from __future__ import annotations

import json
import operator
import re
from fnmatch import fnmatchcase
from typing import Any

from preheat_tools.localcloud.stack import Expected, Stack

EXPECTS = (
    Expected("services.cloudwatch_logs:_subscription_pattern_matches", "e29009b581"),
    Expected("services.cloudwatch_logs:_fanout_to_subscription_filters", "cb898244bb"),
)

_TOKEN = re.compile(r'\s*(\(|\)|&&|\|\||"(?:[^"\\]|\\.)*"|!=|>=|<=|=|>|<|[^\s()&|=!<>"]+)')
_COMPARE = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}


def install(stack: Stack) -> None:
    """Replace ministack's matching, which knows bare words only."""
    stack.logs._subscription_pattern_matches = matches


def matches(pattern: str | None, message: str | None) -> bool:
    """Whether a filter pattern takes a log event
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html).

    `{ $.a.b = "x" && $.n > 3 }` with `||`, brackets, `*` in values, EXISTS, IS NULL, TRUE and FALSE; else words,
    all of which must occur, `?word` any of them, `-word` none.
    """
    text, message = (pattern or "").strip(), message or ""
    if not text:
        return True
    if not text.startswith("{"):
        return _words(text, message)
    try:
        document = json.loads(message)
    except ValueError:
        return False
    return _Json(text.strip("{} \t"), document).value() if isinstance(document, dict) else False


def _words(pattern: str, message: str) -> bool:
    terms = [(sign, word.strip('"')) for sign, word in re.findall(r'([?-]?)("[^"]*"|\S+)', pattern)]
    optional = [word for sign, word in terms if sign == "?"]
    return (
        all(word in message for sign, word in terms if not sign)
        and not any(word in message for sign, word in terms if sign == "-")
        and (not optional or any(word in message for word in optional))
    )


class _Json:
    """A pattern over one JSON event, read from left to right; `&&` binds before `||`."""

    def __init__(self, pattern: str, document: dict[str, Any]) -> None:
        self._tokens = [match.group(1) for match in _TOKEN.finditer(pattern)]
        self._at = 0
        self._document = document

    def value(self) -> bool:
        found = self._all()
        while self._take("||"):
            found = self._all() or found
        return found

    def _all(self) -> bool:
        found = self._one()
        while self._take("&&"):
            found = self._one() and found
        return found

    def _one(self) -> bool:
        if self._take("("):
            found = self.value()
            self._take(")")
            return found
        path, verb = self._next(), self._next()
        missing = object()
        value = _at(path, self._document, missing)
        if verb == "EXISTS":
            return value is not missing
        if verb == "NOT":  # NOT EXISTS
            self._next()
            return value is missing
        if verb == "IS":
            return value is {"NULL": None, "TRUE": True, "FALSE": False}.get(self._next().upper(), missing)
        wanted = self._next()
        return value is not missing and _holds(value, verb, wanted)

    def _take(self, token: str) -> bool:
        taken = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += taken
        return taken

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ""


def _at(path: str, document: Any, missing: object) -> Any:
    for step in re.findall(r"\.?([^.\[\]$]+)", path.removeprefix("$")):
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return missing
    return document


def _holds(value: Any, verb: str, wanted: str) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool) and not wanted.startswith('"'):
        try:
            number = float(wanted)
        except ValueError:
            return False
        if verb in _COMPARE:
            return bool(_COMPARE[verb](value, number))
        return (value == number) == (verb == "=")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return fnmatchcase(text, wanted.strip('"')) == (verb == "=")
