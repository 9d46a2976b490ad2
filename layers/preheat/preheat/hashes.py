"""A pack's files held against the hashes that its manifest says: which before an engine sees any, and which when."""

from __future__ import annotations

import os

from preheat.fields import PackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from preheat.pack import Pack

LARGE_BYTES = 1 << 20
"""What SHA-256 takes a millisecond for."""
AHEAD_BYTES = 16 << 20
"""What takes longer to hash than a customer should wait for it (docs/decisions/0008)."""
PIECE_BYTES = 4 << 20


class Hashes:
    """What is compared of one pack in one environment. PackError of any method names a file that differs.

    Nothing is parsed before its hash is right. Weights in bulk are only mapped: they are compared beside the opening of
    their session, or, `ahead` of later traffic, where no customer waits.
    """

    def __init__(self, pack: Pack, *, ahead: bool = False) -> None:
        """`ahead` leaves the largest weights to `go_on`, for a pack that somebody else has checked."""
        self._pack, files = pack, pack.manifest.files
        self._first, mapped = ([], []) if pack.checked else by_size(pack)
        self._late = [
            name
            for name in mapped
            if ahead and files[name].bytes > AHEAD_BYTES and name != pack.manifest.golden.file
        ]
        self._beside = [name for name in mapped if name not in self._late]
        self._digest: Any = None
        self._at = 0

    @property
    def done(self) -> bool:
        """Whether every file was compared, and is right."""
        return not (self._first or self._beside or self._late)

    @property
    def has_beside(self) -> bool:
        """Whether there is something to be compared beside the opening."""
        return bool(self._beside)

    @property
    def has_late(self) -> bool:
        """Whether something is left until nobody waits."""
        return bool(self._late)

    def compare_first(self) -> None:
        """What is parsed; of the rest the sizes, which reads nothing."""
        check_files(self._pack, self._first)
        check_sizes(self._pack, (*self._beside, *self._late))
        self._first = []

    def compare_beside(self) -> None:
        check_files(self._pack, self._beside)
        self._beside = []

    def compare_all(self) -> None:
        """Whatever is left of it."""
        check_files(self._pack, (*self._first, *self._beside, *self._late))
        self._first, self._beside, self._late = [], [], []

    def go_on(self, more: Callable[[], bool]) -> None:
        """What was left for later, while there is to be more; what time cuts short goes on where it was."""
        import hashlib

        while self._late:
            name = self._late[0]
            self._digest = self._digest or hashlib.sha256()
            piece = memoryview(bytearray(PIECE_BYTES))
            with open(self._pack.path(name), "rb", buffering=0) as file:
                file.seek(self._at)
                while size := file.readinto(piece):
                    self._digest.update(piece[:size])
                    self._at += size
                    if not more():
                        return
            _compare(self._pack, name, self._digest.hexdigest())
            del self._late[0]
            self._digest, self._at = None, 0


def check_files(pack: Pack, names: Iterable[str] | None = None) -> None:
    """Compare size and SHA-256 of files, all unless named, with the manifest's; PackError names one that differs.

    Sizes are compared before anything is read.
    """
    names = list(pack.manifest.files if names is None else names)
    check_sizes(pack, names)
    for name in names:
        _compare(pack, name, sha256(pack.path(name)))


def check_sizes(pack: Pack, names: Iterable[str]) -> None:
    """Compare the size of files with the manifest's, which reads nothing of them; PackError names one that differs."""
    for name in names:
        entry = pack.manifest.files[name]
        if (found_bytes := _size(pack, name)) != entry.bytes:
            raise PackError(
                f"{pack.folder}: {name} has {found_bytes} bytes, the manifest says {entry.bytes}; copy the pack again"
            )


def by_size(pack: Pack) -> tuple[list[str], list[str]]:
    """The pack's files to be hashed before it is opened, and the others: weights in bulk, which onnxruntime only maps.

    torch's weights have a header that is parsed.
    """
    files, laid_out = pack.manifest.files, pack.manifest.cpu
    graphs = (pack.manifest.graph, laid_out.graph if laid_out else "")
    if pack.manifest.engine != "onnxruntime":
        return list(files), []
    large = [name for name, entry in files.items() if entry.bytes > LARGE_BYTES and name not in graphs]
    return [name for name in files if name not in large], large


def sha256(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 of a file; other threads run meanwhile."""
    import hashlib  # 3 ms: not before it is needed

    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare(pack: Pack, name: str, found: str) -> None:
    if found != (expected := pack.manifest.files[name].sha256):
        raise PackError(
            f"{pack.folder}: SHA-256 of {name} is {found}, the manifest says {expected}; copy the pack again"
        )


def _size(pack: Pack, name: str) -> int:
    try:
        return os.stat(pack.path(name)).st_size
    except OSError as error:
        raise PackError(
            f"{pack.folder}: {name} cannot be read: {error.strerror}; copy the pack again"
        ) from None
