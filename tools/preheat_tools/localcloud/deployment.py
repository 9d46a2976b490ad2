"""The repository's own template on the local cloud: `sam build`, `sam deploy`, and what came of it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preheat_tools.localcloud.process import CREDENTIALS, REGION, LocalCloud, LocalCloudError

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
_NO_IMAGES = "000000000000.dkr.ecr.us-east-1.amazonaws.com/none"
"""sam wants a repository where a template has an image function, though its condition is false and none is pushed."""
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A stack as it stands: its outputs, and physical names by logical id."""

    stack: str
    outputs: Mapping[str, str]
    resources: Mapping[str, str]


def build(cloud: LocalCloud, template: Path, progress: Progress = lambda line: None) -> Path:
    """`sam build` for this machine; the built template, which any number of stacks may be deployed from."""
    built = Path(cloud.folder).resolve() / "build"
    arguments = ["build", "--template-file", str(template.resolve()), "--build-dir", str(built)]
    arguments += ["--parameter-overrides", *_overrides({})]
    _sam(arguments, cloud, template, Path(cloud.folder) / "build.log", progress)
    return built / "template.yaml"


def deploy(
    cloud: LocalCloud,
    template: Path,
    *,
    stack: str = "preheat",
    parameters: Mapping[str, str] | None = None,
    built: Path | None = None,
    progress: Progress = lambda line: None,
) -> Deployed:
    """Build (unless `build` did) and deploy a template; raises LocalCloudError naming the log of sam's whole output.

    The template's `Runtime` and `Architecture` become those of the Python at hand, which the workers run on.
    """
    built = built or build(cloud, template, progress)
    ship = ["deploy", "--template-file", str(built), "--stack-name", stack, "--resolve-s3"]
    ship += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    ship += ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
    ship += ["--image-repository", _NO_IMAGES, "--region", REGION]
    ship += ["--parameter-overrides", *_overrides(parameters or {})]
    _sam(ship, cloud, template, Path(cloud.folder) / f"deploy-{stack}.log", progress)
    return look(cloud, stack)


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    here = {"Runtime": RUNTIME, "Architecture": ARCHITECTURE}
    lacks = {"WarmerAutoscaling": "off", "Deployment": "off"}  # ministack has neither service
    given = {**here, **lacks, **parameters}
    return [f"{name}={value}" for name, value in given.items()]


def look(cloud: LocalCloud, stack: str = "preheat") -> Deployed:
    """What a stack is made of; raises LocalCloudError where there is none."""
    from botocore.exceptions import ClientError

    client = cloud.client("cloudformation")
    try:
        found = client.describe_stacks(StackName=stack)["Stacks"][0]
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
        resources: list[dict[str, Any]] = [one for page in pages for one in page["StackResourceSummaries"]]
    except ClientError:
        raise LocalCloudError(
            f"no stack {stack!r} on {cloud.url}: deploy one with `preheat local deploy`"
        ) from None
    return Deployed(
        stack=stack,
        outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
        resources={one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in resources},
    )


def api_url(cloud: LocalCloud, deployed: Deployed, stage: str = "") -> str:
    """Where a stack's REST API answers here, its stage included."""
    api = deployed.outputs.get("ApiId")
    if not api:
        raise LocalCloudError(f"stack {deployed.stack!r} has no output ApiId: it was deployed without an API")
    if not stage:
        stages = cloud.client("apigateway").get_stages(restApiId=api)["item"]
        stage = next(one["stageName"] for one in stages if one["stageName"] != "Stage")
    return f"{cloud.url}/_aws/execute-api/{api}/{stage}"


def api_key(cloud: LocalCloud, deployed: Deployed) -> str:
    """The value of the stack's API key; empty where it has none."""
    identifier = deployed.outputs.get("ApiKeyId")
    if not identifier:
        return ""
    return str(cloud.client("apigateway").get_api_key(apiKey=identifier, includeValue=True)["value"])


def environment(cloud: LocalCloud) -> dict[str, str]:
    """What the AWS tools need to reach this cloud and nothing else."""
    tools = Path(sys.executable).parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    return kept | {
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PREHEAT_PYTHON": RUNTIME.removeprefix("python"),
        "PREHEAT_ARCHITECTURE": ARCHITECTURE,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def _sam(arguments: Sequence[str], cloud: LocalCloud, template: Path, log: Path, progress: Progress) -> None:
    sam = Path(sys.executable).with_name("sam")
    if not sam.exists():
        raise LocalCloudError(f"{sam} is missing: install the `local` extra (pip install 'preheat[local]')")
    with log.open("w") as record:
        process = subprocess.Popen(
            [str(sam), *arguments],
            cwd=template.resolve().parent,
            env=environment(cloud),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout
        for line in process.stdout:
            record.write(line)
            if line.strip():
                progress(line.strip())
    if process.wait():
        tail = "\n".join(log.read_text().splitlines()[-15:])
        raise LocalCloudError(
            f"sam {arguments[0]} failed ({process.returncode}); its output is in {log}:\n{tail}"
        )
