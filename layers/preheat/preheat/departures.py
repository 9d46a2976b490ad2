"""How often an environment has left for want of a required model, told across the processes of one environment.

Lambda keeps /tmp when it starts a new process in an environment whose last one ended inside an invocation (Lambda
Developer Guide, "Failures during the invoke phase"). Another environment starts at zero: there the ping's own count,
kept by its sender, is the bound. See docs/decisions on required models.
"""

from __future__ import annotations

import os
import time

MOST = 2
FORGOTTEN_AFTER_S = 3600.0
"""A count older than that says nothing of what is deployed now."""


class Departures:
    """A small file that counts."""

    def __init__(self, function: str, version: str, folder: str) -> None:
        name = "".join(letter if letter.isalnum() else "_" for letter in f"{function}-{version}")
        self._path = os.path.join(folder, f"preheat-departures-{name}")

    def count(self) -> int:
        """How many there were; MOST where that cannot be read, so that no loop comes of it."""
        try:
            if time.time() - os.stat(self._path).st_mtime > FORGOTTEN_AFTER_S:
                return 0
            with open(self._path) as file:
                return int(file.read())
        except FileNotFoundError:
            return 0
        except (OSError, ValueError):
            return MOST

    def add(self) -> bool:
        """Count one more; False where it could not be written down."""
        count = self.count() + 1
        try:
            with open(self._path, "w") as file:
                file.write(str(count))
            return True
        except OSError:
            return False
