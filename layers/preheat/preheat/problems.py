"""What a request is told when it cannot be answered: problem documents (RFC 9457)."""

from __future__ import annotations

from preheat.engines import EngineError
from preheat.host import UnknownModel
from preheat.memory import NotReady
from preheat.model import Quarantined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """A refusal; `field` names the part of the request that is at fault, where one is."""

    def __init__(self, status: int, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail, self.field = status, detail, field

    def document(self) -> dict[str, Any]:
        """The body; `error` beside RFC 9457's own members is what Open Inference Protocol clients show."""
        document = {
            "type": "about:blank",
            "title": TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
            "error": f"{self.field}: {self.detail}" if self.field else self.detail,
        }
        return document | ({"field": self.field} if self.field else {})


FAILURES = (UnknownModel, Quarantined, NotReady, EngineError)
"""What a host raises for a model that gives no answer."""


def problem_of(failure: Exception) -> Problem:
    """What a request is told of a Problem or one of FAILURES."""
    if isinstance(failure, Problem):
        return failure
    if isinstance(failure, UnknownModel):
        return Problem(404, str(failure), "model")
    if isinstance(failure, EngineError):
        return Problem(500, str(failure))
    return Problem(503, str(failure), "model")
