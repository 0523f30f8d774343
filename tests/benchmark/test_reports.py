"""Tables, report, picture and comparison: what they say of given figures."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from linescan.benchmark.compare import differences, print_comparison, ratios
from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.markdown import report
from linescan.benchmark.plot import draw
from linescan.benchmark.tables import print_results
from tests.benchmark.samples import results, row, stage


def printed(given: dict[str, Any]) -> str:
    console = Console(file=StringIO(), width=160)
    print_results(given, console)
    text = console.file
    assert isinstance(text, StringIO)
    return " ".join(text.getvalue().split())


@pytest.mark.parametrize("show", [printed, report], ids=["table", "markdown"])
def test_everything_that_was_measured_is_shown(show: Any) -> None:
    text = show(results())
    for words in (
        "made-up at 518x518, frames of 2048x2048, 2 threads",
        "A Processor, 2 cores (avx512_bf16)",
        "matrix product fp32 200 GFLOP/s, bf16 800 GFLOP/s; copy 30.0 GB/s",
        "openvino-bf16",
        "transformers",
        "cuda-fp32",
        "built without CUDA",
        "resize by area",
        "not in this pipeline",
        "end to end",
        "98.8% of it",
        "MB a frame",
        "of copy",
        "0.56",
        "1.9%",
        "12.0% at full speed, 10.0% paced",
        "390, 400, 401 MB of the pipeline, 70, 71, 72 MB of the subscriber",
        "Paced at 5,376 lines/s",
        "4.0 is four times as fast",
        "model_ratio: the same of the model alone",
    ):
        assert words in text, words
    assert "busy" not in text
    assert "interrupted" not in text


def test_the_fastest_comes_first() -> None:
    lines = [line for line in report(results()).splitlines() if line.startswith("| ")]
    names = [line.split(" | ")[0].removeprefix("| ") for line in lines[1:5]]
    assert names == ["openvino-bf16", "openvino-fp32", "onnxruntime-fp32", "transformers"]


def test_both_ratios_stand_side_by_side() -> None:
    (line,) = (
        line for line in report(results()).splitlines() if line.startswith("| openvino-bf16")
    )
    assert " | 4.00 | 3.50 | 3.00 | 2.50 | " in line


def test_a_figure_that_cannot_be_trusted_says_so() -> None:
    random = results()
    random["model"]["weights"] = "random"
    assert "deviations, in brackets, mean nothing" in printed(random)
    assert "(0.004)" in printed(random)
    assert "40% of the cores busy" in printed(results(load_of_others={"before": 0.4, "after": 0}))
    assert "interrupted" in printed(results(complete=False))
    off = results(backends=[row("openvino-bf16", 200.0, 0.3)])
    assert "0.3 TOO MUCH" in printed(off)


@pytest.mark.parametrize("show", [printed, report], ids=["table", "markdown"])
def test_what_is_missing_is_no_error(show: Any) -> None:
    nothing = results(model={}, limits={}, backends=[], baselines=[], stages={}, pipeline=None)
    assert "othing was measured" in show(nothing)
    no_pipeline = results(pipeline={"missing": "it ended early"}, stages={})
    assert "The pipeline was not measured: it ended early" in show(no_pipeline)
    unpaced = results()
    unpaced["pipeline"]["paced"] = None
    assert "98.8% of it" in show(unpaced)


@pytest.mark.parametrize("case", ["whole", "no pipeline", "wide range", "off the gate"])
def test_the_picture_is_drawn(case: str, tmp_path: Path) -> None:
    given = results()
    if case == "no pipeline":
        given["pipeline"] = None
    if case == "wide range":
        given["backends"].append(row("tensorrt-fp16", 1.5, 0.001))
    if case == "off the gate":
        given["backends"] = [row("openvino-bf16", 200.0, 0.3)]
    draw(given, tmp_path / "p.png")
    image = cv2.imread(str(tmp_path / "p.png"))
    assert image is not None
    assert image.shape[1] > 1200
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def test_without_figures_there_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="nothing was measured"):
        draw(results(backends=[], baselines=[]), tmp_path / "p.png")
    with pytest.raises(BenchmarkError, match="cannot be written"):
        draw(results(), tmp_path / "no" / "p.png")


def test_comparison_is_new_over_old_for_backends_and_stages() -> None:
    new, old = results(), results()
    new["backends"][0].update(median_ms=100.0, p99_ms=480.0)
    new["backends"].append(row("cuda-fp16", 5.0, 0.0))
    fast = new["pipeline"]["throughput"]
    doubled = stage(2 * fast["stages"]["segment"]["p50_ms"])
    fast["stages"] = {**fast["stages"], "segment": doubled}
    found = ratios(new, old)
    assert found["openvino-bf16"] == {"p50": 0.5, "p95": 1.0, "p99": 2.0}
    assert found["transformers"] == {"p50": 1.0, "p95": 1.0, "p99": 1.0}
    assert found["full speed: segment"]["p50"] == 2.0
    assert found["paced: segment"]["p50"] == 1.0
    assert found["cuda-fp16"] == {"p50": None, "p95": None, "p99": None}
    assert "full speed: correct" not in found


def test_a_paced_run_is_compared_with_a_paced_run_only() -> None:
    new, old = results(), results()
    old["pipeline"]["paced"] = None
    old["stages"] = old["pipeline"]["throughput"]["stages"]
    found = ratios(new, old)
    assert found["full speed: infer"]["p50"] == 1.0
    assert found["paced: infer"]["p50"] is None
    for without in ({"missing": "it failed"}, None):
        assert ratios(new, results(pipeline=without))["full speed: infer"]["p50"] is None


def test_a_comparison_says_under_which_loads_the_paced_runs_were() -> None:
    new = results()
    new["pipeline"]["paced"]["offered_lines_per_s"] = 9000.0
    console = Console(file=StringIO(), width=160)
    print_comparison(new, results(), console)
    assert isinstance(console.file, StringIO)
    text = " ".join(console.file.getvalue().split())
    assert "note: paced stages are under loads of 5,376 lines/s before and 9,000 now" in text


def test_comparison_says_what_differs() -> None:
    new, old = results(), results()
    assert differences(new, old) == []
    new["machine"]["cores"] = 64
    new["settings"]["frame"] = [1024, 1024]
    console = Console(file=StringIO(), width=160)
    print_comparison(new, old, console)
    assert isinstance(console.file, StringIO)
    text = " ".join(console.file.getvalue().split())
    assert "settings.frame differs: [2048, 2048] before, [1024, 1024] now" in text
    assert "machine.cores differs: 2 before, 64 now" in text
    assert "The machines differ" in text
