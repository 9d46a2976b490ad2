"""What runs in containers, looked at without one: the image of the layers, and what `make sam-local` sends where."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from preheat_tools import sam_local

from .translated import translated

ROOT = Path(__file__).parents[2]
BUILDING = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_every_event_goes_to_a_function_that_the_template_has() -> None:
    resources = translated()["Resources"]
    events = {file.stem for file in (ROOT / "events").glob("*.json")}
    assert sam_local.RECEIVERS.keys() <= events
    for function in {"Recommend", *sam_local.RECEIVERS.values()}:
        assert resources[function]["Type"] == "AWS::Lambda::Function"


def test_every_event_goes_where_the_page_of_events_says() -> None:
    page = (ROOT / "events/README.md").read_text()
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `")]
    said = {
        name: function.strip().strip("`").removeprefix("warmer.").capitalize()
        for files, function in rows
        for name in re.findall(r"`([a-z_]+)\.json`", files)
    }
    assert {n: f for n, f in said.items() if f != "Recommend"} == sam_local.RECEIVERS


def test_what_is_left_unset_under_sam_local_are_variables_of_functions() -> None:
    resources = translated()["Resources"]
    for function in ("Warmer", "Burst"):
        assert sam_local.UNSET.keys() <= resources[function]["Properties"]["Environment"]["Variables"].keys()


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        pytest.param({"statusCode": 200, "body": "{}"}, "200 {}", id="of-the-api"),
        pytest.param({"preheat": {"models": {"a": {"level": "HOT"}}}}, "ping: a HOT", id="of-a-ping"),
        pytest.param([], "[]", id="any-other"),
    ],
)
def test_an_answer_is_told_on_a_line(answer: object, line: str) -> None:
    assert sam_local.digest(answer) == line


def test_the_image_has_what_the_layers_have(tmp_path: Path) -> None:
    """The recipe's own loop over the layers, run here rather than in a container."""
    recipe = (ROOT / "layers/inference/Dockerfile").read_text().replace("\\\n", "")
    (loop,) = re.findall(r"^RUN (python=.*)$", recipe, re.MULTILINE)
    here = loop.replace("/layers/", f"{ROOT}/layers/").replace("/built", str(tmp_path))
    tools = f"PATH={Path(sys.executable).parent}:$PATH; "
    subprocess.run(["sh", "-ec", f"{tools}{here}"], check=True, capture_output=True, text=True)
    python = tmp_path / "python"
    assert {"preheat", "numpy", "onnxruntime"} <= {folder.name for folder in python.iterdir()}
    asks = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import onnxruntime, preheat; "
        "print(json.dumps([onnxruntime.__file__, preheat.__file__]))"
    )
    told = subprocess.run(
        [sys.executable, "-ISc", asks, str(python)], check=True, capture_output=True, text=True
    )
    assert all(file.startswith(str(python)) for file in json.loads(told.stdout))
