"""Functions of a test's own on the session's local cloud."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from preheat_tools.localcloud.deployment import RUNTIME
from preheat_tools.localcloud.process import LocalCloud

ROLE = "arn:aws:iam::000000000000:role/test"


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a test's own on the cloud."""

    cloud: LocalCloud
    name: str
    client: Any

    def call(self, event: Any = None, **options: Any) -> tuple[Any, str]:
        """The answer, and the kind of error where there was one."""
        body = json.dumps({} if event is None else event).encode()
        answer = self.client.invoke(FunctionName=self.name, Payload=body, **options)
        return json.loads(answer["Payload"].read()), answer.get("FunctionError", "")

    def publish(self, alias: str = "live") -> str:
        version = str(self.client.publish_version(FunctionName=self.name)["Version"])
        known = {one["Name"] for one in self.client.list_aliases(FunctionName=self.name)["Aliases"]}
        change = self.client.update_alias if alias in known else self.client.create_alias
        change(FunctionName=self.name, Name=alias, FunctionVersion=version)
        return version

    def update(self, source: str) -> None:
        self.client.update_function_code(FunctionName=self.name, ZipFile=zipped(source))

    def environments(self) -> list[dict[str, Any]]:
        return [one for one in self.cloud.state()["environments"] if one["function"] == self.name]


@pytest.fixture
def function(cloud: LocalCloud) -> Iterator[Callable[..., Function]]:
    """Makes functions from source; they are deleted after the test."""
    yield from _functions(cloud)


@pytest.fixture
def fast_function(fast: LocalCloud) -> Iterator[Callable[..., Function]]:
    yield from _functions(fast)


def _functions(cloud: LocalCloud) -> Iterator[Callable[..., Function]]:
    client, made = cloud.client("lambda"), []

    def make(source: str, **options: Any) -> Function:
        name = f"f{next(_NUMBERS)}"
        settings = {"Runtime": RUNTIME, "Handler": "app.handler", "Timeout": 10, "MemorySize": 256} | options
        client.create_function(FunctionName=name, Role=ROLE, Code={"ZipFile": zipped(source)}, **settings)
        made.append(name)
        return Function(cloud, name, client)

    yield make
    for name in made:
        client.delete_function(FunctionName=name)


_NUMBERS = itertools.count()


MEETING = """
import os, time, uuid
ME = uuid.uuid4().hex
def handler(event, context):
    if event.get('where'):
        open(os.path.join(event['where'], ME), 'w').close()
        while len(os.listdir(event['where'])) < event['number']:
            time.sleep(0.01)
    return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], os.environ['AWS_LAMBDA_FUNCTION_VERSION'], ME]
"""
"""Says how it was initialised, its version and its environment; waits until a number of environments have met."""


def meet(made: Function, number: int, where: Path, **options: Any) -> list[Any]:
    """What a number of calls at one time answer, each from an environment of its own."""
    where.mkdir()
    event = {"where": str(where), "number": number}
    with ThreadPoolExecutor(number) as callers:
        return [one for one, _ in callers.map(lambda _: made.call(event, **options), range(number))]


def zipped(source: str, **more: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("app.py", source)
        for name, text in more.items():
            archive.writestr(name, text)
    return data.getvalue()
