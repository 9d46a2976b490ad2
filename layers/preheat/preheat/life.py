"""The life of one execution environment, as its invocations tell it."""

from __future__ import annotations

from preheat.surroundings import new_id

CUSTOMER, PING, NOBODY = "customer", "ping", "nobody"
AHEAD_S = 0.25
"""An INIT that ended so long before the first invocation was done ahead of it: nobody waited. On demand Lambda hands
over the waiting request within milliseconds of INIT's end."""


class Life:
    """Instants in seconds since the process began."""

    def __init__(self) -> None:
        self.initialised(0.0)

    def initialised(self, now_s: float) -> None:
        """INIT's work is done, or a snapshot was restored: an environment of its own from here on."""
        self.environment = new_id()
        self.requests = 0
        self.began_s = self._init_end_s = self._last_end_s = now_s
        self._invoked = False

    def begins(self, now_s: float, *, ping: bool, ahead: bool = False) -> str:
        """An invocation begins; who waited for INIT where it is the first, else nothing.

        `ahead` says that INIT is never waited for here, as under provisioned concurrency.
        """
        if not ping:
            self.requests += 1
        if self._invoked:
            return ""
        self._invoked = True
        if ahead or now_s - self._init_end_s > AHEAD_S:
            return NOBODY
        return PING if ping else CUSTOMER

    def ends(self, now_s: float) -> None:
        self._last_end_s = now_s

    def idle_s(self, now_s: float) -> float:
        """Since the end of the last invocation, or of INIT."""
        return now_s - self._last_end_s

    def take_requests(self) -> int:
        """Customers' requests since last asked."""
        requests, self.requests = self.requests, 0
        return requests
