"""The cloud's process: up once, on loopback alone, gone without a trace, missed when it crashed."""

from __future__ import annotations

import os
import signal
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from preheat_tools.localcloud import process, stack
from preheat_tools.localcloud.commands import local

from tests.waiting import until

from .conftest import ROLE, RUNTIME, zipped

pytestmark = pytest.mark.cloud


@pytest.fixture
def run(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(local, ["--folder", str(tmp_path / "local"), *arguments])

    yield run
    run("down")


def listening(pids):
    """(address, port) of every TCP socket that these processes listen on, as /proc tells."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = str(link.readlink()) if link.is_symlink() else ""
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
def test_it_listens_on_loopback_alone(cloud):
    assert listening([cloud.pid]) == {("0100007F", cloud.port)}


def test_up_is_idempotent_and_down_ends_it(run, tmp_path):
    first = run("up", "--compress", "2")
    assert first.exit_code == 0, first.output
    cloud = process.find(tmp_path / "local")
    assert cloud.compression == 2
    assert "Already up" in run("up").output
    assert process.find(tmp_path / "local") == cloud
    assert run("down").exit_code == 0
    assert not process.alive(cloud.pid)
    assert sorted(one.name for one in (tmp_path / "local").iterdir()) == ["cloud.log"]
    assert "Nothing is up" in run("down").output


def test_down_takes_frozen_workers_along(tmp_path):
    cloud = process.start(tmp_path / "local")
    worker = one_worker(cloud)
    cloud.stop()
    assert not running(worker)


def test_a_reset_takes_frozen_workers_along(tmp_path):
    with process.local_cloud(tmp_path / "local") as cloud:
        worker = one_worker(cloud)
        urllib.request.urlopen(urllib.request.Request(f"{cloud.url}/_ministack/reset", method="POST")).close()
        until(lambda: not running(worker))
        assert cloud.state()["environments"] == []


def test_a_crash_is_told_and_takes_the_workers_along(run, tmp_path):
    run("up")
    cloud = process.find(tmp_path / "local")
    worker = one_worker(cloud)
    os.kill(cloud.pid, signal.SIGKILL)
    until(lambda: not process.alive(cloud.pid))
    told = run("status")
    assert (told.exit_code, "has ended: start one with `preheat local up`" in told.output) == (1, True)
    until(lambda: not running(worker))
    assert "starting anew" in run("up").output


def one_worker(cloud):
    """The process of a frozen environment."""
    client = cloud.client("lambda")
    code = {"ZipFile": zipped("def handler(e, c): return 1\n")}
    client.create_function(FunctionName="f", Role=ROLE, Runtime=RUNTIME, Handler="app.handler", Code=code)
    client.invoke(FunctionName="f")
    return cloud.state()["environments"][0]["pid"]


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("command", [("status",), ("tick",), ("deploy",), ("invoke", "Recommend")])
def test_what_needs_a_cloud_says_how_to_start_one(run, command):
    told = run(*command)
    assert (told.exit_code, "preheat local up" in told.output) == (1, True)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        pytest.param(stack.Expected("core.arn:parse_arn", "0123456789"), "has changed", id="other-source"),
        pytest.param(stack.Expected("core.arn:no_such"), "is gone", id="no-such-name"),
    ],
)
def test_what_has_moved_is_told_and_refused(expected, text):
    with pytest.raises(stack.StackMovedError, match=f"{expected.name} {text}"):
        stack.check([expected])


def test_settings_out_of_range_are_refused(cloud):
    with pytest.raises(
        process.LocalCloudError, match="routing must be one of recent, oldest, random, was: 'best'"
    ):
        cloud.set(routing="best")
