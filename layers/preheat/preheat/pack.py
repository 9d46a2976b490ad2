"""A model pack: a folder with `manifest.json`, the graph, its weights and golden questions."""

from __future__ import annotations

import os

from preheat.fields import PackError
from preheat.frozen import Frozen
from preheat.manifest import FILE_NAME, Manifest


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
