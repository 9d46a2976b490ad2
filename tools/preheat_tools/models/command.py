"""`preheat models`: train, evaluate, export and pack the recommenders."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from preheat_tools.models.evaluation import Quality, Score
    from preheat_tools.models.msweb import Visits, WebData
    from preheat_tools.models.networks import Recommender
    from preheat_tools.models.roster import Duty


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row of the table; sizes are zero for what is not packed."""

    name: str
    kind: str
    all_but_one: Quality
    given_one: Quality
    training_s: float = 0.0
    pack_mb: float = 0.0


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
@click.option(
    "--weights", type=click.Path(path_type=Path), help="Keep each model's weights here, as safetensors."
)
@click.option(
    "--held-out",
    is_flag=True,
    help="Train on nine tenths of the training users, evaluate on the last tenth, pack nothing: to choose a recipe by.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the table here too.")
def models(
    *,
    data: Path,
    out: Path,
    only: tuple[str, ...],
    weights: Path | None,
    held_out: bool,
    json_file: Path | None,
) -> None:
    """Train the recommenders on the Anonymous Microsoft Web Data, compare them with popularity, and pack them.

    \b
    preheat models                       all, into functions/recommend/models
    preheat models --only short_form --out build/packs
    """
    try:
        from preheat_tools.models.roster import DUTIES
    except ModuleNotFoundError as error:
        raise click.ClickException(f"training needs torch ({error}): make .venv/.torch") from None
    from preheat_tools.models.evaluation import popularity
    from preheat_tools.models.msweb import read_web_data

    names = [duty.name for duty in DUTIES]
    if unknown := sorted(set(only) - set(names)):
        raise click.BadParameter(
            f"must be one of {', '.join(names)}, was: {', '.join(unknown)}", param_hint="--only"
        )
    try:
        web = read_web_data(data)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    learnt, asked = _parts(web, held_out)
    results = [_result(name="popularity", kind="baseline", score=popularity(learnt), asked=asked)]
    console = Console(width=None if sys.stdout.isatty() else 110)
    with Progress(console=console) as progress:
        for duty in DUTIES:
            if not only or duty.name in only:
                model, training_s = _train(duty, learnt, progress)
                pack_mb = 0.0 if held_out else _pack(duty, model, web, out, weights)
                results.append(_measured(duty, model, asked, training_s, pack_mb))
    if not held_out:
        _write_catalogue(web, out.parent / "areas.json")
    console.print(_table(results))
    if json_file:
        json_file.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")


def _parts(web: WebData, held_out: bool) -> tuple[Visits, Visits]:
    """Users to learn from, users to ask about."""
    cut = len(web.training) * 9 // 10
    return (web.training[:cut], web.training[cut:]) if held_out else (web.training, web.test)


def _train(duty: Duty, learnt: Visits, progress: Progress) -> tuple[Recommender, float]:
    from preheat_tools.models.training import contexts, train

    bar = progress.add_task(duty.name, total=1.0)
    begun = time.monotonic()

    def tell(done: float, loss: float) -> None:
        progress.update(bar, completed=done, description=f"{duty.name} loss {loss:.3f}")
        if not progress.console.is_terminal:  # a log shows no moving bar
            click.echo(f"{duty.name}: {done:.0%}, loss {loss:.3f}, {time.monotonic() - begun:.0f} s")

    model = train(duty.network, duty.recipe, contexts(learnt), tell)
    return model, time.monotonic() - begun


def _measured(duty: Duty, model: Recommender, asked: Visits, training_s: float, pack_mb: float) -> Result:
    from preheat_tools.models.training import score_by

    return _result(
        name=duty.name,
        kind=duty.kind,
        score=score_by(model),
        asked=asked,
        training_s=round(training_s, 1),
        pack_mb=pack_mb,
    )


def _result(
    *, name: str, kind: str, score: Score, asked: Visits, training_s: float = 0.0, pack_mb: float = 0.0
) -> Result:
    from preheat_tools.models.evaluation import all_but_one, evaluate, given_one

    return Result(
        name=name,
        kind=kind,
        all_but_one=evaluate(score, all_but_one(asked)),
        given_one=evaluate(score, given_one(asked)),
        training_s=training_s,
        pack_mb=pack_mb,
    )


def _pack(duty: Duty, model: Recommender, web: WebData, out: Path, weights: Path | None) -> float:
    """Write the pack, and the weights alone where asked; returns the pack's size in MB."""
    from preheat_tools.models.roster import golden_questions
    from preheat_tools.pack.torch_source import from_module, write_weights
    from preheat_tools.pack.writer import Order, write_pack

    golden = golden_questions(web)
    if weights is not None:
        write_weights(model, weights / f"{duty.name}.safetensors")
    with tempfile.TemporaryDirectory() as scratch:
        source = from_module(model, golden, ["scores"], Path(scratch))
        order = Order(name=duty.name, traffic_share=duty.traffic_share, questions=golden)
        packed = write_pack(order, source, out / duty.name)
    return sum(file.bytes for file in packed.manifest.files.values()) / 1e6


def _write_catalogue(web: WebData, path: Path) -> None:
    """A JSON list, one area an entry, in the order of the models' columns: `{"id", "title", "url"}`."""
    lines = ",\n".join(json.dumps(asdict(area), ensure_ascii=False) for area in web.areas)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _table(results: list[Result]) -> Table:
    table = Table(title=f"{results[0].all_but_one.users} users; recall@10 and half-life score in percent")
    for heading in (
        "model",
        "kind",
        "recall",
        "half-life",
        "recall, given 1",
        "half-life, given 1",
        "s",
        "MB",
    ):
        table.add_column(heading, justify="left" if heading in ("model", "kind") else "right")
    for row in results:
        figures = [
            row.all_but_one.recall_at_10,
            row.all_but_one.half_life,
            row.given_one.recall_at_10,
            row.given_one.half_life,
        ]
        sizes = [f"{row.training_s:.0f}", f"{row.pack_mb:.2f}"] if row.training_s else ["", ""]
        table.add_row(row.name, row.kind, *(f"{figure:.2f}" for figure in figures), *sizes)
    return table
