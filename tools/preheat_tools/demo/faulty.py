"""A broken version of the built function, for showing that it is stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from pathlib import Path

from preheat.manifest import PackFile, content_version

WRONG = 20.0


def with_one_wrong_weight(function: Path, model: str, into: Path) -> Path:
    """A copy of a built function's folder in which one number of one model differs; the copy's folder."""
    shutil.copytree(function, into)
    write_weight(into / "models" / model, WRONG)
    return into


def write_weight(pack: Path, weight: float) -> None:
    """Write the last float of a pack's weights, which is the last output's bias in each of the recommenders.

    The manifest is written anew, so that every hash agrees, as after a careless export: only the answers can tell.
    """
    weights = pack / "weights.bin"
    data = bytearray(weights.read_bytes())
    struct.pack_into("<f", data, len(data) - 4, weight)
    weights.write_bytes(data)
    manifest = json.loads((pack / "manifest.json").read_text())
    manifest["files"]["weights.bin"]["sha256"] = hashlib.sha256(data).hexdigest()
    files = {name: PackFile(**entry) for name, entry in manifest["files"].items()}
    manifest["version"] = content_version(files)
    (pack / "manifest.json").write_text(json.dumps(manifest, indent=2))
