"""Arithmetic of the figures: percentiles, ratios, shares, the gate, the choice of the fastest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linescan.benchmark.durations import in_ms, percentiles
from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.results import (
    FORMAT,
    fastest,
    pipeline_part,
    read_json,
    relate,
    write_json,
)
from linescan.benchmark.stream import outside_over_model
from tests.benchmark.samples import results, row, run, stage

LIMITS = {"fp32_gflops": 200.0, "bf16_gflops": 800.0, "cuda": {"fp16_gflops": 1000.0}}


def test_percentiles_are_in_milliseconds() -> None:
    ns = [n * 1_000_000 for n in range(1, 102)]
    figures = percentiles(ns)
    assert figures == {
        "median_ms": 51.0,
        "p95_ms": 96.0,
        "p99_ms": 100.0,
        "max_ms": 101.0,
        "min_ms": 1.0,
    }
    assert in_ms([1_234_567]) == [1.235]


def test_a_ratio_is_the_baselines_median_over_ours() -> None:
    ours = [row("openvino-bf16", 200.0, 0.004), row("cpu-fp32", 640.0, 0.0)]
    theirs = [row("transformers", 800.0, None), row("onnxruntime-fp32", 500.0, None)]
    relate(ours, theirs, gflop=80.0, limits=LIMITS, tolerance=0.02)
    assert [r["ratio_vs_transformers"] for r in ours] == [4.0, 1.25]
    assert [r["ratio_vs_onnxruntime_fp32"] for r in ours] == [2.5, 0.781]
    assert theirs[0]["ratio_vs_transformers"] == 1.0


def test_the_models_ratio_leaves_out_what_either_does_around_it() -> None:
    ours = [row("openvino-bf16", 200.0, 0.004, model_ms=160.0)]
    theirs = [
        row("transformers", 800.0, None, model_ms=400.0),
        row("onnxruntime-fp32", 500.0, None, model_ms=480.0),
    ]
    relate(ours, theirs, gflop=80.0, limits=LIMITS, tolerance=0.02)
    assert ours[0]["ratio_vs_transformers"] == 4.0
    assert ours[0]["model_ratio_vs_transformers"] == 2.5
    assert ours[0]["model_ratio_vs_onnxruntime_fp32"] == 3.0
    assert theirs[0]["model_ratio_vs_transformers"] == 1.0
    relate(ours, theirs[1:], gflop=80.0, limits=LIMITS, tolerance=0.02)
    assert ours[0]["model_ratio_vs_transformers"] is None


def test_a_ratio_to_a_baseline_that_did_not_run_is_none() -> None:
    ours = [row("cpu-fp32", 640.0, 0.0)]
    relate(ours, [row("onnxruntime-fp32", 320.0, None)], gflop=80.0, limits={}, tolerance=0.02)
    assert ours[0]["ratio_vs_transformers"] is None
    assert ours[0]["ratio_vs_onnxruntime_fp32"] == 0.5


def test_arithmetic_is_held_against_the_limit_of_its_precision_and_device() -> None:
    ours = [
        row("openvino-bf16", 210.0, 0.0, model_ms=200.0),
        row("openvino-bf16_mixed", 210.0, 0.0, model_ms=200.0),
        row("cpu-fp32", 810.0, 0.0, model_ms=800.0),
        row("cuda-fp16", 200.0, 0.0, model_ms=160.0),
        row("tensorrt-bf16", 200.0, 0.0, model_ms=160.0),
        row("openvino-int8", 100.0, 0.0, model_ms=100.0),
    ]
    relate(ours, [], gflop=80.0, limits=LIMITS, tolerance=0.02)
    assert [r["gflops"] for r in ours] == [400.0, 400.0, 100.0, 500.0, 500.0, 800.0]
    assert [r["share_of_limit"] for r in ours] == [0.5, 0.5, 0.5, 0.5, None, None]


def test_the_gate_is_judged_where_deviations_mean_something() -> None:
    ours = [row("a", 1.0, 0.02), row("b", 1.0, 0.021), row("c", 1.0, None)]
    relate(ours, [], gflop=1.0, limits=LIMITS, tolerance=0.02)
    assert [r["within_gate"] for r in ours] == [True, False, None]
    relate(ours, [], gflop=1.0, limits=LIMITS, tolerance=None)
    assert [r["within_gate"] for r in ours] == [None, None, None]


def test_the_fastest_is_one_that_may_be_used() -> None:
    off = row("openvino-bf16", 100.0, 0.5)
    good = row("openvino-fp32", 200.0, 0.001)
    unjudged = row("cpu-fp32", 150.0, None)
    assert fastest([off, good]) is good
    assert fastest([off, good, unjudged]) is unjudged
    assert fastest([off]) is None
    assert fastest([]) is None


def test_share_of_the_bare_engine_is_of_its_rate_before_and_after() -> None:
    part = pipeline_part(run("throughput", None), None, [4.0, 6.0], {"throughput": 0.1})
    assert part["share_of_bare_engine"] == 0.8
    assert part["paced"] is None


def test_outside_the_model_leaves_out_the_way_to_the_subscriber_and_what_waits() -> None:
    stages = {
        "acquire": stage(10.0),
        "correct": None,
        "infer": stage(100.0),
        "segment": stage(5.0),
        "receive": stage(70.0),
        "end_to_end": stage(700.0),
    }
    assert outside_over_model(stages) == 0.15
    assert outside_over_model(stages, waits=("acquire",)) == 0.05
    assert outside_over_model({"infer": None}) is None


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_json(results(), tmp_path / "r.json")
    assert read_json(tmp_path / "r.json") == results()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("not json", "not a JSON file"),
        ("[]", "not a result of this benchmark"),
        (json.dumps({"format": "linescan-benchmark/99"}), "not a result of this benchmark"),
        (b"\xff\xfe", "not a JSON file"),
        (json.dumps({"format": FORMAT}), "incomplete: complete is missing"),
        (json.dumps(results(machine=None)), "incomplete: machine is missing"),
        (json.dumps(results(model={})), "incomplete: model.name is missing"),
        (json.dumps(results(settings={"frame": [1], "resize_in_model": False})), "settings.frame"),
        (json.dumps(results(machine={"cpu": "A", "gpus": [{}]})), r"machine.gpus\[0\].name"),
        (json.dumps(results(not_loaded=["cuda"])), r"incomplete: not_loaded\[0\] is"),
        (
            json.dumps(results(backends=[{**row("a", 1.0, None), "deviation": "1"}])),
            r"\[0\].deviation",
        ),
        (json.dumps(results(pipeline={"paced": run("paced", None)})), "paced.offered_lines_per_s"),
        (json.dumps(results(backends=[{"name": "a"}])), r"incomplete: backends\[0\].precision"),
        (
            json.dumps(results(baselines=[row("a", 1.0, None, p99_ms="1")])),
            r"incomplete: baselines\[0\].p99_ms",
        ),
        (json.dumps(results(pipeline={"paced": {}})), "pipeline.paced.offered_lines_per_s"),
        (
            json.dumps(results(pipeline={"paced": {**run("paced", 1.0), "stages": {"infer": {}}}})),
            "pipeline.paced.stages.infer.p50_ms",
        ),
    ],
)
def test_a_file_that_is_no_result_is_named(
    tmp_path: Path, content: str | bytes | None, words: str
) -> None:
    path = tmp_path / "old.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content)
    with pytest.raises(BenchmarkError, match=words) as error:
        read_json(path)
    assert str(path) in str(error.value)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="cannot be written"):
        write_json(results(), tmp_path / "no" / "folder.json")
