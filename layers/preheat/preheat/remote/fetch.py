"""Bringing a pack from S3: ranges side by side, straight into the pages that the engine will map, hashed on the way.

The files are made in the scratch folder and mapped; what arrives is written into the mapping, and onnxruntime maps
the same pages: no byte is copied or written a second time. A pack shows under its name when all its hashes are right.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

from preheat.fields import PackError
from preheat.frozen import replace
from preheat.manifest import FILE_NAME, Manifest
from preheat.pack import read_pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from preheat.manifest import PackFile
    from preheat.pack import Pack
    from preheat.remote.s3 import Bucket

PART_BYTES = 8 << 20
"""S3 asks for ranges of 8 to 16 MB (S3 User Guide, "Performance guidelines")."""
SIDE_BY_SIDE = 8
"""One connection brings some 90 MB/s (the same page); a function's network is full at a few."""
_MANIFEST_BYTES = 1 << 20


def fetch_pack(bucket: Bucket, prefix: str, scratch: str) -> Pack:
    """The pack below a prefix, in a folder of the scratch folder; one fetched before is found again. PackError."""
    where = f"s3://{bucket.name}/{prefix}"
    text = bucket.read(f"{prefix}/{FILE_NAME}", _MANIFEST_BYTES)
    manifest = Manifest.from_json(text, where)
    folder = os.path.join(scratch, f"preheat-{manifest.name}-{manifest.version}")
    if os.path.isdir(
        folder
    ):  # this environment's process was restarted; what is here was checked when it came
        return read_pack(folder)
    _check_room(manifest, scratch, where)
    fresh = f"{folder}.{os.getpid()}"
    os.makedirs(fresh)
    try:
        for name, entry in manifest.files.items():
            _fetch_file(bucket, f"{prefix}/{name}", entry, os.path.join(fresh, name))
        with open(os.path.join(fresh, FILE_NAME), "wb") as file:
            file.write(text)
        os.rename(fresh, folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise PackError(_no_room(manifest, scratch, where, 0)) from None
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return replace(read_pack(folder), checked=True)


def _fetch_file(bucket: Bucket, key: str, entry: PackFile, path: str) -> None:
    """One object into a new file; PackError where its bytes are not those of the manifest."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        if entry.bytes == 0:
            return
        os.posix_fallocate(descriptor, 0, entry.bytes)  # room is found missing now, not by a SIGBUS later
        with mmap.mmap(descriptor, entry.bytes) as mapped, memoryview(mapped) as memory:
            found = _fill(bucket, key, memory)
    finally:
        os.close(descriptor)
    if found != entry.sha256:
        raise PackError(
            f"s3://{bucket.name}/{key}: its SHA-256 is {found}, the manifest says {entry.sha256}; copy the pack again"
        )


def _fill(bucket: Bucket, key: str, memory: memoryview) -> str:
    """Fill memory by ranges side by side; the SHA-256 follows the parts in their order while later ones arrive."""
    digest = hashlib.sha256()
    parts = [memory[start : start + PART_BYTES] for start in range(0, len(memory), PART_BYTES)]
    pool = ThreadPoolExecutor(min(SIDE_BY_SIDE, len(parts)))
    try:
        arriving = [
            pool.submit(bucket.read_into, key, number * PART_BYTES, part) for number, part in enumerate(parts)
        ]
        for part, arrival in zip(parts, arriving, strict=True):
            arrival.result()
            digest.update(part)
    finally:
        pool.shutdown(cancel_futures=True)
        for part in parts:
            part.release()
    return digest.hexdigest()


def _check_room(manifest: Manifest, scratch: str, where: str) -> None:
    disk = os.statvfs(scratch)
    free_bytes = disk.f_bavail * disk.f_frsize
    if sum(entry.bytes for entry in manifest.files.values()) > free_bytes:
        raise PackError(_no_room(manifest, scratch, where, free_bytes))


def _no_room(manifest: Manifest, scratch: str, where: str, free_bytes: int) -> str:
    need = sum(entry.bytes for entry in manifest.files.values())
    return (
        f"{where} takes {need / 1e6:.0f} MB, {scratch} has {free_bytes / 1e6:.0f} MB free; "
        f"give the function more EphemeralStorage, or put the pack on EFS and name it file:///mnt/…"
    )
