"""`preheat deploy-check`: the deployment hook's gate at the command line, for pipelines without CodeDeploy."""

from __future__ import annotations

import re

import click


@click.command("deploy-check")
@click.argument("version", metavar="FUNCTION:VERSION")
@click.option("--against", default="live", show_default=True, help="Alias whose version serves now.")
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
def deploy_check(*, version: str, against: str, environments: int, ratio: float, within_s: float) -> None:
    """Warm a version's environments, verify every model in each, compare with what serves now.

    Exit code 0 where it may take traffic, 1 where there is any doubt. Credentials, region and endpoint are those of the
    AWS command line.

    \b
    preheat deploy-check preheat-recommend:7
    preheat deploy-check preheat-recommend:7 --against live --environments 5 --ratio 1.2
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from warmer.policy.values import Target
    from warmer.preflight import check

    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}:(\d+|\$LATEST)", version):
        raise click.UsageError(f"FUNCTION:VERSION must be as preheat-recommend:7, was: {version!r}")
    try:
        verdict = check(
            boto3.Session(),
            Target(*version.split(":")),
            alias=against,
            environments=environments,
            ratio=ratio,
            left_s=within_s,
        )
    except (ClientError, BotoCoreError) as error:
        raise click.ClickException(f"{version} could not be judged: {error}") from None
    click.echo(verdict.report())
    if not verdict.passed:
        raise SystemExit(1)
