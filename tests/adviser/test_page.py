"""The reports as a browser shows them: readable in both faces, on a phone too, and fetching nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from preheat_tools.adviser.advice import Advice
from preheat_tools.adviser.page import page
from preheat_tools.adviser.prices import Range
from preheat_tools.adviser.savings import saved
from preheat_tools.adviser.savings_page import page as savings_page
from preheat_tools.adviser.strategies import TITLES

from tests import browser
from tests.adviser.test_savings import A, B, burst, line

PAGES = ("report", "crowded", "savings_report")


@pytest.fixture
def report(advice: Advice, tmp_path: Path) -> Path:
    """A function with a hostile name, of which SnapStart is ruled out."""
    ruled = [
        replace(one, barred="it mounts EFS" if one.name == "snapstart" else "") for one in advice.strategies
    ]
    path = tmp_path / "advice.html"
    path.write_text(page(replace(advice, subject="<b>f</b>", strategies=ruled)), encoding="utf-8")
    return path


@pytest.fixture
def crowded(advice: Advice, tmp_path: Path) -> Path:
    """Every strategy has a stretch of prices, most of them short; amounts are large."""
    spans = [Range(from_usd=0.001 * 1.3**i if i else 0.0, name=name) for i, name in enumerate(TITLES)]
    dear = [
        replace(one, cost_usd=one.cost_usd * 1e5, cold_starts=one.cold_starts * 1e5)
        for one in advice.strategies
    ]
    path = tmp_path / "crowded.html"
    path.write_text(page(replace(advice, ranges=spans, strategies=dear)), encoding="utf-8")
    return path


@pytest.fixture
def savings_report(tmp_path: Path) -> Path:
    """Savings, a loss and a dry run, one by a target with the longest name there is."""
    log = [line(A, 0.0), line(A, 300.0), line(B, 0.0, spared=90.0), burst("a:live", 2)]
    log += [line(B, 9.0, dry_run=True), line(replace(A, function="x" * 64), 0.0, spared=-0.4)]
    path = tmp_path / "savings.html"
    path.write_text(savings_page(saved(log)), encoding="utf-8")
    return path


def test_the_report_fetches_nothing_and_trusts_no_name(report: Path) -> None:
    text = report.read_text()
    assert not re.findall(r"(?:https?:)?//|\bsrc=|@import|url\(|<script", text)
    assert "<b>f" not in text and "&lt;b&gt;f" in text and "A note &amp; more." in text


def test_the_report_has_the_settings_and_what_is_ruled_out(report: Path) -> None:
    text = report.read_text()
    assert "make deploy SETTINGS=" in text and "--tags preheat=live" in text and "4,096 MB" in text
    assert text.count("it mounts EFS") == 2  # in the picture and in the table


@pytest.mark.browser
def test_a_browser_shows_every_strategy_and_marks_the_best(
    report: Path, advice: Advice, tmp_path: Path
) -> None:
    document = browser.document(report, tmp_path / "profile")
    bars = document.partition("<svg")[2].partition("</svg>")[0]
    assert bars.count(" wait</text>") + bars.count("· least</text>") == len(advice.strategies) - 1
    assert document.count('<tr class="best">') == 2  # of the strategies, of the sizes


@pytest.mark.browser
@pytest.mark.parametrize("width", [1000, 500], ids=["desk", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overlaps_or_is_cut_off(
    name: str, width: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    found = browser.astray(request.getfixturevalue(name), tmp_path / "profile", width=width)
    assert found == {"overlapping": [], "cut": [], "wide": []}


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_all_text_stands_out(name: str, dark: bool, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    faint, seen = browser.faint(request.getfixturevalue(name), tmp_path / "profile", dark=dark)
    assert faint == [] and {"h1", "p", "td", "text"} <= seen


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_the_console_has_nothing_to_say_and_nothing_is_fetched(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert browser.complaints(request.getfixturevalue(name), tmp_path / "profile") == []


@pytest.mark.browser
def test_what_is_laid_out_badly_is_found(tmp_path: Path) -> None:
    page = tmp_path / "poor.html"
    page.write_text(
        "<!doctype html><body><div style='width:3000px'>wide</div><svg viewBox='0 0 100 50' width=100>"
        "<text x=5 y=20>one</text><text x=9 y=22>two</text><text x=90 y=45>cut off</text></svg>"
    )
    assert browser.astray(page, tmp_path / "profile", width=1000) == {
        "overlapping": ["one / two"], "cut": ["cut off"], "wide": ["the page"],
    }  # fmt: skip


@pytest.mark.browser
def test_the_report_has_a_light_and_a_dark_face(report: Path, tmp_path: Path) -> None:
    light = browser.picture(report, tmp_path / "profile", tmp_path / "light.png", dark=False)
    dark = browser.picture(report, tmp_path / "profile", tmp_path / "dark.png", dark=True)
    assert light != dark
