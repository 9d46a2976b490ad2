"""`preheat models`: train, evaluate, export and pack the recommenders."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from preheat_tools.models.evaluation import Quality, Questions
    from preheat_tools.models.msweb import WebData
    from preheat_tools.models.networks import Recommender
    from preheat_tools.models.roster import Duty


@click.command("models")
@click.option("--data", type=click.Path(path_type=Path), default=Path("data/msweb"), show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("functions/recommend/models"),
    show_default=True,
    help="Folder of the packs; the catalogue of areas is written beside it.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Only this model; may be given again.")
def models(data: Path, out: Path, only: tuple[str, ...]) -> None:
    """Train the recommenders on the Anonymous Microsoft Web Data, compare them with popularity, and pack them.

    \b
    preheat models                       all, into functions/recommend/models
    preheat models --only short_form --out /tmp/packs
    """
    from preheat_tools.models.evaluation import all_but_one, evaluate, popularity
    from preheat_tools.models.msweb import read_web_data
    from preheat_tools.models.roster import DUTIES

    names = [duty.name for duty in DUTIES]
    if unknown := set(only) - set(names):
        raise click.BadParameter(
            f"must be one of {', '.join(names)}, was: {', '.join(unknown)}", param_hint="--only"
        )
    console = Console()
    web = read_web_data(data)
    questions = all_but_one(web.test)
    rows = [("popularity", "baseline", evaluate(popularity(web.training), questions))]
    with Progress(console=console) as progress:
        for duty in DUTIES:
            if not only or duty.name in only:
                rows.append((duty.name, duty.kind, _make(duty, web, questions, out, progress)))
    _write_catalogue(web, out.parent / "areas.json")
    console.print(_table(rows))


def _make(duty: Duty, web: WebData, questions: Questions, out: Path, progress: Progress) -> Quality:
    from preheat_tools.models.evaluation import evaluate
    from preheat_tools.models.training import contexts, score_by, train

    bar = progress.add_task(duty.name, total=1.0)
    model = train(
        duty.network,
        duty.recipe,
        contexts(web.training),
        lambda done, loss: progress.update(bar, completed=done, description=f"{duty.name} loss {loss:.3f}"),
    )
    quality = evaluate(score_by(model), questions)
    _pack(duty, model, web, out)
    return quality


def _pack(duty: Duty, model: Recommender, web: WebData, out: Path) -> None:
    from preheat_tools.pack.torch_export import answer_by, export
    from preheat_tools.pack.writer import Order, write_pack

    asked = web.test.astype("float32")
    golden = [{"visited": asked[first:last]} for first, last in ((0, 1), (1, 3), (3, 7))]
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / f"{duty.name}.onnx"
        export(model, golden[1], ["scores"], graph)
        order = Order(name=duty.name, traffic_share=duty.traffic_share, questions=golden)
        write_pack(order, graph, answer_by(model, ["scores"]), out / duty.name)


def _write_catalogue(web: WebData, path: Path) -> None:
    """A JSON list, one area an entry, in the order of the models' columns: `{"id", "title", "url"}`."""
    lines = ",\n".join(json.dumps(asdict(area), ensure_ascii=False) for area in web.areas)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _table(rows: list[tuple[str, str, Quality]]) -> Table:
    table = Table("model", "kind", "recall@10 %", "half-life %")
    for name, kind, quality in rows:
        table.add_row(name, kind, f"{quality.recall_at_10:.2f}", f"{quality.half_life:.2f}")
    return table
