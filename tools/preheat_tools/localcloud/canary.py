"""A deployment as CodeDeploy plays it on Lambda, by a small stand-in for its order of events: this is not CodeDeploy.

Publish a version, BeforeAllowTraffic (the real hook, which the local cloud runs), AllowTraffic (the alias's weights,
step by step, while the alarms are watched), and at any doubt back to the version that served.
Source of the order: https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
"""

from __future__ import annotations

import base64
import io
import json
import re
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preheat_tools.localcloud.deployment import Deployed
from preheat_tools.localcloud.process import LocalCloud

ALIAS = "live"
ALARMS = ("ErrorsAlarm", "LatencyAlarm", "ColdStartsAlarm", "QuarantineAlarm")
"""The template's `DeploymentPreference.Alarms`."""
LOOK_S = 0.1
"""Real seconds between looks at the alarms."""
_SHIFT = re.compile(r"(Canary|Linear)(\d+)Percent(?:Every)?(\d+)Minutes?")

Progress = Callable[[str], None]
"""Told each event as it happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How traffic moves: the new version's percentages before it has all, each held for `wait_s` virtual seconds."""

    percent: tuple[int, ...]
    wait_s: float = 0.0

    @staticmethod
    def of(name: str) -> Shift:
        """From CodeDeploy's name of it; raises ValueError."""
        if name == "AllAtOnce":
            return Shift(percent=())
        found = _SHIFT.fullmatch(name)
        step = int(found.group(2)) if found else 0
        if found is None or not 0 < step < 100:
            raise ValueError(
                "a shift is AllAtOnce, Canary10Percent5Minutes or Linear10PercentEvery1Minute, with other numbers "
                f"too; was: {name!r}"
            )
        steps = (step,) if found.group(1) == "Canary" else tuple(range(step, 100, step))
        return Shift(percent=steps, wait_s=60.0 * int(found.group(3)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a deployment ended."""

    old: str
    new: str
    stopped: str = ""
    """Why the new version does not serve; empty where it does."""
    report: str = ""
    """The hook's, for a person to read."""


@dataclass(frozen=True, slots=True)
class Canary:
    """Deploys versions of one stack's function."""

    cloud: LocalCloud
    deployed: Deployed
    progress: Progress = print

    @property
    def function(self) -> str:
        return self.deployed.outputs["RecommendFunction"]

    def deploy(self, package: bytes, shift: Shift) -> Outcome:
        """Publish a package (a zip) as the function's next version and give it the traffic, if it deserves it."""
        functions = self.cloud.client("lambda")
        old = str(functions.get_alias(FunctionName=self.function, Name=ALIAS)["FunctionVersion"])
        functions.update_function_code(FunctionName=self.function, ZipFile=package)
        new = str(functions.publish_version(FunctionName=self.function)["Version"])
        self.progress(f"Published version {new}; version {old} serves")
        succeeded, report = self._before_allow_traffic(functions, new)
        if not succeeded:
            self.progress("BeforeAllowTraffic: Failed; no request has met the new version")
            return Outcome(old=old, new=new, stopped="BeforeAllowTraffic: Failed", report=report)
        self.progress("BeforeAllowTraffic: Succeeded")
        for percent in shift.percent:
            self._point(functions, old, {new: percent / 100})
            self.progress(f"AllowTraffic: version {new} has {percent} % of the requests")
            if alarm := self._alarm_within(shift.wait_s):
                self._point(functions, old, {})
                self.progress(f"Alarm {alarm}: rolled back, version {old} has all requests")
                return Outcome(old=old, new=new, stopped=f"alarm {alarm}", report=report)
        self._point(functions, new, {})
        self.progress(f"AllowTraffic: version {new} has all requests")
        return Outcome(old=old, new=new, report=report)

    def alarms(self) -> list[str]:
        """Those of the deployment's that are in ALARM now."""
        names = [self.deployed.resources[one] for one in ALARMS]
        found = self.cloud.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
        return [str(one["AlarmName"]) for one in found if one["StateValue"] == "ALARM"]

    def _before_allow_traffic(self, functions: Any, new: str) -> tuple[bool, str]:
        """Run the hook on the version, named to it as CloudFormation does: whether it said Succeeded, its report."""
        hook, execution = self.deployed.resources["Preflight"], uuid.uuid4().hex
        given = functions.get_function_configuration(FunctionName=hook)["Environment"]["Variables"]
        version = functions.get_function_configuration(FunctionName=self.function, Qualifier=new)[
            "FunctionArn"
        ]
        functions.update_function_configuration(
            FunctionName=hook, Environment={"Variables": {**given, "PREFLIGHT_VERSION": version}}
        )
        event = {"DeploymentId": f"d-{uuid.uuid4().hex[:9]}", "LifecycleEventHookExecutionId": execution}
        answer = functions.invoke(FunctionName=hook, Payload=json.dumps(event), LogType="Tail")
        status = self.cloud.hook_answers().get(execution)  # what the hook returns is nothing to CodeDeploy
        return status == "Succeeded", _report(base64.b64decode(answer.get("LogResult", "")).decode())

    def _point(self, functions: Any, version: str, weights: dict[str, float]) -> None:
        functions.update_alias(
            FunctionName=self.function,
            Name=ALIAS,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": weights},
        )

    def _alarm_within(self, wait_s: float) -> str:
        """The first alarm within so many virtual seconds; empty where there was none."""
        until_s = self.cloud.now_s() + wait_s
        while not (alarms := self.alarms()) and self.cloud.now_s() < until_s:
            time.sleep(LOOK_S)
        return ", ".join(alarms)


def package(folder: Path) -> bytes:
    """A built function's folder as the zip that Lambda takes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(one for one in folder.rglob("*") if one.is_file()):
            archive.write(file, file.relative_to(folder))
    return data.getvalue()


def _report(log: str) -> str:
    """The report within the hook's log; all of its log where there is none, since then it crashed."""
    for line in log.splitlines():
        if '"preflight"' in line:
            told = json.loads(line[line.index("{") :])
            return str(told["report"])
    return log
