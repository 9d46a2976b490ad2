"""A model pack: a folder with `manifest.json`, the graph, its weights and golden questions."""

from __future__ import annotations

import os

from preheat.fields import PackError
from preheat.frozen import Frozen
from preheat.manifest import FILE_NAME, Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

LARGE_BYTES = 1 << 20
"""What SHA-256 takes a millisecond for."""


class Pack(Frozen):
    """A pack found in a folder."""

    folder: str
    manifest: Manifest
    checked: bool = False
    """Whether its hashes were compared as it came, so that they need not be again."""

    @property
    def name(self) -> str:
        return self.manifest.name

    def path(self, file: str) -> str:
        """Where one of the pack's files is."""
        return os.path.join(self.folder, file)


def read_pack(folder: str | os.PathLike[str]) -> Pack:
    """Read and validate a pack's manifest; PackError. The files are not looked at: `check_files` does.

    The error counts the model as required unless its text says that it is not.
    """
    folder, text = os.fspath(folder), b""
    try:
        with open(os.path.join(folder, FILE_NAME), "rb") as file:
            text = file.read()
        return Pack(folder=folder, manifest=Manifest.from_json(text, folder))
    except OSError as error:
        failure = PackError(
            f"{folder}: {FILE_NAME} cannot be read: {error.strerror}; name the folder that `preheat pack` made"
        )
    except PackError as error:
        failure = error
    failure.required = b'"required":false' not in b"".join(text.split())
    raise failure


def pack_folders(root: str | os.PathLike[str]) -> list[str]:
    """The folders directly below that hold a manifest, by name."""
    root = os.fspath(root)
    try:
        names = sorted(os.listdir(root))
    except OSError as error:
        raise PackError(
            f"no folder of packs at {root}: {error.strerror}; PREHEAT_MODELS names another"
        ) from None
    folders = [os.path.join(root, name) for name in names]
    return [folder for folder in folders if os.path.isfile(os.path.join(folder, FILE_NAME))]


def names_engine(root: str, engine: str) -> bool:
    """Whether some manifest below a folder has that word, by a look that needs no parser: where the engine's library
    can be begun before anything else."""
    for name in os.listdir(root) if os.path.isdir(root) else ():
        try:
            with open(os.path.join(root, name, FILE_NAME), "rb") as file:
                if engine.encode() in file.read():
                    return True
        except OSError:
            continue  # `read_packs` says why
    return False


def read_packs(root: str) -> tuple[list[Pack], dict[str, PackError]]:
    """What can be read below a folder, and why the rest cannot, by the folder's name."""
    packs: dict[str, Pack] = {}
    unreadable: dict[str, PackError] = {}
    for folder in pack_folders(root):
        try:
            pack = read_pack(folder)
        except PackError as error:
            unreadable[folder.rsplit("/", 1)[-1]] = error
            continue
        if pack.name in packs:
            raise PackError(f"{folder} and {packs[pack.name].folder} are both named {pack.name}; rename one")
        packs[pack.name] = pack
    if not packs and not unreadable:
        raise PackError(
            f"no packs in {root}; make one with `preheat pack`, or name another folder by PREHEAT_MODELS"
        )
    return list(packs.values()), unreadable


def check_files(pack: Pack, names: Iterable[str] | None = None) -> None:
    """Compare size and SHA-256 of files, all unless named, with the manifest's; PackError names one that differs.

    Sizes are compared before anything is read.
    """
    names = list(pack.manifest.files if names is None else names)
    check_sizes(pack, names)
    for name in names:
        _compare(pack, name, sha256(pack.path(name)))


def _compare(pack: Pack, name: str, found: str) -> None:
    if found != (expected := pack.manifest.files[name].sha256):
        raise PackError(
            f"{pack.folder}: SHA-256 of {name} is {found}, the manifest says {expected}; copy the pack again"
        )


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


class Hashing:
    """The hashes of some files, compared piece by piece: what time cuts short goes on where it was."""

    PIECE_BYTES = 4 << 20

    def __init__(self, pack: Pack, names: Iterable[str]) -> None:
        self._pack, self._left = pack, list(names)
        self._digest: Any = None
        self._at = 0

    def go_on(self, more: Callable[[], bool]) -> bool:
        """Hash while there is to be more; whether all is done. PackError names a file that differs."""
        import hashlib

        while self._left:
            name = self._left[0]
            self._digest = self._digest or hashlib.sha256()
            with open(self._pack.path(name), "rb", buffering=0) as file:
                file.seek(self._at)
                piece = memoryview(bytearray(self.PIECE_BYTES))
                while size := file.readinto(piece):
                    self._digest.update(piece[:size])
                    self._at += size
                    if not more():
                        return False
            _compare(self._pack, name, self._digest.hexdigest())
            del self._left[0]
            self._digest, self._at = None, 0
        return True


def sha256(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 of a file; other threads run meanwhile."""
    import hashlib  # 3 ms: not before it is needed

    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(pack: Pack, name: str) -> int:
    try:
        return os.stat(pack.path(name)).st_size
    except OSError as error:
        raise PackError(
            f"{pack.folder}: {name} cannot be read: {error.strerror}; copy the pack again"
        ) from None
