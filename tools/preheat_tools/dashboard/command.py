"""`preheat local dashboard`: the template's dashboard as a picture."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from preheat_tools.dashboard.board import CloudSource, pictures, window_s
from preheat_tools.dashboard.svg import draw
from preheat_tools.localcloud import process
from preheat_tools.localcloud.process import LocalCloud, LocalCloudError


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(".preheat/dashboard.svg"),
    show_default=True,
    help="Where the picture goes.",
)
@click.option("--stack", default="preheat", show_default=True)
@click.option(
    "--minutes", type=click.FloatRange(min=1), help="How far back; the dashboard's own time where not given."
)
@click.pass_obj
def dashboard(folder: Path, out: Path, stack: str, minutes: float | None) -> None:
    """Draw a stack's CloudWatch dashboard from what the local cloud has measured and logged.

    \b
    preheat local dashboard --minutes 90 --out dashboard.svg
    """
    cloud = process.running(folder)
    text = picture(cloud, stack, None if minutes is None else 60.0 * minutes)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    click.echo(f"{out.resolve().as_uri()} ({len(text) / 1024:.0f} KB)")


def picture(cloud: LocalCloud, stack: str, back_s: float | None = None) -> str:
    """The stack's dashboard of the last `back_s` virtual seconds as SVG; a LocalCloudError where there is none."""
    cloudwatch = cloud.client("cloudwatch")
    try:
        body = cloudwatch.get_dashboard(DashboardName=stack)["DashboardBody"]
    except cloudwatch.exceptions.ClientError:
        raise LocalCloudError(f"no dashboard {stack!r}: the stack must be up, with Metrics=full") from None
    until_s = cloud.now_s()
    since_s = until_s - (window_s(body) if back_s is None else back_s)
    shown = pictures(body, CloudSource(cloudwatch, cloud.client("logs")), since_s, until_s)
    span = " to ".join(f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}" for at in (since_s, until_s))
    return draw(shown, f"{stack}: {span} UTC, local cloud", since_s, until_s)
