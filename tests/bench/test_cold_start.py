"""The benchmark's rows, ratios and JSON, and one true start of a small pack by each of Preheat's paths."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from preheat.pack import read_pack
from preheat_tools.bench.catalog import named
from preheat_tools.bench.cold_start import Cache, Row, Run, Variant, in_memory_still, measure
from preheat_tools.bench.report import RATIOS, as_json
from preheat_tools.bench.techniques import TECHNIQUES, measure_techniques, print_techniques
from preheat_tools.cli import main
from rich.console import Console

from ..runtime.packs import rewrite_manifest, write_pack


def _row(variant: str, ms: float, *, imports: bool = False, cache: str = "warm") -> Row:
    run = Run(first_answer_ms=ms, phases_ms={"interpreter": 10.0, "answer": ms - 10}, steady_ms=1.0)
    return Row(
        model="rec", bytes=7, cache=cache, variant=Variant(name=variant, imports=imports), runs=(run,) * 3
    )


ROWS = [
    _row("torch_naive", 1300, imports=True),
    _row("onnxruntime_naive", 460, imports=True),
    _row("preheat_plain", 90),
    _row("preheat_fast", 40),
    _row("preheat_fast", 170, imports=True),
    _row("limit", 20),
]


def test_the_ratios_are_those_of_issue_4():
    assert [ratio.of(ROWS) for ratio in RATIOS[:4]] == [460 / 40, 1300 / 40, 40 / 20, 460 / 170]


def test_a_ratio_whose_variant_was_not_measured_is_none():
    assert RATIOS[1].of(ROWS[1:]) is None


def test_the_json_has_one_row_a_variant_model_and_cache():
    rows = as_json("a machine", ROWS, [], {})["rows"]
    assert isinstance(rows, list)
    assert [row["variant"] for row in rows] == [
        "torch_naive",
        "onnxruntime_naive",
        "preheat_plain",
        "preheat_fast",
        "limit",
    ]
    assert rows[3] == {
        "model": "rec",
        "bytes": 7,
        "cache": "warm",
        "variant": "preheat_fast",
        "first_answer_ms": {"median": 40, "min": 40, "max": 40, "n": 3},
        "phases": {"interpreter": 10.0, "answer": 30.0},
        "steady_ms": 1.0,
    }


def test_every_variant_but_torch_starts_answers_and_verifies_a_small_model(tmp_path: Path):
    folder = tmp_path / "small"
    pack = write_pack(folder, "pack")
    (pack / "weights.bin").write_bytes(bytes(100_000))
    (folder / "naive.onnx").write_bytes((pack / "model.onnx").read_bytes())
    with np.load(pack / "golden.npz") as golden:
        samples = {"0.in.visited": golden["0.in.visited"], "0.out.answer": golden["0.out.scores"]}
    np.savez(folder / "samples.npz", **samples)
    names = ("onnxruntime_naive", "preheat_plain", "preheat_fast", "limit")
    variants = [Variant(name=name, imports=name == "onnxruntime_naive") for name in names]
    rows = measure(folder, variants, Cache(), 1, lambda _: None)
    assert [row.variant for row in rows] == variants
    for row in rows:
        assert 0 < row.median_ms == pytest.approx(sum(row.runs[0].phases_ms.values()))
        assert row.bytes == 100_000 and row.steady_ms > 0
    assert rows[-1].median_ms > rows[0].steady_ms


def test_a_wrong_answer_fails_the_benchmark(tmp_path: Path):
    folder = tmp_path / "wrong"
    write_pack(folder, "pack", wrong_by=1.0)
    with pytest.raises(RuntimeError, match="golden is"):
        measure(folder, [Variant(name="preheat_fast", imports=False)], Cache(), 1, lambda _: None)


def test_the_benchmark_itself_maps_no_library_that_a_start_is_to_find_on_the_disk():
    code = (
        "import sys, preheat_tools.bench.command, preheat_tools.bench.cold_start, preheat_tools.bench.lambda_start\n"
        "import preheat_tools.bench.report, preheat_tools.bench.disk, preheat_tools.pack.measure\n"
        "print(*({'numpy', 'onnxruntime', 'torch', 'boto3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_library_that_some_process_runs_is_said_to_be_in_memory():
    import numpy._core._multiarray_umath as running

    assert Path(running.__file__).name in in_memory_still()


def test_an_unknown_model_is_a_usage_error_that_names_the_known():
    with pytest.raises(ValueError, match="rec, minilm, resnet50, big, was given: bert"):
        named("bert")
    result = CliRunner().invoke(main, ["bench", "cold-start", "--models", "bert"])
    assert (result.exit_code, "was given: bert" in result.output) == (2, True)


def test_inside_awslambdaric_init_and_first_invocation_are_measured(tmp_path: Path):
    pytest.importorskip("awslambdaric")
    from preheat_tools.bench.runtime_api import FailedInvocationError, environment

    (tmp_path / "app.py").write_text(
        "import os\ndef handler(event, _):\n    return {'seen': event['n'] + os.environ['A']}\n"
    )
    with environment("app.handler", tmp_path, {"A": "!"}) as started:
        assert started.init_ms > 0
        took_ms, answer = started.invoke({"n": "1"})
        assert (took_ms > 0, answer) == (True, {"seen": "1!"})
        with pytest.raises(FailedInvocationError, match="KeyError"):
            started.invoke({})
    assert started.process.poll() is not None
    with (
        environment("missing.handler", tmp_path, {}) as started,
        pytest.raises(FailedInvocationError, match="missing"),
    ):
        started.invoke({})


def test_each_technique_is_left_out_alone_and_every_start_still_answers(tmp_path: Path):
    folder = tmp_path / "small"
    pack = write_pack(folder, "pack")
    manifest = read_pack(pack).manifest
    (pack / "weights.bin").write_bytes(bytes(100_000))
    rewrite_manifest(pack, manifest)
    rows = measure_techniques(folder, Cache(), 1, lambda _: None)
    assert [row.variant for row in rows[2:]] == [technique.without for technique in TECHNIQUES]
    assert all(row.median_ms > 0 for row in rows)
    assert not (folder / "within/pack/weights.bin").exists()
    console = Console(record=True, width=200)
    print_techniques(console, rows)
    text = console.export_text()
    assert all(technique.title in text for technique in TECHNIQUES)
    assert text.count("x)") == len(TECHNIQUES)


def test_the_last_ratio_is_a_later_answers_after_a_ping():
    fast = replace(_row("preheat_fast", 40).runs[0], pinged_ms=1.5)
    rows = [*ROWS[:3], replace(ROWS[3], runs=(fast,) * 3), *ROWS[4:]]
    assert RATIOS[-1].of(rows) == 1.5
