"""`preheat doctor` at the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from preheat_tools.doctor.findings import Finding, Grade

MARKS = {Grade.OK: "ok     ", Grade.NOTE: "note   ", Grade.PROBLEM: "PROBLEM"}


@click.command()
@click.option("--stack", help="Name of a deployed stack; without it only parameters are looked at.")
@click.option(
    "--template",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path("template.yaml"),
    show_default=True,
)
@click.option("--parameter", "-p", multiple=True, metavar="NAME=VALUE", help="Of the template; repeatable.")
def doctor(stack: str | None, template: Path, parameter: tuple[str, ...]) -> None:
    """Look at a stack, or at parameters before they are deployed: what is refused, missing, stopped, and what it costs.

    Exit code 0 where there is no problem, 1 where there is. It changes nothing. Credentials, region and endpoint are
    those of the AWS command line.

    \b
    preheat doctor -p Stage=dev -p Strategy=SnapStart     # before a deployment, no account needed
    preheat doctor --stack preheat
    """
    from preheat_tools.doctor import parameters as given_parameters

    given = dict(_pair(one) for one in parameter)
    found: list[Finding] = []
    loaded = given_parameters.load(template)
    if stack:
        deployed, findings = _stack(stack)
        known = loaded["Parameters"].keys()
        given = {name: value for name, value in deployed.items() if name in known} | given
        found += findings
    found = [*given_parameters.check(loaded, given), *found]
    for one in found:
        click.echo(f"{MARKS[one.grade]} {one.about}: {one.text}")
    if not any(one.about == "parameters" and one.grade is Grade.PROBLEM for one in found):
        _costs(given_parameters.with_defaults(loaded, given))
    if any(one.grade is Grade.PROBLEM for one in found):
        raise SystemExit(1)


def _stack(name: str) -> tuple[Mapping[str, str], Sequence[Finding]]:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from preheat_tools.doctor.stack import Deployed

    try:
        deployed = Deployed.find(boto3.Session(), name)
        return deployed.parameters, list(deployed.check(datetime.now(UTC)))
    except (ClientError, BotoCoreError) as error:
        raise click.ClickException(f"stack {name} could not be looked at: {error}") from None


def _costs(parameters: Mapping[str, str]) -> None:
    from preheat_tools.doctor.costs import fixed_costs

    click.echo(f"\nStage {parameters['Stage']}, a month before the first request (us-east-1):")
    costs = list(fixed_costs(parameters))
    for cost in costs:
        click.echo(f"  ${cost.usd:9.2f}  {cost.what}")
    in_all_usd = sum(cost.usd for cost in costs)
    click.echo(f"  ${in_all_usd:9.2f}  in all; pings and traffic: `preheat simulate` with a trace of yours")


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not (name and mark):
        raise click.UsageError(f"a parameter is NAME=VALUE, was: {text!r}")
    return name, value
