"""A template through sam onto the cloud, and each way into its function."""

from __future__ import annotations

import base64
import datetime
import gzip
import json
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from preheat_tools.localcloud import deployment
from preheat_tools.localcloud.commands import local

from tests.waiting import until

pytestmark = pytest.mark.cloud

TEMPLATE = Path(__file__).with_name("app") / "template.yaml"


@pytest.fixture(scope="module")
def shop(fast):
    return deployment.deploy(fast, TEMPLATE, stack="shop")


@pytest.fixture(scope="module")
def ask(fast, shop):
    url, key = deployment.api_url(fast, shop), deployment.api_key(fast, shop)

    def ask(method, path, body=None, **headers):
        given = {"x-api-key": key, "content-type": "application/json"} | headers
        request = urllib.request.Request(url + path, data=body, method=method, headers=given)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    return ask


def test_a_request_reaches_the_function_through_its_alias(ask):
    status, seen = ask("POST", "/orders/7", b'{"item": "tea", "count": 2}')
    assert status == 200
    assert seen["arn"].endswith(":live")


@pytest.mark.parametrize("body", [b'{"count": 2}', b'{"item": "tea", "count": 0}', b"tea"])
def test_a_body_that_is_not_the_model_is_refused(ask, body):
    assert ask("POST", "/orders/7", body) == (422, {"detail": "Invalid request body"})


def test_a_missing_parameter_is_refused(ask):
    status, said = ask("GET", "/search")
    assert (status, "[q]" in said["message"]) == (400, True)
    assert ask("GET", "/search?q=tea")[0] == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_any_takes_every_method(ask, method):
    assert ask(method, "/any/thing")[1]["method"] == method


def test_binary_bodies_arrive_encoded(ask):
    _, seen = ask("POST", "/any/thing", b"\x00\xff", **{"content-type": "application/octet-stream"})
    assert (seen["base64"], base64.b64decode(seen["body"])) == (True, b"\x00\xff")


def test_the_api_key_is_asked_for(ask):
    assert ask("GET", "/search?q=tea", **{"x-api-key": "none"})[0] == 403


def test_a_usage_plan_throttles_in_virtual_time(fast, shop, ask):
    """One request in 100 s is let through: less than 2 s here, where a minute takes a second."""
    gateway = fast.client("apigateway")
    plan = gateway.create_usage_plan(
        name="slow",
        apiStages=[{"apiId": shop.outputs["ApiId"], "stage": "prod"}],
        throttle={"rateLimit": 0.01, "burstLimit": 1},
    )
    key = gateway.create_api_key(name="slow", enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")

    def asked():
        return ask("GET", "/search?q=tea", **{"x-api-key": key["value"]})[0]

    assert [asked(), asked()] == [200, 429]
    until(lambda: asked() == 200)


def test_what_does_not_exist_is_refused_in_the_templates_words(ask):
    assert ask("GET", "/nowhere") == (404, {"detail": "no GET /prod/nowhere"})


def test_an_http_api_has_its_routes(fast, shop):
    url = f"{fast.url}/_aws/execute-api/{shop.outputs['HttpApiId']}/$default/http/tea"
    with urllib.request.urlopen(url) as answer:
        assert answer.status == 200


def test_the_schedule_fires_in_virtual_time_and_says_when(fast, shop):
    name = shop.outputs["Function"]

    def lines():
        found = fast.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return [
            json.loads(one["message"])["scheduled"] for one in found if one["message"].startswith('{"sched')
        ]

    told = until(lambda: len(seen := lines()) >= 3 and seen)
    moments = [datetime.datetime.fromisoformat(one).timestamp() for one in told]
    steps = [later - earlier for earlier, later in pairwise(sorted(moments))]
    # A machine that is busy may miss a tick, never fire between two.
    assert all(step > 0 and step % 60 == 0 for step in steps)
    assert abs(moments[-1] - fast.now_s()) < 3600


def test_a_request_through_the_api_is_measured_by_alias(fast, shop, ask):
    name = shop.outputs["Function"]
    ask("GET", "/any/counted")
    dimensions = [{"Name": "FunctionName", "Value": name}, {"Name": "Resource", "Value": f"{name}:live"}]
    found = until(
        lambda: fast.client("cloudwatch").list_metrics(
            Namespace="AWS/Lambda", MetricName="Invocations", Dimensions=dimensions
        )["Metrics"]
    )
    assert found


@pytest.fixture
def run(fast, shop):
    def run(*arguments):
        return CliRunner().invoke(local, ["--folder", fast.folder, *arguments])

    return run


def test_invoke_shows_the_answer_and_the_report(run, tmp_path):
    event = tmp_path / "event.json"
    event.write_text('{"hello": "there"}')
    told = run("invoke", "Shop", "-q", "live", "-e", str(event), "--stack", "shop")
    assert told.exit_code == 0, told.output
    assert '"hello": "there"' in told.output
    assert "REPORT RequestId:" in told.output


def test_invoke_makes_requests(run):
    told = run("invoke", "/orders/7", "-d", '{"item": "tea"}', "--stack", "shop")
    assert (told.exit_code, "HTTP 200" in told.output, "billed" in told.output) == (0, True, True)
    refused = run("invoke", "/orders/7", "-d", "{}", "--stack", "shop")
    assert (refused.exit_code, "HTTP 422" in refused.output) == (1, True)


def test_tick_sends_the_schedules_event_at_virtual_now(run, fast):
    told = run("tick", "--function", "Shop", "--stack", "shop")
    when = datetime.datetime.fromisoformat(told.output.split('"scheduled_time": "')[1].split('"')[0])
    assert abs(when.timestamp() - fast.now_s()) < 600


def test_status_shows_environments_and_functions(run, shop):
    told = run("status")
    assert told.exit_code == 0, told.output
    assert shop.outputs["Function"] in told.output


def test_a_stack_that_is_not_there_is_told(run):
    told = run("invoke", "Shop", "--stack", "none")
    assert (told.exit_code, "preheat local deploy" in told.output) == (1, True)


def test_a_failed_build_shows_its_end_and_names_its_log(run, tmp_path):
    broken = tmp_path / "template.yaml"
    broken.write_text(TEMPLATE.read_text().replace("BuildMethod: makefile", "BuildMethod: none"))
    (tmp_path / "shop").mkdir()
    told = run("deploy", "--template", str(broken), "--stack", "broken")
    assert told.exit_code == 1
    assert "sam build failed" in told.output
    assert "build.log" in told.output.replace("\n", "")


def test_logs_reach_a_subscription(fast, fast_function):
    source = fast_function(
        "import json\ndef handler(e, c):\n"
        "    for n in (1, 5): print(json.dumps({'cold': {'ms': n}, 'who': 'customer'}))\n"
    )
    sink = fast_function("import json\ndef handler(e, c): print('GOT ' + json.dumps(e))\n")
    source.call()
    logs = fast.client("logs")
    logs.put_subscription_filter(
        logGroupName=f"/aws/lambda/{source.name}",
        filterName="cold",
        filterPattern='{ $.who = "customer" && $.cold.ms > 2 }',
        destinationArn=f"arn:aws:lambda:us-east-1:000000000000:function:{sink.name}",
    )
    source.call()

    def delivered():
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{sink.name}", filterPattern="GOT")[
                "events"
            ]
        except logs.exceptions.ResourceNotFoundException:
            return None
        return found

    (event,) = until(delivered)
    data = json.loads(event["message"].removeprefix("GOT "))["awslogs"]["data"]
    record = json.loads(gzip.decompress(base64.b64decode(data)))
    assert record["logGroup"] == f"/aws/lambda/{source.name}"
    assert [json.loads(one["message"])["cold"]["ms"] for one in record["logEvents"]] == [5]
