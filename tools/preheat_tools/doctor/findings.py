"""What the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Worth knowing; nothing is broken."""
    PROBLEM = "problem"
    """Something does not work, or will be refused."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `text` says what was found and, where it is no good, what to do."""

    grade: Grade
    about: str
    text: str
