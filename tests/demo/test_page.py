from __future__ import annotations

import re
from pathlib import Path

import pytest
from preheat_tools.demo.figures import Half
from preheat_tools.demo.page import write_page
from preheat_tools.demo.player import Answered
from preheat_tools.demo.release import Release
from preheat_tools.demo.story import First, Story
from preheat_tools.demo.summary import firsts_table, summary
from preheat_tools.demo.usual import Start, starts
from preheat_tools.localcloud.canary import Outcome
from rich.console import Console

from tests import browser


def half(colds: int, pings: int) -> Half:
    """Twenty requests a minute apart, the first of them cold."""
    answered = [
        Answered(at_s=60.0 * i, model="short_form", status=200, took_ms=900.0 if i < colds else 5.0)
        for i in range(20)
    ]
    requests = [
        {
            "kind": "request",
            "cold": i < colds,
            "billed_ms": 9,
            "init_ms": 0,
            "duration_ms": 9,
            "started_s": 1000 + 60.0 * i,
        }
        for i in range(20)
    ]
    sent = [
        {
            "kind": "ping",
            "cold": False,
            "billed_ms": 9,
            "init_ms": 0,
            "duration_ms": 9,
            "started_s": 1030 + 300.0 * i,
        }
        for i in range(pings)
    ]
    return Half(answered=answered, invocations=[*requests, *sent], began_s=1000.0)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    story = Story(compression=60.0, memory_mb=1769, cold=half(7, 0), warm=half(1, 4), first_cycle_s=90.0)
    story.firsts = [First(model="<b>short_form</b>", cold_ms=300.0, warm_ms=4.0)]
    story.starts = {"<b>short_form</b>": Start(usual_ms=500.0, host_ms=125.0)}
    story.bursts = {"without": half(8, 0), "with": half(0, 0)}
    stopped = Outcome(old="1", new="2", stopped="BeforeAllowTraffic: Failed")
    story.releases = {
        "wrong": Release(outcome=stopped, half=half(0, 0), met=0),
        "good": Release(outcome=Outcome(old="1", new="3"), half=half(1, 0), met=12),
    }
    path = tmp_path / "demo.html"
    write_page(path, story, summary(story))
    return path


def test_the_page_fetches_nothing(page: Path) -> None:
    assert not re.findall(r"(?:https?:)?//|\bsrc=|@import|url\(", page.read_text())


def test_the_page_says_how_each_deployment_ended(page: Path) -> None:
    _, table = page.read_text().split("Deployments, while customers ask")
    found = [re.findall(r"<td>([^<]*)", row) for row in table.split("<tr>")[2:]]
    assert [(row[:5], row[-1].strip()) for row in found] == [
        (["wrong", "20", "0", "0", "0"], "BeforeAllowTraffic: Failed"),
        (["good", "20", "12", "0", "1"], "took over"),
    ]


@pytest.mark.browser
def test_a_browser_shows_every_request_and_ping_and_the_table(page: Path, tmp_path: Path) -> None:
    document = browser.document(page, tmp_path / "profile")
    without, warmed = document.split("The warmer ticks")
    assert (without.count('class="cold"'), without.count('class="warm"')) == (7, 13)
    warmed, table, _ = warmed.split("<table>")
    assert (warmed.count('class="cold"'), warmed.count('class="warm"'), warmed.count('class="ping"')) == (
        1,
        19,
        4,
    )
    assert re.search(r"with, after the first cycle</td><td>18</td><td>0</td>", table)


@pytest.mark.browser
def test_the_page_has_a_light_and_a_dark_face(page: Path, tmp_path: Path) -> None:
    light = browser.picture(page, tmp_path / "profile", tmp_path / "light.png", dark=False)
    dark = browser.picture(page, tmp_path / "profile", tmp_path / "dark.png", dark=True)
    assert light != dark


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_its_text_stands_out_in_both_faces(page: Path, tmp_path: Path, dark: bool) -> None:
    faint, seen = browser.faint(page, tmp_path / "profile", dark=dark)
    assert faint == []
    assert {"text", "td", "p"} <= seen


@pytest.mark.browser
def test_the_browser_has_nothing_to_complain_of(page: Path, tmp_path: Path) -> None:
    assert browser.complaints(page, tmp_path / "profile") == []


def test_each_model_is_started_the_usual_way_too_and_both_answer_as_they_should(tmp_path: Path) -> None:
    packs = Path(__file__).parents[2] / "functions/recommend/models"
    said: list[float] = []
    found = starts(packs, ["trending"], lambda share, _line: said.append(share))
    assert found["trending"].host_ms > 0 and found["trending"].usual_ms > 0
    assert said == [0.0, 0.0, 0.0]


def test_the_table_says_how_many_times_sooner(capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        "first_requests": [{"model": "a", "cold_ms": 140.0, "warm_ms": 5.0}],
        "process_starts": {"a": {"usual_ms": 500.0, "host_ms": 125.0}},
    }
    Console(width=120).print(firsts_table(found))
    (row,) = [line for line in capsys.readouterr().out.splitlines() if " a " in line and "140" in line]
    assert re.findall(r"[\d.]+", row) == ["140", "5.0", "500", "125", "4.0"]
