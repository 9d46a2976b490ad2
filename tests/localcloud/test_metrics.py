"""What CloudWatch learns of invocations, however they came."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.waiting import until

from .conftest import MEETING, meet

pytestmark = pytest.mark.cloud

DIVIDE = "def handler(event, context): return 1 / event.get('by', 1)\n"


def read(cloud, *queries, back_s=600, ahead_s=120):
    now = cloud.now_s()
    asked = [
        {
            "Id": f"q{index}",
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
                },
                "Period": 60,
                "Stat": stat,
            },
        }
        for index, (namespace, name, stat, dimensions) in enumerate(queries)
    ]
    answer = cloud.client("cloudwatch").get_metric_data(
        MetricDataQueries=asked, StartTime=now - back_s, EndTime=now + ahead_s
    )
    return answer["MetricDataResults"]


def values(cloud, made, name, stat, **more):
    dimensions = {"FunctionName": made.name, **more}
    return read(cloud, ("AWS/Lambda", name, stat, dimensions))[0]["Values"]


def total(cloud, made, name, stat, resource):
    found = values(cloud, made, name, stat, **resource)
    return sum(found) if stat == "Sum" else max(found)


def test_invocations_are_counted_by_function_and_alias(fast, fast_function):
    made = fast_function(DIVIDE)
    made.publish()
    for _ in range(3):
        made.call(Qualifier="live")
    made.call({"by": 0}, Qualifier="live")
    made.call()
    resource = {"Resource": f"{made.name}:live"}
    until(lambda: sum(values(fast, made, "Invocations", "Sum")) == 5)
    until(lambda: sum(values(fast, made, "Invocations", "Sum", **resource)) == 4)
    until(lambda: sum(values(fast, made, "Errors", "Sum", **resource)) == 1)
    (duration, high) = read(
        fast,
        ("AWS/Lambda", "Duration", "Average", {"FunctionName": made.name, **resource}),
        ("AWS/Lambda", "Duration", "p99", {"FunctionName": made.name, **resource}),
    )
    assert 0 < duration["Values"][0] <= high["Values"][0] < 10_000


def test_concurrency_is_the_peak(fast, fast_function, tmp_path):
    made = fast_function(MEETING)
    made.publish()
    meet(made, 3, tmp_path / "three", Qualifier="live")
    resource = {"Resource": f"{made.name}:live"}
    for more in ({}, resource):
        until(
            lambda more=more: (
                max(values(fast, made, "ConcurrentExecutions", "Maximum", **more), default=0) == 3
            )
        )


def test_a_reservation_throttles_through_an_alias(fast, fast_function, tmp_path):
    made = fast_function(MEETING)
    made.publish()
    made.client.put_function_concurrency(FunctionName=made.name, ReservedConcurrentExecutions=1)
    event = {"where": str(tmp_path), "number": 2}
    with ThreadPoolExecutor(1) as caller:
        first = caller.submit(made.call, event, Qualifier="live")
        until(lambda: list(tmp_path.iterdir()))
        for _ in range(2):
            with pytest.raises(made.client.exceptions.TooManyRequestsException) as refused:
                made.call(Qualifier="live")
            reason = refused.value.response["Reason"]
            assert reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
        (tmp_path / "enough").touch()
        assert first.result()[1] == ""
    until(lambda: sum(values(fast, made, "Throttles", "Sum", Resource=f"{made.name}:live")) == 2)


def test_provisioned_use_and_spill_are_told_apart(fast, fast_function, tmp_path):
    made = fast_function(MEETING)
    made.publish()
    made.client.put_provisioned_concurrency_config(
        FunctionName=made.name, Qualifier="live", ProvisionedConcurrentExecutions=1
    )
    get = made.client.get_provisioned_concurrency_config
    until(lambda: get(FunctionName=made.name, Qualifier="live")["Status"] == "READY")
    meet(made, 2, tmp_path / "two", Qualifier="live")
    resource = {"Resource": f"{made.name}:live"}
    for name, stat in (
        ("ProvisionedConcurrencyInvocations", "Sum"),
        ("ProvisionedConcurrencySpilloverInvocations", "Sum"),
        ("ProvisionedConcurrentExecutions", "Maximum"),
        ("ProvisionedConcurrencyUtilization", "Maximum"),
    ):
        until(
            lambda n=name, s=stat: (
                values(fast, made, n, s, **resource) and total(fast, made, n, s, resource) == 1
            )
        )


def test_embedded_metrics_are_read_from_the_log(fast, fast_function):
    line = {
        "_aws": {
            "Timestamp": 0,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Shop",
                    "Dimensions": [["kind"]],
                    "Metrics": [{"Name": "Load", "Unit": "Milliseconds"}],
                }
            ],
        },
        "kind": "warm",
        "Load": 12.5,
    }
    made = fast_function(f"def handler(e, c): print({json.dumps(line)!r})\n")
    made.call()
    (found,) = read(fast, ("Shop", "Load", "Average", {"kind": "warm"}))
    assert found["Values"] == [12.5]


def test_metrics_are_late(fast, fast_function):
    made = fast_function(DIVIDE)
    fast.set(metric_delay_s=3600)
    try:
        made.call()
        assert values(fast, made, "Invocations", "Sum") == []
    finally:
        fast.set(metric_delay_s=0)
    until(lambda: values(fast, made, "Invocations", "Sum") == [1])


def test_history_can_be_loaded(fast):
    from preheat_tools.localcloud.history import load_history

    start_s = fast.now_s() // 60 * 60 - 3 * 3600
    load_history(
        fast,
        "past",
        "live",
        start_s=start_s,
        peak_concurrency=[2, 0, 5],
        invocations=[9, 0, 40],
        duration_ms=[20, 0, 30],
    )
    dimensions = {"FunctionName": "past", "Resource": "past:live"}
    peaks, sums, durations = read(
        fast,
        ("AWS/Lambda", "ConcurrentExecutions", "Maximum", dimensions),
        ("AWS/Lambda", "Invocations", "Sum", dimensions),
        ("AWS/Lambda", "Duration", "Average", dimensions),
        back_s=4 * 3600,
    )
    assert (peaks["Values"], sums["Values"], durations["Values"]) == ([2, 5], [9, 40], [20, 30])


def test_a_fault_meets_one_target(fast):
    queries = [("AWS/Lambda", "Invocations", "Sum", {"FunctionName": name}) for name in ("good", "sick")]
    fast.inject(service="cloudwatch", match="sick", status=0)
    try:
        good, sick = read(fast, *queries)
        assert (good["StatusCode"], sick["StatusCode"]) == ("Complete", "InternalError")
        fast.clear_faults()
        fast.inject(service="cloudwatch", match="sick", status=500)
        read(fast, queries[0])
        with pytest.raises(ClientError) as problem:
            read(fast, queries[1])
        assert problem.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    finally:
        fast.clear_faults()


def test_an_alarm_calls_its_function(fast, fast_function, tmp_path):
    told = tmp_path / "told"
    made = fast_function(f"import json\ndef handler(e, c): open({str(told)!r}, 'w').write(json.dumps(e))\n")
    watch = fast.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="calls",
        Namespace="Shop",
        MetricName="Calls",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=3,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[f"arn:aws:lambda:us-east-1:000000000000:function:{made.name}"],
    )
    watch.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Calls", "Value": 4}])
    event = until(lambda: told.exists() and told.read_text() and json.loads(told.read_text()))
    assert event["source"] == "aws.cloudwatch"
    assert (event["alarmData"]["alarmName"], event["alarmData"]["state"]["value"]) == ("calls", "ALARM")


@pytest.mark.parametrize("value, state", [(5, "ALARM"), (1, "OK")])
def test_alarms_look_at_their_own_dimension(fast, value, state):
    watch = fast.client("cloudwatch")
    name = f"high-{value}"
    watch.put_metric_alarm(
        AlarmName=name,
        Namespace="Shop",
        MetricName="Cold",
        Dimensions=[{"Name": "f", "Value": name}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=3,
        ComparisonOperator="GreaterThanThreshold",
    )
    for other, seen in ((name, value), ("another", 9 - value)):
        watch.put_metric_data(
            Namespace="Shop",
            MetricData=[{"MetricName": "Cold", "Dimensions": [{"Name": "f", "Value": other}], "Value": seen}],
        )
    until(lambda: watch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"] == state)


@pytest.mark.parametrize(("cold", "state"), [(30, "ALARM"), (3, "OK")])
def test_a_templates_alarm_may_be_of_several_metrics(fast, cold, state):
    def metric(name, identifier):
        named = {"Namespace": "Shop", "MetricName": name, "Dimensions": [{"Name": "of", "Value": f"{cold}"}]}
        stat = {"Metric": named, "Stat": "Sum", "Period": 3600}
        return {"Id": identifier, "ReturnData": False, "MetricStat": stat}

    alarm = {
        "AlarmName": f"share-of-{cold}",
        "Metrics": [
            {"Id": "percent", "Expression": "100 * cold / calls", "ReturnData": True},
            metric("Cold", "cold"),
            metric("Calls", "calls"),
        ],
        "EvaluationPeriods": 1,
        "Threshold": 10,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    resources = {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}}
    formation = fast.client("cloudformation")
    formation.create_stack(StackName=f"share-{cold}", TemplateBody=json.dumps({"Resources": resources}))
    watch = fast.client("cloudwatch")
    for name, value in (("Cold", cold), ("Calls", 100)):
        datum = {"MetricName": name, "Dimensions": [{"Name": "of", "Value": f"{cold}"}], "Value": value}
        watch.put_metric_data(Namespace="Shop", MetricData=[datum])

    def found():
        return watch.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]

    until(lambda: found() and found()[0]["StateValue"] == state)
