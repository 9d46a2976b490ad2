"""Rounds of pings over local HTTP: how far apart they arrive, by the warmer's sender and by boto3's `invoke`.

The far end is `stand_in`, in a process of its own, with as many idle environments as there are pings, so that a
ping that comes after another was let go shows as an environment found twice.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import Credentials
from preheat.ping import Ping, Reply

from warmer.adapters.invocation import LambdaEndpoint
from warmer.adapters.pings import LambdaPinger, Limits
from warmer.policy.values import Failed, Round, Target

TARGET = Target("recommend", "live")
HOLD_S = 0.03
BOTO3_S = 0.001
"""What a call of boto3 costs about, so that its rounds get a release as fair as ours."""
REGION, TOKEN = "us-east-1", "t" * 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One way of sending, one size: medians over the runs."""

    sender: str
    pings: int
    arrival_ms: float
    """From the first ping's arrival to the last's."""
    held_ms: float
    """Mean time an environment was held."""
    distinct: float
    """Share of the pings that found an environment of their own."""
    whole_ms: float
    """From the call to the last answer taken in."""


class FarEnd:
    """The stand-in's process: warmed before a round, asked for its arrivals after."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{int(self._line())}"

    def warm(self, environments: int) -> None:
        self._ask(f"warm {environments}")

    def arrivals_s(self) -> list[float]:
        return sorted(json.loads(self._ask("arrivals")))

    def _ask(self, words: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def far_end() -> Iterator[FarEnd]:
    """A far end for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-m", "preheat_tools.bench.stand_in"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield FarEnd(process)
        assert process.stdin is not None
        process.stdin.close()


Send = Callable[[int], Sequence[Reply]]
"""Sends so many pings, answers the replies of those that were answered."""


def measure(sizes: Sequence[int], runs: int) -> Iterator[Figures]:
    """Figures of each way at each size."""
    with far_end() as far:
        ours = LambdaPinger(
            LambdaEndpoint(far.url, REGION, Credentials("AKIDEXAMPLE", "secret", TOKEN)),
            Limits(connections=max(sizes), repeats=0),
        )
        for pings in sizes:
            yield _figures("preheat", pings, runs, far, _ours(ours))
            with ThreadPoolExecutor(pings) as threads:
                yield _figures("boto3, threads", pings, runs, far, _boto3(far.url, threads, pings))
            with senders(far.url, 2, pings) as send:
                yield _figures("boto3, 2 processes", pings, runs, far, send)


def _figures(sender: str, pings: int, runs: int, far: FarEnd, send: Any) -> Figures:
    seen: list[tuple[float, float, float, float]] = []
    for _ in range(runs + 1):
        far.warm(pings)
        started = time.perf_counter()
        distinct, held_ms = send(pings)
        whole_ms = (time.perf_counter() - started) * 1000
        arrivals = far.arrivals_s()
        seen.append(((arrivals[-1] - arrivals[0]) * 1000, held_ms, distinct / pings, whole_ms))
    middle = [statistics.median(column) for column in zip(*seen[1:], strict=True)]  # the first run warms up
    return Figures(
        sender=sender,
        pings=pings,
        arrival_ms=middle[0],
        held_ms=middle[1],
        distinct=middle[2],
        whole_ms=middle[3],
    )


def _ours(pinger: LambdaPinger) -> Callable[[int], tuple[int, float]]:
    def send(pings: int) -> tuple[int, float]:
        report = pinger.send([Round(target=TARGET, environments=pings, hold_s=HOLD_S)])[TARGET]
        if isinstance(report, Failed):
            raise RuntimeError(report.reason)
        return len(report.sightings), report.held_s * 1000

    return send


def _client(url: str, connections: int) -> Any:
    session = boto3.Session("AKIDEXAMPLE", "secret", TOKEN, region_name=REGION)
    return session.client(
        "lambda",
        endpoint_url=url,
        config=Config(max_pool_connections=connections, retries={"total_max_attempts": 1}),
    )


def _boto3(url: str, threads: ThreadPoolExecutor, pings: int) -> Callable[[int], tuple[int, float]]:
    client = _client(url, pings)

    def send(count: int) -> tuple[int, float]:
        return _tally(_invoke_all(client, threads, count, _release_ms(count)))

    return send


def _release_ms(pings: int) -> int:
    return math.ceil((time.time() + pings * BOTO3_S + HOLD_S) * 1000)


def _invoke_all(client: Any, threads: ThreadPoolExecutor, pings: int, release_ms: int) -> list[Reply]:
    payload = json.dumps(Ping(release_at_ms=release_ms).to_event())

    def invoke(_: int) -> Reply:
        answer = client.invoke(FunctionName=TARGET.function, Qualifier=TARGET.alias, Payload=payload)
        return Reply.from_payload(json.loads(answer["Payload"].read()))

    return list(threads.map(invoke, range(pings)))


def _tally(replies: Sequence[Reply]) -> tuple[int, float]:
    return len({reply.environment for reply in replies}), statistics.fmean(r.held_ms for r in replies)


@contextmanager
def senders(url: str, count: int, pings: int) -> Iterator[Callable[[int], tuple[int, float]]]:
    """boto3 in `count` processes, each with its share of the pings and its own threads; all start together."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count + 1)
    pipes, processes = [], []
    for i in range(count):
        near, end = context.Pipe()
        share = pings // count + (i < pings % count)
        process = context.Process(target=_sender, args=(url, share, end, barrier), daemon=True)
        process.start()
        pipes.append(near)
        processes.append(process)

    def send(pings: int) -> tuple[int, float]:
        release_ms = math.ceil((time.time() + pings * BOTO3_S / count + HOLD_S) * 1000)
        for pipe in pipes:
            pipe.send(release_ms)
        barrier.wait(60)
        return _tally([Reply.from_payload(reply) for pipe in pipes for reply in pipe.recv()])

    yield send
    for pipe in pipes:
        pipe.send(None)
    for process in processes:
        process.join(10)


def _sender(url: str, share: int, orders: Any, barrier: Barrier) -> None:
    client = _client(url, max(1, share))
    with ThreadPoolExecutor(max(1, share)) as threads:
        while (release_ms := orders.recv()) is not None:
            barrier.wait(60)
            orders.send([r.to_payload() for r in _invoke_all(client, threads, share, release_ms)])


def as_json(figures: Sequence[Figures]) -> list[dict[str, Any]]:
    """The figures as JSON objects."""
    return [asdict(one) for one in figures]
