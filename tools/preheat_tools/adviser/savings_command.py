"""`preheat savings`: what the warmer has saved."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click

FILE = click.Path(dir_okay=False, path_type=Path)
BURST = "-burst"
"""How the log group of the burst handler ends, by template.yaml."""


@click.command(context_settings={"show_default": True})
@click.argument("log", required=False, type=click.File("r"))
@click.option("--log-group", "groups", multiple=True,
              help="In CloudWatch: the warmer's, and the burst handler's for the cold starts seen.")  # fmt: skip
@click.option("--days", default=30.0, type=click.FloatRange(min=0.01), help="How far back in the log groups.")
@click.option("--json", "json_file", type=FILE, help="Write the figures as JSON.")
@click.option("--html", "html_file", type=FILE, help="Write one page for who decides.")
def savings(
    log: Any, groups: Sequence[str], days: float, json_file: Path | None, html_file: Path | None
) -> None:
    """Say what the warmer saved, from its own log lines: LOG is a file, or - for standard input.

    Each plan said what it expected until the next look, with itself and without; those are summed, beside what was
    spent and the cold starts that customers did wait for. Lines of a dry run say what would have been saved.

    \b
    preheat savings --log-group /aws/lambda/preheat-warmer --log-group /aws/lambda/preheat-burst --days 30
    aws logs tail /aws/lambda/preheat-warmer --since 7d --format short | preheat savings -
    """
    from preheat_tools.adviser.logs import LogError
    from preheat_tools.adviser.savings import saved
    from preheat_tools.adviser.tables import print_savings

    if (log is None) == (not groups):
        raise click.UsageError(
            "say what to read: a LOG (- is standard input), or --log-group NAME (one of the two)"
        )
    try:
        lines = log if log is not None else chain.from_iterable(_lines(groups, days))
        found = saved(lines, heard=any(group.endswith(BURST) for group in groups))
    except LogError as error:
        raise click.ClickException(str(error)) from error
    if not found.plans:
        raise click.ClickException(
            f'no plan of the warmer among {found.passed_over} other lines: its log lines are JSON with "event": "plan"'
        )
    print_savings(found)
    if json_file:
        json_file.write_text(json.dumps(found.to_json(), indent=1) + "\n")
    if html_file:
        from preheat_tools.adviser.savings_page import page

        html_file.write_text(page(found), encoding="utf-8")
        click.echo(f"Report: {html_file.resolve().as_uri()}")


def _lines(groups: Sequence[str], days: float) -> Iterator[Iterator[str]]:
    import boto3
    from botocore.exceptions import BotoCoreError

    from preheat_tools.adviser.logs import LogError, messages
    from preheat_tools.adviser.savings import LINES

    try:
        logs = boto3.client("logs")  # type: ignore[call-overload,unused-ignore]
    except BotoCoreError as error:
        raise LogError(f"AWS cannot be asked: {error}; set AWS_DEFAULT_REGION and credentials") from error
    for group in groups:
        yield messages(logs, group, time.time() - days * 86_400, LINES)
