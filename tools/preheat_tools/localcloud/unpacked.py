"""Code and layers on disk: each distinct content extracted once, read-only, shared by every environment."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
import threading
import time
import zipfile
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

# What Lambda's Python runtime carries besides the standard library
# (https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-sdk-included).
_RUNTIME_CARRIES = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")


class Trees:
    """Extracted archives under one folder, named by content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._digests: dict[int, tuple[bytes, bytes]] = {}

    def of(self, archives: Sequence[bytes]) -> Path:
        """The tree of these archives, later ones over earlier ones, as Lambda lays layers over /opt."""
        digests = [self._digest(archive) for archive in archives]
        tree = self._folder / hashlib.sha256(b"".join(digests)).hexdigest()[:24]
        with self._lock:
            if not tree.exists():
                self._extract(archives, tree)
        return tree

    def runtime(self) -> Path:
        """Links to the packages that Lambda's own runtime brings, and to nothing else."""
        folder = self._folder / "runtime"
        with self._lock:
            if not folder.exists():
                folder.mkdir(parents=True)
                for name in _RUNTIME_CARRIES:
                    _link_distribution(name, folder)
        return folder

    def _digest(self, archive: bytes) -> bytes:
        """Hashing a layer takes as long as some INITs: once for each object, which is kept so that it stays one."""
        known = self._digests.get(id(archive))
        if known is None or known[0] is not archive:
            known = self._digests[id(archive)] = (archive, hashlib.sha256(archive).digest())
        return known[1]

    def _extract(self, archives: Sequence[bytes], tree: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=self._folder, prefix="part-"))
        for archive in archives:
            _unzip(archive, part)
        part.rename(tree)


def _unzip(archive: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        for member in bundle.infolist():
            target = Path(bundle.extract(member, folder))
            if member.is_dir():
                continue
            # Shipped .pyc count only while the source's time is the one they were compiled at.
            made_s = time.mktime((*member.date_time, 0, 0, -1))
            mode = (member.external_attr >> 16) & 0o777 or 0o644
            target.chmod(mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) | stat.S_IRUSR)
            os.utime(target, (made_s, made_s))


def _link_distribution(name: str, folder: Path) -> None:
    files = distribution(name).files or []
    for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
        source = Path(str(distribution(name).locate_file(top)))
        if source.exists() and not (folder / top).exists():
            (folder / top).symlink_to(source)
