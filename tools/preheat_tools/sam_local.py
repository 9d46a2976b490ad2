"""`make sam-local`: the template and every payload of events/ under SAM's emulator, in containers."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

RECEIVERS = {
    "schedule_cycle": "Warmer",
    "burst_logs": "Burst",
    "codedeploy_hook": "Preflight",
    "expect": "Warmer",
}
"""Functions by event; all other events are the inference function's."""
UNSET = {"WARMER_SETTINGS": ""}
"""Of the warmer's functions: SAM would put a resource's logical id where the parameter's name stands."""
UNANSWERED = frozenset({"EndpointConnectionError", "ClientError", "ResourceNotFoundException"})
"""What a handler ends with that reached its own work and found no such resource, or no AWS, to ask."""
PATIENCE_S = 300.0
_OUT = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sam:
    """How SAM is called; the built template, and options of every `sam local` command."""

    template: Path
    options: tuple[str, ...]

    def command(self, *arguments: str) -> list[str]:
        sam = str(Path(sys.executable).with_name("sam"))
        return [sam, "local", *arguments, "--template-file", str(self.template), *self.options]


@click.command()
@click.option(
    "--runtime", default="python3.13", show_default=True, help="Of the emulator's image, and of the build."
)
@click.option("--skip-pull", is_flag=True, help="Use images that are here already.")
@click.option("--event", "only", multiple=True, metavar="NAME", help="Only this event; may be given again.")
def sam_local(runtime: str, skip_pull: bool, only: tuple[str, ...]) -> None:
    """Run `sam local invoke` on every event, then `sam local start-api` with a request.

    \b
    make sam-local
    make sam-local ARGS='--runtime python3.12 --skip-pull'
    """
    if problem := engine_problem():
        raise click.ClickException(f"no container engine answers ({problem}); `make demo` needs none")
    root = Path.cwd()
    sam = _built(root, runtime, skip_pull)
    failed = 0
    for file in sorted((root / "events").glob("*.json")):
        if only and file.stem not in only:
            continue
        begun = time.monotonic()
        answer = invoke(sam, RECEIVERS.get(file.stem, "Recommend"), file)
        failed += "errorType" in answer and not (file.stem in RECEIVERS and answer["errorType"] in UNANSWERED)
        _OUT.print(f"{file.stem:32} {time.monotonic() - begun:5.1f} s  {digest(answer)}", markup=False)
    with api(sam) as url:
        status, body = ask(f"{url}/recommend/short_form", {"visited": [1008, 1034], "k": 1})
        _OUT.print(f"POST /recommend/short_form: HTTP {status} {digest(body)}", markup=False)
    sys.exit(1 if failed or status != 200 else 0)


def engine_problem() -> str:
    """Why no container engine can be used; empty where one answers."""
    docker: Any = importlib.import_module("docker")  # untyped; SAM brings it
    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        return str(error)
    return ""


def invoke(sam: Sam, function: str, event: Path) -> Any:
    """The function's answer to an event; raises ClickException where SAM itself fails."""
    done = subprocess.run(
        sam.command("invoke", function, "--event", str(event)),
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
        timeout=PATIENCE_S,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("{", "[", '"', "null"))]
    if not lines:
        raise click.ClickException(f"sam local invoke {function} -e {event.name}:\n{done.stderr[-2000:]}")
    return json.loads(lines[-1])


def digest(answer: Any) -> str:
    """An answer on one line."""
    if isinstance(answer, dict) and "statusCode" in answer:
        return f"{answer['statusCode']} {answer['body']}"[:150]
    if isinstance(answer, dict) and "preheat" in answer:
        models = answer["preheat"]["models"]
        return "ping: " + ", ".join(f"{name} {one['level']}" for name, one in models.items())
    return json.dumps(answer)[:150]


@contextmanager
def api(sam: Sam) -> Iterator[str]:
    """`sam local start-api` for the length of a block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        sam.command("start-api", "--port", str(port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    )
    try:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and server.poll() is None:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()


def ask(url: str, body: Any) -> tuple[int, Any]:
    """A POST of JSON: status and body."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - loopback
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(errors="replace")


def _built(root: Path, runtime: str, skip_pull: bool) -> Sam:
    folder = root / ".preheat/sam-local"
    parameters = ("--parameter-overrides", f"Runtime={runtime}", "WarmerDryRun=true")
    build = [str(Path(sys.executable).with_name("sam")), "build", "--build-dir", str(folder), *parameters]
    version = {"PREHEAT_PYTHON": runtime.removeprefix("python")}
    done = subprocess.run(
        build, capture_output=True, text=True, check=False, cwd=root, env=_environment() | version
    )
    if done.returncode:
        raise click.ClickException(f"sam build:\n{done.stderr[-2000:]}")
    pull = ("--skip-pull-image",) if skip_pull else ()
    variables = folder / "variables.json"
    variables.write_text(json.dumps(dict.fromkeys(("Warmer", "Burst"), UNSET)))
    options = (*parameters, *pull, "--env-vars", str(variables))
    return Sam(template=folder / "template.yaml", options=options)


def _environment() -> dict[str, str]:
    """Dummies where no account is set: the inference function asks AWS nothing."""
    dummies = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return dummies | os.environ | {"SAM_CLI_TELEMETRY": "0"}


if __name__ == "__main__":
    sam_local()
