"""The recommenders as packs for the torch engine, for `functions/recommend_torch`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import click

FACTORIES = "networks"
"""Name that the function's image has `networks.py` by."""


@click.command()
@click.option("--weights", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--data", type=click.Path(path_type=Path), default=Path("data/msweb"), show_default=True)
def torch_packs(weights: Path, out: Path, data: Path) -> None:
    """Pack every network that WEIGHTS holds the weights of.

    \b
    preheat models --weights build/weights
    python -m preheat_tools.models.torch_packs --weights build/weights --out build/torch-packs
    """
    from preheat_tools.models import networks
    from preheat_tools.models.msweb import read_web_data
    from preheat_tools.models.roster import DUTIES, golden_questions
    from preheat_tools.pack.torch_pack import write_torch_pack
    from preheat_tools.pack.torch_source import make_module
    from preheat_tools.pack.writer import Order

    questions = golden_questions(read_web_data(data))
    found = [duty for duty in DUTIES if (weights / f"{duty.name}.safetensors").is_file()]
    if not found:
        names = ", ".join(f"{duty.name}.safetensors" for duty in DUTIES)
        raise click.ClickException(
            f"{weights} has none of {names}: make them with `preheat models --weights`"
        )
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(networks.__file__, Path(folder, f"{FACTORIES}.py"))
        sys.path.insert(0, folder)
        os.environ["PYTHONPATH"] = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
        for duty in found:
            factory = f"{FACTORIES}:{duty.name}"
            module = make_module(factory, weights / f"{duty.name}.safetensors")
            order = Order(name=duty.name, traffic_share=duty.traffic_share, questions=questions)
            packed = write_torch_pack(order, factory, module, ["scores"], out / duty.name)
            click.echo(f"{duty.name} {packed.manifest.version} -> {out / duty.name}")


if __name__ == "__main__":
    torch_packs()
