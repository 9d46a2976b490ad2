"""A dashboard of the local cloud, drawn from what is in its CloudWatch and its logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from preheat_tools.dashboard.board import CloudSource, pictures
from preheat_tools.dashboard.command import picture
from preheat_tools.localcloud.process import LocalCloud, LocalCloudError

GROUP = "/drawn"


def test_a_dashboard_is_drawn_from_the_clouds_own_figures_and_lines(cloud: LocalCloud) -> None:
    cloudwatch, logs = cloud.client("cloudwatch"), cloud.client("logs")
    now_s = cloud.now_s() // 60 * 60
    dimensions = [{"Name": "F", "Value": "f"}]
    for value in (2.0, 3.0):
        datum = {"MetricName": "M", "Dimensions": dimensions, "Value": value}
        datum["Timestamp"] = datetime.fromtimestamp(now_s - 60, UTC)
        cloudwatch.put_metric_data(Namespace="Drawn", MetricData=[datum])
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    line = {"timestamp": int((now_s - 60) * 1000), "message": json.dumps({"event": "seen", "what": "this"})}
    logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=[line])
    place = {"x": 0, "y": 0, "width": 12, "height": 6}
    rows = [["Drawn", "M", "F", "f", {"stat": "Sum", "label": "sum"}]]
    query = f"SOURCE '{GROUP}' | filter event = 'seen' | fields what | sort @timestamp desc | limit 5"
    widgets = [
        {"type": "metric", **place, "properties": {"title": "A", "period": 60, "metrics": rows}},
        {"type": "log", **place, "properties": {"title": "B", "query": query}},
    ]
    body = json.dumps({"start": "-PT1H", "widgets": widgets})
    cloudwatch.put_dashboard(DashboardName="drawn", DashboardBody=body)

    metric, table = pictures(body, CloudSource(cloudwatch, logs), now_s - 3600, now_s + 60)
    assert metric.lines[0].points == {now_s - 60: 5.0}
    assert table.rows == (("this",),)
    assert "this" in picture(cloud, "drawn")


def test_a_stack_without_a_dashboard_is_told_what_it_lacks(cloud: LocalCloud) -> None:
    with pytest.raises(LocalCloudError, match="Metrics=full"):
        picture(cloud, "absent")
