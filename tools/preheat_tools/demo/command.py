"""`preheat demo`: runs the scenes, shows progress, prints the table, writes the page and the figures."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from preheat_tools.demo import story as scenes
from preheat_tools.demo.faulty import with_one_wrong_weight
from preheat_tools.demo.page import write_page
from preheat_tools.demo.release import broken_promise, release
from preheat_tools.demo.story import Story, System
from preheat_tools.demo.summary import firsts_table, releases_table, summary, table
from preheat_tools.demo.traffic import Traffic, read_traffic
from preheat_tools.demo.usual import starts

COMPRESSION = 60.0
_OUT = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


@click.command()
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the figures to a file.",
)
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(".preheat/demo.html"),
    show_default=True,
    help="Where the pictures go.",
)
@click.option(
    "--compress",
    type=click.FloatRange(10, 120),
    default=COMPRESSION,
    show_default=True,
    help="Minutes of the trace that pass in a real one: schedules, idle lifetimes and metrics' times alike.",
)
@click.option(
    "--dashboard",
    "dashboard_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the stack's CloudWatch dashboard, from the warmer's first run to the last deployment, as SVG.",
)
def demo(json_file: Path | None, html_file: Path, compress: float, dashboard_file: Path | None) -> None:
    """Deploy to a local AWS and measure real traffic with and without the warmer.

    \b
    preheat demo
    preheat demo --json figures.json

    Takes less than five minutes on two cores, needs no account, and stops what it started.
    Exit code 1 where a scene failed, or the good version was not let through.
    """
    root = Path.cwd()
    if not (root / "template.yaml").exists():
        raise click.UsageError(f"run it in the repository: there is no template.yaml in {root}")
    began_s = time.monotonic()
    signal.signal(
        signal.SIGTERM, lambda number, frame: sys.exit(128 + number)
    )  # so that what was started is stopped
    try:
        story = _tell(root, compress)
    except Exception as problem:
        raise click.ClickException(f"{type(problem).__name__}: {problem}") from problem
    found = summary(story)
    _OUT.print(firsts_table(found))
    _OUT.print(table(found))
    _OUT.print(releases_table(found))
    html_file.parent.mkdir(parents=True, exist_ok=True)
    write_page(html_file, story, found)
    _OUT.print(f"Pictures: {html_file.resolve().as_uri()} (opens without a network)")
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=2) + "\n")
        _OUT.print(f"Figures: {json_file}")
    if dashboard_file is not None:
        dashboard_file.write_text(story.dashboard, encoding="utf-8")
        _OUT.print(f"Dashboard: {dashboard_file}")
    _OUT.print(f"Everything that was started is stopped. {time.monotonic() - began_s:.0f} s in all.")
    if broken := broken_promise(story.releases):
        raise click.ClickException(broken)


def _tell(root: Path, compression: float) -> Story:
    from preheat_tools.dashboard.command import picture
    from preheat_tools.localcloud.deployment import build
    from preheat_tools.localcloud.process import local_cloud

    folder = root / ".preheat" / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    traffic = read_traffic(root)
    areas = [one["id"] for one in json.loads((root / "functions/recommend/areas.json").read_text())]
    story = Story(compression=compression)
    settings = {"idle_ttl_s": scenes.IDLE_TTL_S}
    with local_cloud(folder, compression=compression, settings=settings) as cloud:
        with _scene("Build template.yaml with sam build") as progress:
            built = build(cloud, root / "template.yaml", lambda line: progress(0.0, line))
        with _scene("Deploy it with sam deploy, the warmer switched off") as progress:
            without = scenes.ship(cloud, built, areas, progress, warmer=False)
        models = scenes.models_of(without)
        service_s = _measure_cold(story, without, models, traffic, built.parent / "Recommend" / "models")
        with _scene("The trace's four hours before the slice, into CloudWatch as history"):
            scenes.load_history(cloud, traffic, service_s)
        with _scene("Deploy it again, with the warmer as shipped") as progress:
            warmed = scenes.ship(cloud, built, areas, progress, warmer=True)
        warm_from_s = cloud.now_s()
        _measure_warm(story, warmed, models, traffic)
        _release_twice(story, warmed, models, built.parent / "Recommend")
        story.dashboard = picture(cloud, warmed.deployed.stack, cloud.now_s() - warm_from_s)
    return story


def _measure_cold(story: Story, system: System, models: list[str], traffic: Traffic, packs: Path) -> float:
    """The scenes without the warmer; answers how long a warm request took, in virtual seconds."""
    before = scenes.last_sequence(system.cloud)
    configuration = system.cloud.client("lambda").get_function_configuration(FunctionName=system.function)
    story.memory_mb = configuration["MemorySize"]
    with _scene("A first request to each model, cold") as progress:
        story.firsts = scenes.first_requests(system, models, progress)
    service_s = scenes.service_s(system, before)
    with _scene("The same models in processes of their own, as onnxruntime is usually written") as progress:
        story.starts = starts(packs, models, progress)
    minutes = len(traffic.during)
    with _scene(
        f"{sum(traffic.during)} requests of {minutes} min of the Azure trace, nothing keeps warm"
    ) as progress:
        story.cold = scenes.play_slice(system, traffic, models, progress)
    with _scene(f"A burst of {scenes.BURST} at once, nothing warm"):
        system.let_all_go()
        story.bursts["without"] = scenes.burst(system, models[0])
    return service_s


def _measure_warm(story: Story, system: System, models: list[str], traffic: Traffic) -> None:
    before = scenes.last_sequence(system.cloud)
    with _scene(f"The same {sum(traffic.during)} requests, the warmer ticking") as progress:
        story.warm = scenes.play_slice(system, traffic, models, progress)
        story.first_cycle_s = scenes.first_cycle_over_s(system, story.warm, before)
    with _scene(f"A burst of {scenes.BURST} at once, with the warmer's pool"):
        story.bursts["with"] = scenes.burst(system, models[0])


def _release_twice(story: Story, system: System, models: list[str], built: Path) -> None:
    """A broken version, then a good one."""
    wrong = with_one_wrong_weight(built, models[0], built.parent / "Wrong")
    with _scene(
        f"Deploy a version in which one weight of {models[0]} is wrong, while customers ask"
    ) as progress:
        story.releases["wrong"] = release(system, wrong, models, progress)
    (built / "released.txt").write_text("another version of the same models\n")
    with _scene("Deploy a good version, while customers ask") as progress:
        story.releases["good"] = release(system, built, models, progress)


@contextmanager
def _scene(title: str) -> Iterator[scenes.Progress]:
    """A line with a bar while the scene runs, and its time when it is over."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(20),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[now]}"),
    )
    with Progress(*columns, console=_OUT) as bar:
        task = bar.add_task(title, total=1.0, now="")
        yield lambda share, now: bar.update(task, completed=share, now=now[:60])
        bar.update(task, completed=1.0, now="")
