"""What pages have in common: a browser has nothing to complain of, fetches nothing, and their text stands out."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from preheat_tools.cli import main

from tests import browser

pytestmark = pytest.mark.browser
MADE_BY = {
    "advise": ["advise", "--trace", "{trace}", "--html", "{page}"],
    "simulate": ["simulate", "{trace}", "--policy", "none", "--policy", "preheat", "--html", "{page}"],
}


@pytest.fixture(scope="module", params=MADE_BY)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    trace, made = folder / "t.csv", folder / "page.html"
    trace.write_text("series,minute,count\n" + "".join(f"f,{15 * i},4\n" for i in range(8)))
    arguments = [part.format(trace=trace, page=made) for part in MADE_BY[request.param]]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return made


def test_the_console_has_nothing_to_say_and_nothing_is_fetched(page: Path, tmp_path: Path) -> None:
    assert browser.complaints(page, tmp_path / "profile") == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(page: Path, tmp_path: Path, dark: bool) -> None:
    faint, seen = browser.faint(page, tmp_path / "profile", dark=dark)
    assert faint == []
    assert {"h1", "p", "th", "td", "text"} <= seen


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("<img src=http://example.com/a.png>", "Content Security Policy", id="a-picture"),
        pytest.param(
            "<style>@import 'http://example.com/a.css'</style>", "Content Security Policy", id="a-style"
        ),
        pytest.param("<script>nothing.there()</script>", "ReferenceError", id="an-error"),
    ],
)
def test_a_page_that_fetches_or_errs_is_heard(tmp_path: Path, body: str, says: str) -> None:
    page = tmp_path / "bad.html"
    page.write_text(f"<!doctype html><title>t</title><body>{body}")
    assert any(says in line for line in browser.complaints(page, tmp_path / "profile"))


@pytest.mark.parametrize(
    ("dark", "told"),
    [pytest.param(False, ["P grey"], id="light"), pytest.param(True, ["P grey", "text navy"], id="dark")],
)
def test_faint_text_is_found_as_the_reader_s_scheme_colours_it(
    tmp_path: Path, dark: bool, told: list[str]
) -> None:
    page = tmp_path / "faint.html"
    style = "body{background:#fff}@media(prefers-color-scheme:dark){body{background:#111}h1{color:#eee}}"
    page.write_text(
        f"<!doctype html><title>t</title><style>{style}</style><body><h1>plain</h1><p style='color:#777'>grey</p>"
        "<svg><text y=9 fill=#003>navy</text></svg>"
    )
    assert browser.faint(page, tmp_path / "profile", dark=dark)[0] == told
