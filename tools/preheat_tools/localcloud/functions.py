"""A deployed function version, read once from ministack's records into a value."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preheat_tools.localcloud.environment import Blueprint, Environment
from preheat_tools.localcloud.pool import Key
from preheat_tools.localcloud.stack import Expected, Stack
from preheat_tools.localcloud.unpacked import Trees

EXPECTS = (
    Expected("services.lambda_svc:_functions"),
    Expected("services.lambda_svc:_resolve_layer_zip", "447d3c3ec4"),
    Expected("services.lambda_svc:_run_with_function_config_scope", "c43add8771"),
    Expected("services.lambda_svc:_get_func_record_for_qualifier", "a86e904780"),
    Expected("core.lambda_runtime:execution_credentials", "cffaadc4f3"),
)

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"


class UnusableRuntimeError(ValueError):
    """The function asks for a runtime that is not at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One version as it is invoked: its configuration, its code, and the qualifier that the caller named."""

    name: str
    version: str
    qualifier: str | None
    arn: str
    runtime: str
    handler: str
    memory_mb: int
    timeout_s: float
    log_group: str
    config: Mapping[str, Any]
    code: bytes = field(repr=False)

    @property
    def key(self) -> Key:
        return Key(self.name, self.version)

    @staticmethod
    def of(record: Mapping[str, Any]) -> Deployed:
        """From ministack's execution record: `{"config": …, "code_zip": …}`."""
        config: Mapping[str, Any] = record.get("config") or record
        arn = config.get("FunctionArn", "")
        qualifier = dict(enumerate(arn.split(":"))).get(7)
        return Deployed(
            name=config["FunctionName"],
            version=config.get("Version", "$LATEST"),
            qualifier=qualifier,
            arn=arn,
            runtime=config.get("Runtime") or "",
            handler=config.get("Handler", ""),
            memory_mb=int(config.get("MemorySize", 128)),
            timeout_s=float(config.get("Timeout", 3)),
            log_group=(config.get("LoggingConfig") or {}).get("LogGroup")
            or f"/aws/lambda/{config['FunctionName']}",
            config=config,
            code=record.get("code_zip") or b"",
        )


@dataclass(frozen=True, slots=True)
class Factory:
    """Makes environments: unpacks what they need and writes the variables that Lambda sets."""

    stack: Stack
    trees: Trees
    folder: Path
    url: str

    def make(self, what: Deployed, now_s: float, owner: str | None = None) -> Environment:
        """An environment still to be started; raises UnusableRuntimeError."""
        if what.runtime != RUNTIME:
            raise UnusableRuntimeError(
                f"{what.name} has Runtime {what.runtime or 'none'}; this cloud runs on {RUNTIME}: "
                f"deploy with --parameter-overrides Runtime={RUNTIME} (`preheat local deploy` does)"
            )
        made = Environment(
            blueprint=self._blueprint(what), owner=owner, folder=self.folder, born_s=now_s, used_s=now_s
        )
        made.folder = self.folder / made.name
        return made

    def _blueprint(self, what: Deployed) -> Blueprint:
        return Blueprint(
            function=what.name,
            version=what.version,
            handler=what.handler,
            task=self.trees.of([what.code]),
            opt=self.trees.of(self._layers(what)),
            runtime=self.trees.runtime(),
            variables=self._variables(what),
        )

    def _layers(self, what: Deployed) -> list[bytes]:
        resolve = self.stack.lambda_svc._resolve_layer_zip
        within = self.stack.lambda_svc._run_with_function_config_scope
        found = [within(what.config, resolve, layer) for layer in what.config.get("Layers") or []]
        return [layer for layer in found if layer]

    def _variables(self, what: Deployed) -> dict[str, str]:
        """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, defined and reserved ones."""
        region = what.arn.split(":")[3]
        own = (what.config.get("Environment") or {}).get("Variables") or {}
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            **{name: str(value) for name, value in own.items()},
            **self.stack.lambda_runtime.execution_credentials(dict(what.config)),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{what.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": what.name,
            "AWS_LAMBDA_FUNCTION_VERSION": what.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(what.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": what.log_group,
        }
