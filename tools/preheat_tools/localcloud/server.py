"""The local cloud's process: checks ministack, repairs it, serves it on loopback until it is told to end.

Started by `process.start`, which gives it an environment of its own; by hand it is
`python -m preheat_tools.localcloud.server FOLDER PORT COMPRESSION '{"idle_ttl_s": 600}'`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

from preheat_tools.localcloud import (
    alarms,
    control,
    functions,
    lambda_api,
    measures,
    monitoring,
    report,
    resources,
    rest_import,
    schedules,
    stack,
    subscriptions,
    transforms,
)
from preheat_tools.localcloud.clock import Clock, CompressedTime
from preheat_tools.localcloud.codedeploy import Hooks
from preheat_tools.localcloud.environment import Answer, Environment
from preheat_tools.localcloud.faults import Faults
from preheat_tools.localcloud.invocations import DataPlane, Slots
from preheat_tools.localcloud.ledger import Ledger
from preheat_tools.localcloud.pool import Pool
from preheat_tools.localcloud.provisioned import Provisioner
from preheat_tools.localcloud.settings import Current, Settings
from preheat_tools.localcloud.unpacked import Trees

EXPECTS = tuple(
    chain.from_iterable(
        module.EXPECTS
        for module in (
            alarms,
            functions,
            lambda_api,
            measures,
            monitoring,
            report,
            resources,
            rest_import,
            schedules,
            subscriptions,
            transforms,
        )
    )
)
ACCOUNT, REGION = "000000000000", "us-east-1"
SWEEP_S = 0.2
"""Real seconds between looks for idle environments that are to end and alarms that are to change."""

log = logging.getLogger("preheat.local")


def main(folder: Path, port: int, clock: Clock, settings: Settings) -> None:
    """Serve until SIGTERM; ends every environment that it started."""
    stack.check(EXPECTS)
    ministack = stack.load()
    current, pool = assemble(ministack, folder, f"http://127.0.0.1:{port}", clock, settings)
    log.info("repaired ministack %s, settings %s", stack.MINISTACK, current.value)
    sys.argv = ["ministack"]  # it reads its own options from there
    try:
        ministack.app.main()
    finally:
        pool.retire(pool.of())


def assemble(
    ministack: stack.Stack, folder: Path, url: str, clock: Clock, settings: Settings
) -> tuple[Current, Pool]:
    """Build the parts and install them into ministack."""
    current, scope, now_s = Current(settings), (ACCOUNT, REGION), clock.now_s
    pool, ledger = Pool(current, now_s), Ledger()
    factory = functions.Factory(ministack, Trees(folder / "trees"), folder / "environments", url)
    registry = lambda_api.StackRegistry(ministack, scope)
    metrics = measures.Metrics(ministack, current, now_s, scope)
    logs = report.Logs(ministack, now_s, scope)

    def write_init(what: functions.Deployed, one: Environment, init: Answer) -> None:
        lines = [f"INIT_START Runtime Version: {what.runtime} (local)", *init.lines]
        logs.write(what.log_group, one.log_stream, lines)
        metrics.store(measures.embedded(init.lines, now_s()))

    provisioner = Provisioner(
        pool=pool,
        factory=factory,
        registry=registry,
        ledger=ledger,
        settings=current,
        now_s=now_s,
        write_log=write_init,
    )
    plane = DataPlane(
        pool=pool,
        factory=factory,
        slots=Slots(),
        metrics=metrics,
        logs=logs,
        ledger=ledger,
        settings=current,
        now_s=now_s,
        reserved=registry.reserved,
        replace=provisioner.reconcile,
    )
    faults, hooks = Faults(), Hooks()
    lambda_api.install(ministack, plane, pool, provisioner, registry)
    monitoring.install(ministack, clock, metrics, faults)
    alarms.install(ministack, clock)
    schedules.install(ministack, clock)
    subscriptions.install(ministack)
    resources.install(ministack)
    transforms.install(ministack)
    rest_import.install(ministack, CompressedTime(clock))
    endpoints = control.Control(
        pid=os.getpid(),
        clock=clock,
        settings=current,
        pool=pool,
        provisioner=provisioner,
        registry=registry,
        ledger=ledger,
        metrics=metrics,
        faults=faults,
        hooks=hooks,
    )
    ministack.app.app = endpoints.around(hooks.around(ministack.app.app))
    _every(SWEEP_S, lambda: _sweep(pool, provisioner))
    _every(SWEEP_S, lambda: _look_at_alarms(ministack, metrics, scope))
    return current, pool


def _sweep(pool: Pool, provisioner: Provisioner) -> None:
    _, lost = pool.expire()
    for one in lost:
        provisioner.reconcile(one.blueprint.function, one.owner or "")


def _look_at_alarms(ministack: stack.Stack, metrics: measures.Metrics, scope: tuple[str, str]) -> None:
    metrics.show_due()
    with ministack.responses.request_scope(*scope):
        ministack.cloudwatch._evaluate_all_alarms()


def _every(seconds: float, work: Callable[[], Any]) -> None:
    def loop() -> None:
        while True:
            time.sleep(seconds)
            try:
                work()
            except Exception:
                log.exception("in the background")

    threading.Thread(target=loop, daemon=True).start()


if __name__ == "__main__":
    _, given_folder, given_port, given_compression, given_settings = sys.argv
    try:
        main(
            Path(given_folder),
            int(given_port),
            Clock(time.time(), float(given_compression)),
            Settings().changed(json.loads(given_settings)),
        )
    except stack.StackMovedError as refusal:
        sys.exit(str(refusal))
