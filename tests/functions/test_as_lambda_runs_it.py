"""The function in a process of its own: INIT in a fresh interpreter, then invocations, as Lambda does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import FUNCTION, ROOT, asking, event

# What Lambda's bootstrap does: import the handler's module, then hand it one event after another.
BOOTSTRAP = """
import importlib, json, sys

class Context:
    function_name, function_version, memory_limit_in_mb = "recommend", "1", 1024
    invoked_function_arn, aws_request_id = "arn:aws:lambda:eu-west-1:1:function:recommend:live", "r"
    def get_remaining_time_in_millis(self): return 29000

handler = importlib.import_module("app").handler
print("#init", json.dumps(sorted(sys.modules)), flush=True)
for line in sys.stdin:
    print("#answer", json.dumps(handler(json.loads(line), Context())), flush=True)
"""


class Ended:
    """A worker's life, from its output."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        lines = done.stdout.splitlines()
        self.code, self.errors = done.returncode, done.stderr
        self.modules = next((set(json.loads(line[6:])) for line in lines if line.startswith("#init ")), None)
        self.answers = [json.loads(line[8:]) for line in lines if line.startswith("#answer ")]
        self.log = [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The function's folder as deployed, to be spoilt."""
    shutil.copytree(FUNCTION, tmp_path / "task", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "task"


def run(package: Path, *events: Any, **variables: str) -> Ended:
    environment = {
        "PATH": os.environ["PATH"],
        "LAMBDA_TASK_ROOT": str(package),
        "AWS_LAMBDA_FUNCTION_NAME": "recommend",
        "TMPDIR": str(package.parent),
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "PYTHONPATH": f"{package}:{ROOT / 'layers/preheat'}",
        "POWERTOOLS_SERVICE_NAME": "recommend",
    }
    done = subprocess.run(
        [sys.executable, "-c", BOOTSTRAP],
        input="".join(json.dumps(event) + "\n" for event in events),
        capture_output=True,
        text=True,
        env=environment | variables,
        cwd=package,
        timeout=120,
        check=False,
    )
    return Ended(done)


def change_manifest(package: Path, **changes: Any) -> None:
    path = package / "models/short_form/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def spoil_weights(package: Path) -> None:
    path = package / "models/short_form/weights.bin"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def status(answer: dict[str, Any]) -> int:
    return int(answer["statusCode"])


def test_a_cold_start_and_what_follows(package: Path) -> None:
    ended = run(package, event("api_recommend"), event("warmup_ping"), event("api_models"))
    recommended, pinged, models = ended.answers
    assert ended.code == 0, ended.errors
    assert (status(recommended), status(models)) == (200, 200)
    assert pinged["preheat"]["requests"] == 1
    assert not pinged["preheat"]["cold"]
    (record,) = [line for line in ended.log if line["record"] == "cold_start"]
    assert record["customer_cold_start"] is True
    assert record["phases"]["import_ms"] > 0
    assert record["phases"]["load_ms"] > 0
    assert record["phases"]["first_answer_ms"] > 0
    assert record["models"]["short_form"]["level"] == "HOT"


def test_the_cold_path_imports_neither_boto3_nor_numpy(package: Path) -> None:
    modules = run(package).modules
    assert modules is not None
    assert not modules & {"boto3", "botocore.session", "numpy", "pydantic", "torch"}
    assert "aws_lambda_powertools.event_handler" in modules


def test_one_corrupted_byte_takes_a_model_out_and_the_others_go_on(package: Path) -> None:
    shutil.copytree(package / "models/short_form", package / "models/sound")
    path = package / "models/sound/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "sound"}))
    spoil_weights(package)
    request = {"visited": [1008]}
    ended = run(package, asking(request), asking(request, "sound"), event("api_ready"), event("warmup_ping"))
    spoilt, sound, ready, pinged = ended.answers
    assert [status(spoilt), status(sound), status(ready)] == [503, 200, 503]
    assert "SHA-256 of weights.bin" in json.loads(spoilt["body"])["detail"]
    assert "SHA-256 of weights.bin" in json.loads(ready["body"])["detail"]
    assert "SHA-256" in pinged["preheat"]["models"]["short_form"]["problem"]
    assert pinged["preheat"]["models"]["sound"]["level"] == "HOT"
    assert [line["model"] for line in ended.log if line["record"] == "quarantine"] == ["short_form"]


def test_a_required_model_that_fails_ends_init_under_provisioned_concurrency(package: Path) -> None:
    change_manifest(package, required=True)
    spoil_weights(package)
    ended = run(package, event("api_ready"), AWS_LAMBDA_INITIALIZATION_TYPE="provisioned-concurrency")
    assert ended.code != 0
    assert ended.answers == []
    assert "RequiredModelFailed: required model short_form failed" in ended.errors


def test_on_demand_the_process_ends_inside_the_ping_twice_then_answers_503(package: Path) -> None:
    change_manifest(package, required=True)
    spoil_weights(package)
    for _ in range(2):
        ended = run(package, asking({"visited": []}), event("warmup_ping"), asking({"visited": []}))
        assert ended.code == 1
        assert [status(answer) for answer in ended.answers] == [
            503
        ]  # the customer before the ping, nobody after
        assert "this environment leaves: required model short_form failed" in ended.errors
    ended = run(package, event("warmup_ping"), asking({"visited": []}))
    assert ended.code == 0
    assert "SHA-256" in ended.answers[0]["preheat"]["models"]["short_form"]["problem"]
    assert status(ended.answers[1]) == 503


def test_five_models_share_a_memory_that_cannot_hold_them_all(package: Path) -> None:
    """15 MB: one of the two large models at a time, the one that is asked making room for itself."""
    names = ["short_form", "long_form", "premium", "new_users", "trending"]
    asked = [asking({"visited": [1008]}, name) for name in (*names, "long_form", "short_form")]
    ended = run(package, event("api_models"), *asked, event("api_models"), PREHEAT_MEMORY_MB="15")
    before, *recommended, after = ended.answers
    assert [status(answer) for answer in recommended] == [200] * len(asked)

    def hot(answer: dict[str, Any]) -> set[str]:
        return {model["name"] for model in json.loads(answer["body"])["models"] if model["level"] == "HOT"}

    assert hot(before) == set(names) - {"premium"}  # worth least for its size
    assert "long_form" in hot(after)  # asked last
    assert "premium" not in hot(after)
    assert not [line for line in ended.log if line["record"] == "quarantine"]


def test_cold_mode_loads_at_the_first_request(package: Path) -> None:
    ended = run(
        package, event("api_models"), event("api_recommend"), event("api_models"), PREHEAT_MODE="cold"
    )
    before, _, after = ended.answers
    levels = [json.loads(answer["body"])["models"] for answer in (before, after)]
    assert [model["level"] for model in levels[0]] == ["COLD"] * len(levels[0])
    assert "HOT" in [model["level"] for model in levels[1]]


def test_a_wrong_setting_ends_init_and_is_named(package: Path) -> None:
    assert "PREHEAT_MODE must be hot or cold, was: 'tepid'" in run(package, PREHEAT_MODE="tepid").errors
