"""A pack looked at again: are its files what the manifest says, and does it still answer as the original did?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from preheat.engines import EngineError, open_session
from preheat.engines.cpu import machine_family
from preheat.fields import PackError
from preheat.frozen import replace
from preheat.golden import difference, read_golden
from preheat.hashes import check_files
from preheat.pack import Pack, read_pack

if TYPE_CHECKING:
    from preheat.engines import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at; `wrong` is empty where it is right."""

    what: str
    wrong: str


def verify(folder: Path) -> tuple[Check, ...]:
    """Every check in order; the first that fails ends it, since what follows would only repeat it."""
    try:
        pack = read_pack(folder)
        check_files(pack)
        questions = len(read_golden(pack))
    except PackError as error:
        return (Check(what="manifest, file sizes and hashes", wrong=str(error)),)
    found = [
        Check(
            what=f"manifest, {len(pack.manifest.files)} file hashes, {questions} golden questions", wrong=""
        )
    ]
    portable = replace(pack, manifest=replace(pack.manifest, cpu=None))
    found += [_answers(portable, what, fast=fast) for what, fast in _ways(pack)]
    if (laid_out := pack.manifest.cpu) and laid_out.family == machine_family():
        found += [
            _answers(pack, f"{what}, graph for {laid_out.family}", fast=fast) for what, fast in _ways(pack)
        ]
    return tuple(found)


def _ways(pack: Pack) -> tuple[tuple[str, bool], ...]:
    if pack.manifest.engine == "torch":
        return (("torch", False),)
    return (("onnxruntime's C API", True), ("onnxruntime's Python API", False))


def _answers(pack: Pack, what: str, *, fast: bool) -> Check:
    try:
        session = open_session(pack, fast=fast)
        wrong = _first_wrong(pack, session)
        session.close()
    except (EngineError, PackError) as error:
        wrong = str(error)
    return Check(what=f"golden answers through {what}", wrong=wrong)


def _first_wrong(pack: Pack, session: Session) -> str:
    for place, question in enumerate(read_golden(pack)):
        if off := difference(question.answers, session.run(question.inputs), pack.manifest.golden):
            return f"{pack.folder}: golden question {place}: {off}; make the pack again from its model"
    return ""
