"""True provisioned concurrency, by qualifier, with real processes."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.waiting import until

from .conftest import MEETING, meet

pytestmark = pytest.mark.cloud

BROKEN = "raise RuntimeError('no model here')\n"


def put(made, number, alias="live"):
    return made.client.put_provisioned_concurrency_config(
        FunctionName=made.name, Qualifier=alias, ProvisionedConcurrentExecutions=number
    )


def standing(made, alias="live"):
    return made.client.get_provisioned_concurrency_config(FunctionName=made.name, Qualifier=alias)


def ready(made, number):
    def there():
        now = standing(made)
        return now["Status"] == "READY" and now["AvailableProvisionedConcurrentExecutions"] == number

    return until(there)


def owned(made):
    return [one for one in made.environments() if one["provisioned_for"] == "live"]


@pytest.fixture
def live(function):
    made = function(MEETING)
    made.publish()
    return made


def test_allocation_is_in_progress_then_ready(live):
    first = put(live, 2)
    assert (first["Status"], first["AvailableProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 0)
    assert ready(live, 2)
    assert len(owned(live)) == 2
    assert all(one["invocations"] == 0 for one in owned(live))


def test_its_environments_are_leased_first_and_overflow_spills(live, tmp_path):
    live.call(Qualifier="live")
    put(live, 1)
    ready(live, 1)
    assert live.call(Qualifier="live")[0][0] == "provisioned-concurrency"
    both = meet(live, 2, tmp_path / "both", Qualifier="live")
    assert sorted(kind for kind, _, _ in both) == ["on-demand", "provisioned-concurrency"]


def test_it_does_not_expire(cloud, live):
    live.call(Qualifier="live")
    put(live, 1)
    ready(live, 1)
    cloud.set(idle_ttl_s=0.2)
    try:
        until(lambda: len(live.environments()) == 1)
        assert owned(live)
    finally:
        cloud.set(idle_ttl_s=600)


def test_a_failing_init_is_failed_with_its_reason(function):
    made = function(BROKEN)
    made.publish()
    put(made, 1)
    until(lambda: standing(made)["Status"] == "FAILED")
    assert standing(made)["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert owned(made) == []


def test_a_failed_allocation_leaves_no_process(function, tmp_path):
    made = function(f"import os\nopen({str(tmp_path / 'first')!r}, 'x').write(str(os.getpid()))\n" + MEETING)
    made.publish()
    put(made, 2)
    until(lambda: standing(made)["Status"] == "FAILED")
    survivor = int((tmp_path / "first").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(survivor, 0)
    assert made.environments() == []


def test_it_follows_the_alias(live):
    put(live, 1)
    ready(live, 1)
    live.update(MEETING + "\n# newer\n")
    version = live.publish()
    until(lambda: [one["version"] for one in owned(live)] == [version])
    ready(live, 1)
    kind, served_by, _ = live.call(Qualifier="live")[0]
    assert (kind, served_by) == ("provisioned-concurrency", version)


def test_a_killed_one_is_replaced(live):
    put(live, 1)
    ready(live, 1)
    lost = owned(live)[0]["pid"]
    os.kill(lost, signal.SIGKILL)
    until(lambda: [one for one in owned(live) if one["pid"] not in (lost, 0) and one["state"] == "idle"])
    assert live.call(Qualifier="live")[0][0] == "provisioned-concurrency"


def test_one_that_crashes_in_an_event_is_an_error_to_its_caller_alone_and_is_replaced(function):
    made = function(
        "import os\ndef handler(event, c):\n    if event.get('die'): os._exit(3)\n    return os.getpid()\n"
    )
    made.publish()
    put(made, 1)
    ready(made, 1)
    lost = made.call(Qualifier="live")[0]
    assert made.call({"die": True}, Qualifier="live")[0]["errorType"] == "Runtime.ExitError"
    until(lambda: [one for one in owned(made) if one["pid"] not in (lost, 0) and one["state"] == "idle"])
    assert made.call(Qualifier="live")[0] == owned(made)[0]["pid"]
    assert ready(made, 1)


def test_none_of_an_increase_is_usable_before_all_of_it_is(function, tmp_path):
    """The first INIT ends at once; the second, which makes the file's name its own second, waits for a word."""
    made = function(
        "import os, time\n"
        f"where = {str(tmp_path)!r}\n"
        "try:\n"
        "    open(os.path.join(where, 'first'), 'x').close()\n"
        "except FileExistsError:\n"
        "    open(os.path.join(where, 'second'), 'w').close()\n"
        "    while not os.path.exists(os.path.join(where, 'go')): time.sleep(0.01)\n"
        "def handler(event, context): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n"
    )
    made.publish()
    put(made, 2)
    until(lambda: {one.name for one in tmp_path.iterdir()} == {"first", "second"})
    halfway = standing(made)
    assert (halfway["Status"], halfway["AvailableProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 0)
    (tmp_path / "go").touch()
    assert ready(made, 2)
    assert made.call(Qualifier="live")[0] == "provisioned-concurrency"


def test_until_the_new_version_is_there_the_old_one_stands(cloud, live):
    put(live, 1)
    ready(live, 1)
    (old,) = owned(live)
    cloud.set(allocation_s=2.0)
    try:
        live.update(MEETING + "\n# newer\n")
        version = live.publish()
        until(lambda: standing(live)["Status"] == "IN_PROGRESS")
        assert old["pid"] in [one["pid"] for one in owned(live)]
        until(lambda: [one["version"] for one in owned(live)] == [version])
    finally:
        cloud.set(allocation_s=0)


def test_lowering_and_deleting_free(live):
    put(live, 3)
    ready(live, 3)
    put(live, 1)
    ready(live, 1)
    assert len(owned(live)) == 1
    live.client.delete_provisioned_concurrency_config(FunctionName=live.name, Qualifier="live")
    until(lambda: not owned(live))
    with pytest.raises(live.client.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        standing(live)


@pytest.mark.parametrize(
    ("qualifier", "number", "text"),
    [
        pytest.param("$LATEST", 1, "unpublished", id="not-on-latest"),
        pytest.param("live", 950, "UnreservedConcurrentExecution", id="not-the-last-hundred"),
    ],
)
def test_what_lambda_refuses_is_refused(live, qualifier, number, text):
    with pytest.raises(live.client.exceptions.InvalidParameterValueException, match=text):
        put(live, number, qualifier)


def test_an_alias_with_weights_is_refused(live):
    first = live.client.get_alias(FunctionName=live.name, Name="live")["FunctionVersion"]
    live.update(MEETING + "\n# other\n")
    live.publish()
    weights = {"AdditionalVersionWeights": {first: 0.1}}
    live.client.update_alias(FunctionName=live.name, Name="live", RoutingConfig=weights)
    with pytest.raises(live.client.exceptions.InvalidParameterValueException, match="weights"):
        put(live, 1)


def test_limits_can_be_read(live):
    account = live.client.get_account_settings()["AccountLimit"]
    assert account["ConcurrentExecutions"] == 1000
    live.client.put_function_concurrency(FunctionName=live.name, ReservedConcurrentExecutions=7)
    assert live.client.get_function_concurrency(FunctionName=live.name)["ReservedConcurrentExecutions"] == 7
    with pytest.raises(live.client.exceptions.InvalidParameterValueException, match="reserved"):
        put(live, 8)


def test_allocation_takes_the_time_that_is_set(cloud, live):
    cloud.set(allocation_s=3.0)
    try:
        asked_s = time.monotonic()
        put(live, 1)
        assert standing(live)["Status"] == "IN_PROGRESS"
        assert live.call(Qualifier="live")[0][0] == "on-demand"
        ready(live, 1)
        assert time.monotonic() - asked_s >= 3.0
    finally:
        cloud.set(allocation_s=0)
