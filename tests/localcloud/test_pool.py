"""Which environment takes an event, and how often what it needs is unpacked."""

from __future__ import annotations

import pytest

from tests.waiting import until

from .conftest import MEETING, ROLE, RUNTIME, meet, zipped

pytestmark = pytest.mark.cloud


def test_each_takes_one_event_at_a_time(function, tmp_path):
    made = function(MEETING)
    assert len({who for _, _, who in meet(made, 3, tmp_path / "three")}) == 3


@pytest.mark.parametrize(
    ("routing", "distinct"),
    [pytest.param("recent", 1, id="the-last-one-used"), pytest.param("oldest", 3, id="all-in-turn")],
)
def test_routing(cloud, function, tmp_path, routing, distinct):
    made = function(MEETING)
    meet(made, 3, tmp_path / "three")
    cloud.set(routing=routing)
    try:
        assert len({made.call()[0][2] for _ in range(6)}) == distinct
    finally:
        cloud.set(routing="recent")


def test_layers_are_on_the_path_after_the_package_and_unpacked_once(cloud, function):
    client = cloud.client("lambda")
    layer = client.publish_layer_version(
        LayerName="words",
        Content={"ZipFile": zipped("", **{"python/words.py": "WORD = 'layer'", "python/app.py": ""})},
    )["LayerVersionArn"]
    source = "import words\ndef handler(e, c): return words.__file__\n"
    made, other = function(source, Layers=[layer]), function(source, Layers=[layer])
    answer, kind = made.call()
    assert (kind, answer.endswith("/python/words.py")) == ("", True)
    assert other.call() == (answer, "")


def test_new_code_is_served_by_new_environments(function):
    made = function("def handler(e, c): return 1\n")
    assert made.call() == (1, "")
    made.update("def handler(e, c): return 2\n")
    assert made.call() == (2, "")
    assert len(made.environments()) == 1


def test_a_deleted_function_leaves_no_environment(cloud):
    client = cloud.client("lambda")
    code = {"ZipFile": zipped("def handler(e, c): return 1\n")}
    client.create_function(FunctionName="gone", Role=ROLE, Runtime=RUNTIME, Handler="app.handler", Code=code)
    client.invoke(FunctionName="gone")
    client.delete_function(FunctionName="gone")
    until(lambda: not [one for one in cloud.state()["environments"] if one["function"] == "gone"])


def test_another_python_is_refused_with_what_to_do(function):
    answer, kind = function("def handler(e, c): return 1\n", Runtime="python3.9").call()
    assert (kind, answer["errorType"]) == ("Unhandled", "Runtime.InvalidRuntime")
    assert "preheat local deploy" in answer["errorMessage"]


def test_invocations_are_told_by_kind(cloud, function):
    made = function("def handler(e, c): return 1\n")
    made.call({"preheat": {"version": 1}})
    made.call({"requestContext": {}})
    made.call()
    told = [one for one in cloud.invocations() if one["function"] == made.name]
    assert [(one["kind"], one["cold"]) for one in told] == [
        ("ping", True),
        ("request", False),
        ("other", False),
    ]
    counts = cloud.state()["functions"][made.name]["counts"]
    assert (counts["pings"], counts["requests"], counts["cold_starts"], counts["cold_starts_ping"]) == (
        1,
        1,
        1,
        1,
    )
    assert counts["billed_ms"] == sum(one["billed_ms"] for one in told)
