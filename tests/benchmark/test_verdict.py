"""The verdict of a GPU check: what must hold, and what a failure says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from linescan.benchmark.results import write_json
from linescan.benchmark.verdict import judge, main
from tests.benchmark.samples import results, row

H200 = {"name": "NVIDIA H200", "memory": "1 MiB", "driver": "1", "compute_capability": "9.0"}
T4 = {**H200, "name": "Tesla T4", "compute_capability": "7.5"}


def timed(milliseconds: float, gpu: dict[str, str] = H200) -> dict[str, Any]:
    """Times of a TensorRT engine and of one on the CPU."""
    given = results(
        backends=[row("tensorrt-fp16", milliseconds, None), row("cpu-fp32", 500.0, None)]
    )
    given["machine"]["gpus"] = [gpu]
    return given


def trained(deviation: float) -> dict[str, Any]:
    """The gate's deviations of the same engines."""
    return results(backends=[row("tensorrt-fp16", 1.0, deviation), row("cpu-fp32", 50.0, 0.0)])


def test_a_fast_engine_within_the_gate_holds() -> None:
    verdict = judge([timed(1.4)], trained(0.003), dry_run=False)
    assert verdict.failures == ()
    assert verdict.notes == ("target met by tensorrt-fp16: 1.40 ms, target 2 ms",)


@pytest.mark.parametrize(
    ("first", "gates", "words"),
    [
        (timed(1.4), trained(0.3), "no engine is within the gate"),
        (timed(2.5), trained(0.003), "target not met by tensorrt-fp16: 2.50 ms"),
        (results(), trained(0.003), "neither tensorrt nor cuda ran: cuda-fp32: built without"),
        ({**timed(1.4), "complete": False}, trained(0.003), "was interrupted"),
    ],
    ids=["gate", "target", "no engine", "interrupted"],
)
def test_what_does_not_hold_is_said(
    first: dict[str, Any], gates: dict[str, Any], words: str
) -> None:
    failures = judge([first], gates, dry_run=False).failures
    assert len(failures) == 1
    assert words in failures[0]


def test_the_target_is_for_hopper_and_later() -> None:
    verdict = judge([timed(5.0, T4)], trained(0.003), dry_run=False)
    assert verdict.failures == ()
    assert "set for Hopper-class GPUs" in verdict.notes[0]


def test_in_a_dry_run_the_cpu_stands_in() -> None:
    verdict = judge([results()], results(), dry_run=True)
    assert verdict.failures == ()
    assert "dry run" in verdict.notes[0]
    off = results(backends=[row("openvino-bf16", 1.0, 0.5)])
    assert judge([results()], off, dry_run=True).failures


def test_the_table_and_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small, gates = tmp_path / "small.json", tmp_path / "trained.json"
    write_json(timed(1.4), small)
    write_json(trained(0.003), gates)
    assert main([str(small), "--trained", str(gates)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "tensorrt fp16 2048x2048 1.40 1.68 0.003 yes yes" in out
    assert "cpu fp32 2048x2048 500 600 0 yes –" in out
    assert "did not run: cuda-fp32: built without CUDA" in out
    assert "what must hold holds" in out
    write_json(trained(0.3), gates)
    assert main([str(small), "--trained", str(gates)]) == 1
    assert "FAILED: no engine is within the gate" in capsys.readouterr().out
    assert main([str(tmp_path / "none.json"), "--trained", str(gates)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    ("part", "missing"),
    [("model", "model.name"), ("machine", "machine.cpu"), ("settings", "settings.frame")],
)
def test_a_result_that_lacks_a_part_is_named_without_a_traceback(
    part: str, missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a run leaves it that was interrupted while its model was prepared."""
    whole, cut = tmp_path / "whole.json", tmp_path / "cut.json"
    write_json(results(), whole)
    write_json(results(**{part: {}}), cut)
    for arguments in ([str(cut), "--trained", str(whole)], [str(whole), "--trained", str(cut)]):
        assert main(arguments) == 2
        heard = capsys.readouterr()
        assert heard.out == ""
        assert heard.err == (
            f"error: {cut}: incomplete: {missing} is missing or of another kind: measure it again\n"
        )
