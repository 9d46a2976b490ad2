"""Execution environments: real processes, frozen between events, that see only what Lambda would show them."""

from __future__ import annotations

import base64
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.waiting import until

pytestmark = pytest.mark.cloud

ECHO = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
COUNT = "n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n\n"
FAIL = """
def handler(event, context):
    if event.get('fail'):
        raise ValueError('no such area')
    return 'fine'
"""


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def gone(pid: int) -> bool:
    """Whether a process has ended, collected by its parent or not."""
    try:
        return state_of(pid) in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_lambdas_variables_are_set(function):
    seen, _ = (made := function(ECHO)).call()
    assert seen["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == made.name
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert seen["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert seen["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{made.name}"
    assert seen["_HANDLER"] == "app.handler"


def test_a_missing_dependency_is_noticed(function):
    answer, kind = function("import numpy\ndef handler(e, c): return 1\n").call()
    assert kind == "Unhandled"
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert "numpy" in answer["errorMessage"]


def test_the_sdk_is_there_as_on_lambda(function):
    answer, kind = function("import boto3\ndef handler(e, c): return boto3.__file__\n").call()
    assert not kind
    assert "/runtime/boto3/" in answer


def test_an_exception_leaves_the_environment_alive(function):
    made = function(FAIL)
    made.call()
    before = made.environments()
    answer, kind = made.call({"fail": True})
    assert (answer["errorType"], answer["errorMessage"], kind) == ("ValueError", "no such area", "Unhandled")
    assert made.call() == ("fine", "")
    assert [one["pid"] for one in made.environments()] == [one["pid"] for one in before]


def test_each_environment_has_a_tmp_of_its_own_that_lasts_as_long_as_it(function, tmp_path):
    keeps = """
import os, tempfile, time
def handler(event, context):
    found = sorted(os.listdir(tempfile.gettempdir()))
    open(os.path.join(tempfile.gettempdir(), 'kept'), 'w').close()
    open(os.path.join(event['where'], str(os.getpid())), 'w').close()
    while len(os.listdir(event['where'])) < event['number']: time.sleep(0.01)
    return found, tempfile.gettempdir()
"""
    made = function(keeps)
    for name in ("both", "again"):
        (tmp_path / name).mkdir()
    both = [{"where": str(tmp_path / "both"), "number": 2}] * 2
    with ThreadPoolExecutor(2) as callers:
        found = [answer for answer, _ in callers.map(made.call, both)]
    assert [kept for kept, _ in found] == [[], []]
    folders = {folder for _, folder in found}
    assert len(folders) == 2
    (kept, folder), _ = made.call({"where": str(tmp_path / "again"), "number": 1})
    assert kept == ["kept"] and folder in folders


def test_an_idle_environment_is_frozen(function):
    made = function(COUNT)
    made.call()
    assert state_of(made.environments()[0]["pid"]) == "T"
    assert made.call() == (2, "")


def test_a_killed_environment_is_replaced(function):
    made = function(COUNT)
    made.call()
    pid = made.environments()[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))  # a call that comes while it dies may meet it, on Lambda too
    assert made.call() == (1, "")


def test_a_crash_is_an_error_to_its_caller_alone(function):
    made = function(
        "import os\ndef handler(event, c):\n    if event.get('die'): os._exit(3)\n    return 'fine'\n"
    )
    answer, _ = made.call({"die": True})
    assert answer["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in answer["errorMessage"]
    assert made.call() == ("fine", "")


def test_a_timeout_ends_the_environment(function):
    made = function("import time\ndef handler(event, context):\n    time.sleep(30)\n", Timeout=1)
    answer, _ = made.call()
    assert answer["errorType"] == "Sandbox.Timedout"
    assert made.environments() == []


def test_the_context_tells_the_time_left(function):
    source = "def handler(event, context):\n    return context.get_remaining_time_in_millis()\n"
    left, _ = function(source, Timeout=7).call()
    assert 3000 < left <= 7000


def test_idle_environments_expire(cloud, function):
    made = function(COUNT)
    made.call()
    pid = made.environments()[0]["pid"]
    cloud.set(idle_ttl_s=0.3)
    try:
        until(lambda: not made.environments())
    finally:
        cloud.set(idle_ttl_s=600)
    assert gone(pid)


def test_idle_lifetimes_are_compressed(fast, fast_function):
    made = fast_function(COUNT)
    fast.set(idle_ttl_s=90)
    try:
        made.call()
        began_s = time.monotonic()
        until(lambda: not made.environments())
        assert 1.4 < time.monotonic() - began_s < 30
    finally:
        fast.set(idle_ttl_s=1e6)


def test_too_much_memory_ends_the_environment(function):
    made = function(
        "def handler(e, c):\n    x = bytearray(e.get('mb', 0) << 20); return len(x) >> 20\n", MemorySize=128
    )
    answer, kind = made.call({"mb": 200})
    assert (kind, answer["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert "signal: killed" in answer["errorMessage"]
    assert made.environments() == []
    assert made.call({"mb": 20}) == (20, "")


def test_the_report_line_is_lambdas(function):
    made = function("import time; time.sleep(0.1)\ndef handler(e, c): print('hello'); return 1\n")
    text = base64.b64decode(made.client.invoke(FunctionName=made.name, LogType="Tail")["LogResult"]).decode()
    found = re.search(
        r"Duration: ([\d.]+) ms\tBilled Duration: (\d+) ms\tMemory Size: 256 MB\t"
        r"Max Memory Used: (\d+) MB\tInit Duration: ([\d.]+) ms",
        text,
    )
    assert found, text
    duration, billed, memory, init = map(float, found.groups())
    assert init >= 100
    assert billed == -(-(duration + init) // 1) or abs(billed - duration - init) <= 1.01
    assert 5 < memory < 40  # a bare interpreter's own, not what the cloud held when it started it
    assert "hello" in text
    again = base64.b64decode(made.client.invoke(FunctionName=made.name, LogType="Tail")["LogResult"]).decode()
    assert "Init Duration" not in again


def test_an_init_beyond_the_limit_runs_again_in_the_invocation(cloud, function):
    made = function("import time; time.sleep(0.6)\ndef handler(e, c): return 'late'\n")
    cloud.set(init_limit_s=0.3)
    try:
        assert made.call() == ("late", "")
    finally:
        cloud.set(init_limit_s=10)
    (one,) = [i for i in cloud.invocations() if i["function"] == made.name]
    assert one["init_ms"] > 900
