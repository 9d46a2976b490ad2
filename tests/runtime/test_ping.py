"""The wire contract, both ways."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preheat.ping import Level, ModelReport, Ping, PingError, Reply

names = st.text(min_size=1, max_size=30)
levels = st.sampled_from(Level)
ms = st.floats(min_value=0, max_value=1e9)

pings = st.builds(
    Ping,
    release_at_ms=st.integers(min_value=0, max_value=2**53),
    models=st.dictionaries(names, levels, max_size=5),
    departures=st.integers(min_value=0, max_value=9),
    every=st.booleans(),
)
reports = st.builds(
    ModelReport,
    level=levels,
    version=names,
    load_ms=ms,
    first_answer_ms=ms,
    steady_ms=ms,
    memory_mb=ms,
    problem=st.text(max_size=50),
    hashed=st.booleans(),
)
replies = st.builds(
    Reply,
    environment=names,
    initialization=st.sampled_from(["on-demand", "provisioned-concurrency", "snap-start"]),
    cold=st.booleans(),
    age_s=ms,
    idle_s=ms,
    requests=st.integers(min_value=0),
    held_ms=ms,
    init_ms=ms,
    models=st.dictionaries(names, reports, max_size=5),
)


@given(pings)
def test_a_ping_survives_the_wire(ping: Ping) -> None:
    assert Ping.from_event(json.loads(json.dumps(ping.to_event()))) == ping


@given(replies)
def test_a_reply_survives_the_wire(reply: Reply) -> None:
    assert Reply.from_payload(json.loads(json.dumps(reply.to_payload()))) == reply


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param("hot", "must be an object, was: 'hot'", id="not-an-object"),
        pytest.param({}, "preheat.version must be 1, was: None", id="no-version"),
        pytest.param({"version": 2}, "preheat.version must be 1, was: 2", id="another-version"),
        pytest.param({"version": True}, "preheat.version must be 1, was: True", id="version-a-bool"),
        pytest.param(
            {"version": 1, "release_at_ms": -1}, "must be Unix time in ms, was: -1", id="release-before-1970"
        ),
        pytest.param(
            {"version": 1, "release_at_ms": 2**53 + 1}, "must be Unix time in ms", id="release-beyond-json"
        ),
        pytest.param(
            {"version": 1, "release_at_ms": 10**400}, "must be Unix time in ms", id="release-beyond-floats"
        ),
        pytest.param({"version": 1, "concurrency": 5}, "unknown fields ['concurrency']", id="unknown-field"),
        pytest.param(
            {"version": 1, "release_at_ms": "now"}, "must be Unix time in ms, was: 'now'", id="release-a-word"
        ),
        pytest.param(
            {"version": 1, "release_at_ms": True}, "must be Unix time in ms, was: True", id="release-a-bool"
        ),
        pytest.param(
            {"version": 1, "release_at_ms": float("nan")},
            "must be Unix time in ms, was: nan",
            id="release-nan",
        ),
        pytest.param({"version": 1, "every": 1}, "preheat.every must be true or false, was: 1", id="every-1"),
        pytest.param({"version": 1, "models": ["a"]}, "must map model names to levels", id="models-a-list"),
        pytest.param(
            {"version": 1, "models": {"a": "WARM"}},
            "the level of 'a' must be one of COLD, CACHED",
            id="no-such-level",
        ),
        pytest.param({"version": 1, "models": {"a": ["HOT"]}}, "was: ['HOT']", id="level-a-list"),
    ],
)
def test_a_malformed_ping_is_told_what_is_wrong(body: object, said: str) -> None:
    with pytest.raises(PingError) as error:
        Ping.from_event({"preheat": body})
    assert said in str(error.value)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "ok",
        {},
        {"preheat": {"version": 7}},
        {"preheat": {"version": 1}},
        {"preheat": {"version": 1, "models": 3}},
    ],
)
def test_what_is_no_reply_is_refused(payload: object) -> None:
    with pytest.raises(PingError):
        Reply.from_payload(payload)


def test_the_contract_imports_nothing_heavy() -> None:
    """It is on every cold start's path."""
    heavy = ("numpy", "onnxruntime", "boto3", "dataclasses", "inspect", "typing")
    code = f"import sys, preheat.ping; print(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@given(replies)
def test_a_reply_of_a_later_release_is_read_without_what_is_not_known(reply: Reply) -> None:
    payload = reply.to_payload()
    for later in (payload["preheat"], *payload["preheat"]["models"].values()):
        later["mood"] = "good"
    assert Reply.from_payload(payload) == reply
