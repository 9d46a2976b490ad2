"""Which family this machine's CPU is of: a graph laid out for one family is of no use to another.

onnxruntime blocks channels by the width of the vectors at hand (MLAS: 16 with AVX-512, 8 with AVX), and a graph that
was saved with blocks of another size answers wrongly. On x86 a family is a microarchitecture level of the x86-64 psABI.
"""

from __future__ import annotations

import os
import sys

from preheat.engines import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from preheat.manifest import LaidOut
    from preheat.pack import Pack

AVX2 = frozenset(("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"))
AVX512 = AVX2 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
FAMILIES = ("x86-64-v3", "x86-64-v4", "aarch64")

_FOUND: list[str] = []
_TOLD: set[str] = set()


def family_of(cpuinfo: str, architecture: str) -> str:
    """One of FAMILIES, by the text of /proc/cpuinfo; empty where it is none of them.

    A CPU with AVX-512 is no x86-64-v3 here, though it could run its code: its blocks are wider.
    """
    if architecture == "aarch64":
        return "aarch64"
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    flags = next((set(value.split()) for name, _, value in lines if name.strip() == "flags"), set())
    if flags >= AVX512:
        return "x86-64-v4"
    return "x86-64-v3" if flags >= AVX2 and "avx512f" not in flags else ""


def machine_family() -> str:
    """This machine's; looked up once."""
    if not _FOUND:
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as file:
                _FOUND.append(family_of(file.read(), os.uname().machine))
        except OSError:
            _FOUND.append("")
    return _FOUND[0]


def fitting_graph(pack: Pack, laid_out: LaidOut) -> str:
    """The graph laid out for this machine's CPU, else the portable one, which is said once."""
    if (family := machine_family()) and family == laid_out.family:
        return laid_out.graph
    if pack.folder not in _TOLD:
        _TOLD.add(pack.folder)
        sys.stderr.write(
            f"preheat: {pack.name} runs its portable graph: the other is laid out for {laid_out.family}, "
            f"this CPU is {family or 'of no known family'}\n"
        )
    return pack.manifest.graph


def this_machine_is(family: str) -> None:
    """EngineError where a graph cannot be laid out for a family here."""
    if (found := machine_family()) != family:
        raise EngineError(
            f"a graph for {family} is made on such a CPU; this one is {found or 'of no known family'}: "
            f"make the pack there, or leave out --cpu"
        )
