"""`preheat local`: the local cloud at the command line."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from preheat_tools.dashboard.command import dashboard
from preheat_tools.localcloud import deployment, process, status_page
from preheat_tools.localcloud.canary import Canary, Shift, package
from preheat_tools.localcloud.process import LocalCloud, LocalCloudError
from preheat_tools.localcloud.settings import ROUTINGS, Settings

_OUT = Console(highlight=False)
if not _OUT.is_terminal:
    _OUT.width = 160  # a file or a pipe has no edge to fold at


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LocalCloudError as problem:
            raise click.ClickException(str(problem)) from None


@click.group(cls=_Group)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(".preheat/local"),
    envvar="PREHEAT_LOCAL",
    show_default=True,
    help="Where the cloud keeps its state, its log and its workers' files.",
)
@click.pass_context
def local(ctx: click.Context, folder: Path) -> None:
    """An AWS on this machine: Lambda, API Gateway, CloudWatch and what else Preheat needs, on loopback.

    \b
    preheat local up
    preheat local deploy
    preheat local invoke Recommend -e events/recommend.json
    preheat local tick
    preheat local status
    preheat local dashboard
    preheat local down
    """
    ctx.obj = folder.resolve()


@local.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 takes a free one."
)
@click.option(
    "--compress",
    type=click.FloatRange(min=0.1, max=3600),
    default=1.0,
    envvar="PREHEAT_COMPRESSION",
    show_default=True,
    help="Virtual seconds in a real one: schedules, idle lifetimes and metrics' times go that much faster.",
)
@click.option(
    "--idle-ttl",
    type=float,
    default=Settings().idle_ttl_s,
    show_default=True,
    help="Virtual seconds that an idle environment lives.",
)
@click.option(
    "--routing",
    type=click.Choice(ROUTINGS),
    default="recent",
    show_default=True,
    help="Which idle environment is used first.",
)
@click.option(
    "--metric-delay",
    type=float,
    default=Settings().metric_delay_s,
    show_default=True,
    help="Virtual seconds that metrics are late.",
)
@click.pass_obj
def up(
    folder: Path, *, port: int, compress: float, idle_ttl: float, routing: str, metric_delay: float
) -> None:
    """Start the local cloud, or say where it is.

    \b
    preheat local up --compress 30    # half an hour a minute
    """
    if cloud := process.find(folder):
        _OUT.print(f"Already up at {cloud.url} (process {cloud.pid}, compression {cloud.compression:g}).")
        return
    if lost := process.remembered(folder):
        _OUT.print(f"The last one (process {lost.pid}) ended without `preheat local down`; starting anew.")
        process.sweep(folder)
    settings = {"idle_ttl_s": idle_ttl, "routing": routing, "metric_delay_s": metric_delay}
    cloud = process.start(folder, port=port, compression=compress, settings=settings)
    _OUT.print(
        f"Up at {cloud.url} (process {cloud.pid}, compression {compress:g}). Log: {folder / 'cloud.log'}"
    )


@local.command()
@click.pass_obj
def down(folder: Path) -> None:
    """End the local cloud, its workers and their files."""
    cloud = process.remembered(folder)
    if cloud is None:
        _OUT.print("Nothing is up.")
        return
    cloud.stop()
    _OUT.print(f"Ended process {cloud.pid} and its workers.")


@local.command()
@click.option(
    "--template",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path("template.yaml"),
    show_default=True,
)
@click.option("--stack", default="preheat", show_default=True, help="Name of the stack.")
@click.option(
    "--parameter", "-p", multiple=True, metavar="NAME=VALUE", help="A parameter of the template; repeatable."
)
@click.option(
    "--canary",
    is_flag=False,
    flag_value="Canary10Percent5Minutes",
    metavar="[TYPE]",
    help="Deploy what was built as a new version of a stack that is up, as CodeDeploy would: verified by the hook, "
    "shifted step by step (TYPE as in CodeDeploy), rolled back at an alarm. Exit code 1 where it was stopped.",
)
@click.pass_obj
def deploy(
    folder: Path, *, template: Path, stack: str, parameter: tuple[str, ...], canary: str | None
) -> None:
    """Build and deploy a template with sam, for the Python at hand.

    \b
    preheat local deploy -p Memory=512
    preheat local deploy --canary
    preheat local deploy --canary=Linear10PercentEvery1Minute
    """
    cloud, began = process.running(folder), time.monotonic()
    given = dict(_pair(one) for one in parameter)
    if canary is not None:
        if given:
            raise click.UsageError(
                "--canary ships the function's code alone: deploy parameters without it first"
            )
        sys.exit(_canary(cloud, template, stack, canary))
    with _OUT.status("sam build …") as status:
        made = deployment.deploy(
            cloud,
            template,
            stack=stack,
            parameters=given,
            progress=lambda line: status.update(f"[dim]{line[:100]}[/dim]"),
        )
    _OUT.print(f"Stack {stack} deployed in {time.monotonic() - began:.1f} s.")
    _OUT.print(status_page.table("Outputs", ("name", "value"), sorted(made.outputs.items())))


@local.command()
@click.argument("target")
@click.option(
    "--event", "-e", type=click.File("rb"), help="File with the event, or the request's body; - is stdin."
)
@click.option("--data", "-d", help="The event, or the request's body, as text.")
@click.option("--qualifier", "-q", help="Alias or version of the function.")
@click.option("--method", "-X", help="Of a request; POST with a body, else GET.")
@click.option("--stack", default="preheat", show_default=True)
@click.pass_obj
def invoke(
    folder: Path,
    *,
    target: str,
    event: Any,
    data: str | None,
    qualifier: str | None,
    method: str | None,
    stack: str,
) -> None:
    """Send an event to a function, or a request to the API (TARGET begins with /); exit code 1 on an error.

    \b
    preheat local invoke Recommend -q live -e events/ping.json
    preheat local invoke /recommend/short_form -d '{"visited": [1008], "k": 3}'
    """
    cloud = process.running(folder)
    made = deployment.look(cloud, stack)
    body = event.read() if event else (data.encode() if data else b"")
    if target.startswith("/"):
        sys.exit(_request(cloud, made, target, body, method or ("POST" if body else "GET")))
    sys.exit(_event(cloud, made.resources.get(target, target), body or b"{}", qualifier))


@local.command()
@click.option("--function", default="Warmer", show_default=True, help="Logical id of the warmer.")
@click.option("--stack", default="preheat", show_default=True)
@click.pass_obj
def tick(folder: Path, function: str, stack: str) -> None:
    """Invoke the warmer once, by the event its schedule sends, at virtual now."""
    cloud = process.running(folder)
    made = deployment.look(cloud, stack)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(cloud.now_s()))
    event = json.dumps({"scheduled_time": when}).encode()
    sys.exit(_event(cloud, made.resources.get(function, function), event, None))


@local.command()
@click.option("--json", "as_json", is_flag=True, help="The whole state as JSON.")
@click.pass_obj
def status(folder: Path, as_json: bool) -> None:
    """Show environments, functions, capacity and the warmer's last plans."""
    cloud = process.running(folder)
    state = cloud.state()
    if as_json:
        click.echo(json.dumps(state, indent=2))
        return
    for part in status_page.parts(cloud, state):
        _OUT.print(part, markup=False, soft_wrap=isinstance(part, str))


local.add_command(dashboard)


def _canary(cloud: LocalCloud, template: Path, stack: str, kind: str) -> int:
    """The function's code as it is now, played as a deployment."""
    made = deployment.look(cloud, stack)
    try:
        shift = Shift.of(kind)
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None
    with _OUT.status("sam build …") as status:
        built = deployment.build(cloud, template, lambda line: status.update(f"[dim]{line[:100]}[/dim]"))
    _OUT.print("CodeDeploy's order of events, by a stand-in; the hook and its workers are real.")
    outcome = Canary(cloud, made, _OUT.print).deploy(package(built.parent / "Recommend"), shift)
    _OUT.print(outcome.report, markup=False, soft_wrap=True)
    return 1 if outcome.stopped else 0


def _event(cloud: LocalCloud, function: str, body: bytes, qualifier: str | None) -> int:
    import base64

    client = cloud.client("lambda")
    named = {"Qualifier": qualifier} if qualifier else {}
    try:
        answer = client.invoke(FunctionName=function, Payload=body, LogType="Tail", **named)
    except client.exceptions.ResourceNotFoundException as problem:
        raise LocalCloudError(f"{problem}; `preheat local status` lists what is deployed") from None
    except client.exceptions.TooManyRequestsException as problem:
        raise LocalCloudError(f"throttled: {problem}") from None
    _show(answer["Payload"].read())
    lines = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace").splitlines()
    _OUT.print(
        "\n".join(one.replace("\t", "  ") for one in lines if one.startswith("REPORT")),
        style="dim",
        soft_wrap=True,
    )
    return 1 if answer.get("FunctionError") else 0


def _request(cloud: LocalCloud, made: deployment.Deployed, path: str, body: bytes, method: str) -> int:
    headers = {"Content-Type": "application/json"}
    if key := deployment.api_key(cloud, made):
        headers["x-api-key"] = key
    url, seen = deployment.api_url(cloud, made) + path, _last(cloud)
    request = urllib.request.Request(url, data=body or None, method=method, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            code, text = answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        code, text = refused.code, refused.read()
    _OUT.print(f"HTTP {code}")
    _show(text)
    for one in cloud.invocations(seen):
        cold = f", cold: INIT {one['init_ms']:.0f} ms" if one["cold"] else ""
        _OUT.print(
            f"{one['function']} {one['duration_ms']:.1f} ms, billed {one['billed_ms']} ms{cold}", style="dim"
        )
    return 0 if code < 400 else 1


def _last(cloud: LocalCloud) -> int:
    return max((one["sequence"] for one in cloud.invocations()), default=0)


def _show(payload: bytes) -> None:
    try:
        _OUT.print_json(payload.decode())
    except ValueError:
        _OUT.print(payload.decode(errors="replace"), markup=False)


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not (name and mark):
        raise click.UsageError(f"a parameter is NAME=VALUE, was: {text!r}")
    return name, value
