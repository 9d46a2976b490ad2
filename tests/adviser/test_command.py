"""`preheat advise` on a trace: what it prints and writes, and how it refuses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from preheat_tools.adviser.advice import Advice
from preheat_tools.adviser.tables import print_advice, table
from preheat_tools.cli import main

HEADER = "series,minute,count\n"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["advise", *arguments])


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(HEADER + "".join(f"f,{15 * i},4\n" for i in range(8)))
    return path


def test_the_command_writes_what_it_promises(trace: Path, tmp_path: Path) -> None:
    files = (tmp_path / "a.json", tmp_path / "a.html")
    result = run("--trace", str(trace), "--json", str(files[0]), "--html", str(files[1]))
    assert result.exit_code == 0, result.output
    body = json.loads(files[0].read_text())
    assert {
        "strategies",
        "best",
        "break_even_usd",
        "ranges",
        "settings",
        "assumptions",
        "offers",
    } <= body.keys()
    assert files[1].read_text().startswith("<!doctype html>")
    assert "make deploy SETTINGS='" in result.output


def test_every_column_has_a_heading(advice: Advice, capsys: pytest.CaptureFixture[str]) -> None:
    print_advice(advice)
    said = capsys.readouterr().out
    heads = [cell.strip() for cell in said.splitlines()[2].strip("┃").split("┃")]
    own = next(row for row in said.splitlines() if "one ping" in row).strip("│").split("│")
    assert len(heads) == len(own)
    shown = dict(zip(heads, (cell.strip() for cell in own), strict=True))
    ping = advice.strategy("ping")
    assert shown["p99.9 ms"] == f"{ping.p999_ms:,.0f}"
    assert shown["with waiting at $0.001"] == f"{advice.total_usd(ping):,.2f}"


def test_a_row_that_does_not_fit_its_headings_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 cells under 2 columns"):
        table("t", ("a", "b"), [("1", "2", "3")])


def test_one_architecture_is_cheaper(trace: Path, tmp_path: Path) -> None:
    bills = []
    for architecture in ("x86_64", "arm64"):
        out = tmp_path / f"{architecture}.json"
        result = run("--trace", str(trace), "--architecture", architecture, "--json", str(out))
        assert result.exit_code == 0, result.output
        bills.append(json.loads(out.read_text())["strategies"][0]["cost_usd"])
    assert bills[1] < bills[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param((), "one of the two", id="neither-target-nor-trace"),
        pytest.param(("f:live", "--trace", __file__), "one of the two", id="both"),
        pytest.param(("--trace", __file__), "test_command.py", id="no-trace"),
        pytest.param(("nocolon",), "function:alias", id="no-alias"),
        pytest.param(("a:live,b:live",), "one function:alias", id="several"),
        pytest.param(("--trace", "nowhere.csv"), "nowhere.csv", id="no-file"),
    ],
)
def test_bad_input_is_told(arguments: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    result = run(*arguments)
    assert result.exit_code != 0 and says in result.output


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEADER + "f,zero,4\n", id="a-minute-that-is-no-number"),
        pytest.param(HEADER + "f,3,nan\n", id="nan"),
        pytest.param(HEADER + "f,3\n", id="a-short-row"),
        pytest.param(HEADER + "f,0,5\nf,70,-4\n", id="a-count-below-0"),
        pytest.param("fn,1,2\nf,1,nan\n", id="nan-in-a-wide-row"),
        pytest.param("t_s\nnoon\n", id="an-instant-that-is-no-number"),
    ],
)
def test_a_trace_with_a_bad_value_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    result = run("--trace", str(path))
    assert result.exit_code == 1 and result.output.startswith("Error: ") and "bad.csv" in result.output


def test_a_gzip_that_is_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv.gz"
    path.write_bytes(gzip.compress((HEADER + "f,1,1\n" * 5000).encode())[:-40])
    result = run("--trace", str(path))
    assert result.exit_code == 1 and "bad.csv.gz" in result.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"memory_mb": 1769}]', "must be a JSON list"),
        ("nothing", "must be a JSON list"),
        ('[{"memory_mb": 64, "init_ms": 1, "service_ms": 1}]', "128 to 10240"),
        ('[{"memory_mb": 1769, "init_ms": 0, "service_ms": 1}]', "times above 0"),
    ],
)
def test_sizes_that_are_none_are_told(text: str, says: str, trace: Path, tmp_path: Path) -> None:
    sizes = tmp_path / "sizes.json"
    sizes.write_text(text)
    result = run("--trace", str(trace), "--sizes", str(sizes))
    assert result.exit_code == 1 and says in result.output and "sizes.json" in result.output
