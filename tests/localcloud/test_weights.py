"""An alias with weights sends its requests to both of its versions; a hook's answer is kept."""

from __future__ import annotations

from collections import Counter

import pytest
from botocore.exceptions import ClientError

from tests.waiting import until

pytestmark = pytest.mark.cloud

SAYS_VERSION = """
import os
def handler(event, context):
    return [os.environ['AWS_LAMBDA_FUNCTION_VERSION'], context.invoked_function_arn]
"""


@pytest.fixture
def shifted(fast_function):
    """A function whose alias `live` names version 1, and whose version 2 is published."""
    made = fast_function(SAYS_VERSION)
    made.publish()
    made.update(SAYS_VERSION + "# newer\n")
    made.client.publish_version(FunctionName=made.name)
    return made


def point(made, version, weights):
    made.client.update_alias(
        FunctionName=made.name,
        Name="live",
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": weights},
    )


def asked(made, count):
    """Versions that answered, each by how often, and the ARNs that they were invoked by."""
    answers = [made.call(Qualifier="live")[0] for _ in range(count)]
    return Counter(version for version, _ in answers), {arn for _, arn in answers}


@pytest.mark.parametrize(
    ("weight", "least", "most"), [(0.0, 0, 0), (0.25, 20, 80), (0.75, 120, 180), (1.0, 200, 200)]
)
def test_the_second_version_has_its_share(shifted, weight, least, most):
    point(shifted, "1", {"2": weight})
    counts, arns = asked(shifted, 200)
    assert least <= counts["2"] <= most and counts.total() == 200
    assert {arn.rpartition(":")[2] for arn in arns} == {"live"}


def test_both_versions_are_measured_under_the_alias(fast, shifted):
    point(shifted, "1", {"2": 0.5})
    asked(shifted, 20)
    told = [one for one in fast.invocations() if one["function"] == shifted.name]
    assert {(one["version"], one["qualifier"]) for one in told} == {("1", "live"), ("2", "live")}
    executed = [
        {"Name": "FunctionName", "Value": shifted.name},
        {"Name": "Resource", "Value": f"{shifted.name}:live"},
        {"Name": "ExecutedVersion", "Value": "2"},
    ]
    listed = fast.client("cloudwatch").list_metrics
    assert until(
        lambda: listed(Namespace="AWS/Lambda", MetricName="Invocations", Dimensions=executed)["Metrics"]
    )


def test_weights_taken_back_are_gone(shifted):
    point(shifted, "1", {"2": 1.0})
    assert asked(shifted, 3)[0] == {"2": 3}
    point(shifted, "1", {})
    assert asked(shifted, 3)[0] == {"1": 3}


def test_what_a_hook_tells_codedeploy_is_kept(cloud):
    cloud.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId="d-1", lifecycleEventHookExecutionId="one", status="Failed"
    )
    assert cloud.hook_answers()["one"] == "Failed"


@pytest.mark.parametrize(
    ("deployment", "execution", "status", "says"),
    [
        pytest.param("", "one", "Failed", "ExecutionIdException", id="no-deployment"),
        pytest.param("d-1", "", "Failed", "ExecutionIdException", id="no-execution"),
        pytest.param("d-1", "two", "Fine", "ExecutionStatusException", id="not-a-status"),
    ],
)
def test_what_is_no_answer_is_refused(cloud, deployment, execution, status, says):
    with pytest.raises(ClientError, match=says):
        cloud.client("codedeploy").put_lifecycle_event_hook_execution_status(
            deploymentId=deployment, lifecycleEventHookExecutionId=execution, status=status
        )
    assert "two" not in cloud.hook_answers()
