"""A worker as Lambda runs one: it does what stdin says, and its parent stops it in between.

`python worker.py DESIGN PACK`, DESIGN being `ping` (Preheat's: the packed session is made inside a ping) or
`background` (a thread begun in INIT, which counts on time between invocations). Lines in: ask, ping. Lines out:
whether the session that answers is packed.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from preheat.engines import open_session
from preheat.engines.repack import make_packed
from preheat.golden import read_golden
from preheat.pack import read_pack


def main(design: str, folder: str) -> None:
    pack = read_pack(folder)
    inputs = read_golden(pack)[0].inputs
    sessions: list[Any] = [open_session(pack)]
    if design == "background":
        threading.Thread(target=lambda: sessions.append(make_packed(pack, 600)), daemon=True).start()
    _say("ready")
    for line in sys.stdin:
        if line.strip() == "ping" and design == "ping" and not sessions[-1].packed:
            sessions.append(make_packed(pack, 60))
        sessions[-1].run(inputs)
        _say("packed" if sessions[-1].packed else "unpacked")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
