"""`preheat deploy-check`: the deployment hook's gate at the command line, for pipelines without CodeDeploy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from warmer.gate import Verdict


@click.command("deploy-check")
@click.argument("version", metavar="FUNCTION:VERSION|FOLDER")
@click.option("--against", help="What serves now: an alias, by default live; or a folder, by default none.")
@click.option(
    "--environments",
    default=2,
    show_default=True,
    type=click.IntRange(1, 900),
    help="How many must be warm and sound.",
)
@click.option(
    "--ratio",
    default=1.5,
    show_default=True,
    type=click.FloatRange(1, 100),
    help="How much slower answers may be.",
)
@click.option("--within", "within_s", default=120.0, show_default=True, help="Seconds it may take.")
def deploy_check(
    *, version: str, against: str | None, environments: int, ratio: float, within_s: float
) -> None:
    """Warm a version's environments, verify every model in each, compare with what serves now.

    Of a folder (one pack, or a function's folder of packs) the environments are processes on this machine. Exit code 0
    where it may take traffic, 1 where there is any doubt. Credentials, region and endpoint are those of the AWS command
    line.

    \b
    preheat deploy-check preheat-recommend:7
    preheat deploy-check preheat-recommend:7 --against live --environments 5 --ratio 1.2
    preheat deploy-check build/packs --against functions/recommend/models
    """
    if Path(version).is_dir():
        verdict = _local(version, against, environments=environments, ratio=ratio, within_s=within_s)
    else:
        verdict = _deployed(
            version, against or "live", environments=environments, ratio=ratio, within_s=within_s
        )
    click.echo(verdict.report())
    if not verdict.passed:
        raise SystemExit(1)


def _local(folder: str, against: str | None, *, environments: int, ratio: float, within_s: float) -> Verdict:
    from preheat_tools.local_packs import check_packs

    if against is not None and not Path(against).is_dir():
        raise click.UsageError(f"--against must be a folder where a folder is checked, was: {against!r}")
    return check_packs(
        Path(folder),
        Path(against) if against is not None else None,
        environments=environments,
        ratio=ratio,
        within_s=within_s,
    )


def _deployed(version: str, against: str, *, environments: int, ratio: float, within_s: float) -> Verdict:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from warmer.policy.values import Target
    from warmer.preflight import check

    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}:(\d+|\$LATEST)", version):
        raise click.UsageError(
            f"it must be a folder of packs, or FUNCTION:VERSION as preheat-recommend:7, was: {version!r}"
        )
    try:
        return check(
            boto3.Session(),
            Target(*version.split(":")),
            alias=against,
            environments=environments,
            ratio=ratio,
            left_s=within_s,
        )
    except (ClientError, BotoCoreError) as error:
        raise click.ClickException(f"{version} could not be judged: {error}") from None
