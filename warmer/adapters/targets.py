"""Which targets there are, what the user wants of each, and what their functions are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from warmer.policy.values import Configured, Failed, FunctionFacts, Target
from warmer.settings import TAG, Document, SettingError, Settings, parse_document, settings_of

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_resourcegroupstaggingapi.client import ResourceGroupsTaggingAPIClient
    from mypy_boto3_ssm.client import SSMClient

FACTS_FOR_S = 3600.0
"""How long a function's configuration is taken as known: control-plane calls are few (15 a second an account)."""
THREADS = 8
_FORM = re.compile(r"[A-Za-z0-9_-]{1,64}:[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Found:
    """Targets to look at, those that cannot be for the reason beside them, and those the user switched off."""

    configured: tuple[Configured, ...]
    held: Mapping[Target, Failed]
    off: tuple[Target, ...] = ()


def parse_targets(variable: str, text: str) -> tuple[Target, ...]:
    """`function:alias,function:alias`, the value of `variable`; raises ValueError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not _FORM.fullmatch(name):
            raise ValueError(f"{variable} must list function:alias, separated by commas, has: {name!r}")
    return tuple(Target(*name.split(":")) for name in dict.fromkeys(names))


@dataclass(slots=True)
class Catalogue:
    """Finds targets by list, or by tag where the list is empty. It remembers facts: one a Lambda environment."""

    lambda_: LambdaClient
    tagging: ResourceGroupsTaggingAPIClient
    ssm: SSMClient
    parameter: str
    """Name of the SSM parameter with settings; empty for none."""
    listed: tuple[Target, ...] = ()
    _facts: dict[Target, tuple[float, FunctionFacts]] = field(default_factory=dict)

    def find(self, now_s: float) -> Found:
        """All targets as they are set up now; raises SettingError where the parameter is unusable for every target."""
        wanted, held = self.settings(now_s)
        on = [target for target, settings in wanted.items() if settings.enabled]
        facts = self._read_facts(on, now_s)
        good: list[Configured] = []
        for target in on:
            settings, known = wanted[target], facts[target]
            if isinstance(known, Failed):
                held[target] = known
            else:
                good.append(
                    Configured(
                        target=target, objective=settings.objective, facts=known, levels=settings.levels
                    )
                )
        return Found(tuple(good), held, tuple(target for target in wanted if target not in on))

    def settings(self, now_s: float) -> tuple[dict[Target, Settings], dict[Target, Failed]]:
        """What the user set for each target, and which targets have a setting that cannot be used."""
        document = self._document()
        tags, held = self._tagged() if not self.listed else _listed(self.listed)
        wanted: dict[Target, Settings] = {}
        for target, own in tags.items():
            try:
                wanted[target] = settings_of(target, document, own, self.parameter, now_s)
            except SettingError as error:
                held[target] = Failed(str(error))
        return wanted, held

    def _document(self) -> Document:
        if not self.parameter:
            return Document()
        try:
            answer = self.ssm.get_parameter(Name=self.parameter)
        except (ClientError, BotoCoreError) as error:
            raise SettingError(
                f"parameter {self.parameter} (WARMER_SETTINGS) cannot be read: {error}"
            ) from error
        return parse_document(answer["Parameter"]["Value"], self.parameter)

    def _tagged(self) -> tuple[dict[Target, Mapping[str, str]], dict[Target, Failed]]:
        found: dict[Target, Mapping[str, str]] = {}
        held: dict[Target, Failed] = {}
        pages = self.tagging.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": TAG}], ResourceTypeFilters=["lambda:function"]
        )
        for page in pages:
            for resource in page["ResourceTagMappingList"]:
                tags = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
                function = resource["ResourceARN"].split(":")[6]
                for target in _aliases(function, tags[TAG]):
                    if _FORM.fullmatch(str(target)):
                        found[target] = tags
                    else:
                        held[target] = Failed(
                            f"{TAG} (tag of {function}) must be the alias to keep warm, was: {tags[TAG]!r}"
                        )
        return found, held

    def _read_facts(self, targets: Sequence[Target], now_s: float) -> Mapping[Target, FunctionFacts | Failed]:
        known = {
            target: facts
            for target, (at_s, facts) in self._facts.items()
            if target in set(targets) and 0 <= now_s - at_s < FACTS_FOR_S
        }
        unknown = [target for target in targets if target not in known]
        with ThreadPoolExecutor(THREADS) as threads:
            asked = dict(zip(unknown, threads.map(self._ask, unknown), strict=True))
        for target, facts in asked.items():
            if isinstance(facts, FunctionFacts):
                self._facts[target] = (now_s, facts)
        return {**known, **asked}

    def _ask(self, target: Target) -> FunctionFacts | Failed:
        try:
            answer = self.lambda_.get_function_configuration(
                FunctionName=target.function, Qualifier=target.alias
            )
        except (ClientError, BotoCoreError) as error:
            return Failed(f"configuration of {target}: {error}")
        return FunctionFacts(
            memory_mb=answer["MemorySize"], architecture=str(answer.get("Architectures", ["x86_64"])[0])
        )


def _listed(targets: Sequence[Target]) -> tuple[dict[Target, Mapping[str, str]], dict[Target, Failed]]:
    """Listed targets are set up by the parameter alone."""
    return {target: {} for target in targets}, {}


def _aliases(function: str, value: str) -> Iterator[Target]:
    """The tag may name several aliases, separated by spaces."""
    for alias in value.split() or [value]:
        yield Target(function, alias)
