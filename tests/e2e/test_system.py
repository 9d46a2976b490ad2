"""From a request to a warm answer, and what happens when something breaks, by the template that deploys."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from preheat.engines import open_session
from preheat.pack import read_pack
from tritonclient.utils import InferenceServerException

from tests.e2e.conftest import MODEL, ROOT, System, corrupted

pytestmark = pytest.mark.cloud


def test_a_customer_waits_for_init_until_the_warmer_has_ticked(system: System) -> None:
    status, body = system.ask()
    assert status == 200 and len(body["recommendations"]) == 3
    assert system.last()["cold"]
    system.expire_all()

    summary = system.tick()
    assert summary["problems"] == {}
    assert len(system.environments()) >= summary["reached"] >= 2

    status, again = system.ask()
    assert (status, again) == (200, body)
    assert not system.last()["cold"]


def test_what_the_api_refuses_is_a_problem_document_and_wakes_nobody(system: System) -> None:
    for path, body, key, status, says in (
        (f"/recommend/{MODEL}", {"k": 3}, system.key, 400, "request body"),
        ("/nothing", {}, system.key, 404, "/nothing"),
        (f"/recommend/{MODEL}", {"visited": []}, "", 403, "x-api-key"),
    ):
        answered, problem = system.post(path, body, key)
        assert (answered, problem["status"]) == (status, status)
        assert says in problem["detail"]
    assert system.environments() == []


def test_tritonclient_gets_answers_through_the_api(system: System) -> None:
    client = triton.InferenceServerClient(system.url.partition("://")[2])
    key = {"x-api-key": system.key}  # a copy for each call: the client writes into what it is given
    row = np.zeros((1, 294), dtype=np.float32)
    row[0, [3, 8]] = 1.0
    visited = triton.InferInput("visited", row.shape, "FP32")
    visited.set_data_from_numpy(row, binary_data=False)
    pack = read_pack(ROOT / "functions/recommend/models" / MODEL)
    expected = open_session(pack).run({"visited": row})["scores"].numpy()
    try:
        assert client.is_server_live(headers=dict(key))
        assert client.is_server_ready(headers=dict(key))
        assert client.is_model_ready(MODEL, headers=dict(key))
        version = client.get_model_metadata(MODEL, headers=dict(key))["versions"][0]
        wanted = [triton.InferRequestedOutput("scores", binary_data=False)]
        for asked in ("", version):
            result = client.infer(MODEL, [visited], outputs=wanted, model_version=asked, headers=dict(key))
            assert np.allclose(result.as_numpy("scores"), expected, rtol=1e-5)
        with pytest.raises(InferenceServerException, match="no model 'nobody'"):
            client.infer("nobody", [visited], headers=dict(key))
    finally:
        client.close()


def test_a_killed_worker_is_replaced_by_the_next_cycle(system: System) -> None:
    system.tick()
    killed = system.kill_one()
    summary = system.tick()
    assert summary["reached"] >= 2
    assert killed not in {one["pid"] for one in system.environments()}
    assert system.ask()[0] == 200 and not system.last()["cold"]


def test_a_killed_worker_costs_a_customer_a_wait_and_never_an_answer(system: System) -> None:
    assert system.ask()[0] == 200
    system.kill_one()
    assert system.ask()[0] == 200


@pytest.fixture
def broken(system: System, built: Path, tmp_path: Path) -> Iterator[System]:
    folder = built / "cloud/build/Recommend"
    before = system.publish(corrupted(folder, MODEL, tmp_path))
    yield system
    system.point_at(before)


def test_a_corrupted_pack_is_never_served(broken: System) -> None:
    status, problem = broken.ask()
    assert status == 503
    assert "weights.bin" in problem["detail"] and problem["status"] == 503


def test_the_warmer_is_told_which_model_is_unsound(broken: System) -> None:
    ping = json.dumps({"preheat": {"version": 1, "release_at_ms": 0}}).encode()
    answer = broken.cloud.client("lambda").invoke(
        FunctionName=broken.function, Qualifier="live", Payload=ping
    )
    report = json.loads(answer["Payload"].read())["preheat"]["models"][MODEL]
    assert report["level"] != "HOT" and "weights.bin" in report["problem"]


@pytest.fixture
def neighbour(system: System) -> Iterator[str]:
    """A second target of the warmer's: the same function once more, under a name of its own."""
    functions = system.cloud.client("lambda")
    warmer = system.made.outputs["WarmerFunction"]
    first = functions.get_function(FunctionName=system.function)["Configuration"]
    folder = Path(system.cloud.folder) / "build" / "Recommend"
    functions.create_function(
        FunctionName="second",
        Runtime=first["Runtime"],
        Handler=first["Handler"],
        Role=first["Role"],
        Code={"ZipFile": zipped(folder)},
        Layers=[layer["Arn"] for layer in first["Layers"]],
        MemorySize=first["MemorySize"],
        Timeout=first["Timeout"],
    )
    functions.publish_version(FunctionName="second")
    functions.create_alias(FunctionName="second", Name="live", FunctionVersion="1")
    variables: dict[str, Any] = functions.get_function_configuration(FunctionName=warmer)["Environment"][
        "Variables"
    ]
    targets = f"{variables['WARMER_TARGETS']},second:live"
    functions.update_function_configuration(
        FunctionName=warmer, Environment={"Variables": variables | {"WARMER_TARGETS": targets}}
    )
    yield "second"
    functions.update_function_configuration(FunctionName=warmer, Environment={"Variables": variables})
    functions.delete_function(FunctionName="second")


def test_what_cloudwatch_refuses_of_one_target_is_no_other_targets_trouble(
    system: System, neighbour: str
) -> None:
    system.cloud.inject(service="cloudwatch", match=neighbour, status=500)
    summary = system.tick()
    assert summary["problems"].keys() == {f"{neighbour}:live"}
    assert "GetMetricData" in summary["problems"][f"{neighbour}:live"]
    assert len(system.environments()) >= 2
    assert system.ask()[0] == 200 and not system.last()["cold"]


def zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return buffer.getvalue()
