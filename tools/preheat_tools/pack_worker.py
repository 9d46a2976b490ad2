"""One environment of a folder of packs, as a process of its own: `python -m preheat_tools.pack_worker FOLDER`.

A ping's event a line on standard input, its reply a line on standard output, until the input ends.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from preheat import ModelHost, answers_pings
from preheat.surroundings import Process

LEFT_MS = 60_000


class Context:
    """What is asked of Lambda's context."""

    aws_request_id = "local"

    def get_remaining_time_in_millis(self) -> int:
        return LEFT_MS


class Worker(Process):
    """Records go to standard error: standard output is for replies."""

    def say(self, line: str) -> None:
        sys.stderr.write(line + "\n")


def main(folder: str) -> None:
    """Load what is in the folder, then answer."""
    host = ModelHost.from_packs(folder, surroundings=Worker())

    @answers_pings(host)
    def handler(event: Any, context: Any) -> Any:
        raise ValueError(f"no ping: {event!r}")

    for line in sys.stdin:
        reply = handler(json.loads(line), Context())
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
