"""The command as users run it: tables, files, exit codes, Ctrl-C."""

from __future__ import annotations

import getpass
import json
import math
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from linescan.benchmark.command import main
from linescan.benchmark.errors import BenchmarkError
from tests.depth.checkpoints import save_checkpoint
from tests.depth.onnx_files import write_model

SHORT = ["--quick", "--frame", "64x96", "--frames", "0", "--threads", "1", "--backend", "cpu"]
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_latency.py"


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linescan.benchmark.limits.N", 128)
    monkeypatch.setattr("linescan.benchmark.limits.COPY_BYTES", 1 << 20)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(write_model(tmp_path / "handmade.onnx"))


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, output and errors."""
    code = main(arguments)
    said = capsys.readouterr()
    return code, " ".join(said.out.split()), said.err


def test_the_json_holds_what_was_promised(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "r.json"
    code, out, _ = run(["--model", model, *SHORT, "--json", str(file)], capsys)
    assert code == 0
    assert "handmade at 28x42, frames of 64x96, 1 threads" in out
    found = json.loads(file.read_text())
    assert found["complete"]
    assert {"backends", "baselines", "stages", "limits", "machine"} <= set(found)
    (backend,) = found["backends"]
    assert backend["name"] == "cpu-fp32"
    assert backend["precision"] == "fp32"
    assert backend["deviation"] == 0.0
    assert backend["within_gate"]
    assert backend["rounds"] == len(backend["samples_ms"]) == 3
    assert 0 < backend["median_ms"] <= backend["p99_ms"] <= backend["max_ms"]
    (baseline,) = found["baselines"]
    assert baseline["name"] == "onnxruntime-fp32"
    ratio = baseline["median_ms"] / backend["median_ms"]
    assert backend["ratio_vs_onnxruntime_fp32"] == pytest.approx(ratio, abs=1e-3)
    assert backend["ratio_vs_transformers"] is None
    assert [missing["name"] for missing in found["not_loaded"]] == ["transformers"]
    assert found["limits"]["fp32_gflops"] > 0
    assert found["limits"]["bf16_gflops"] > 0
    assert found["limits"]["copy_gb_s"] > 0
    assert found["model"]["tokens"] == 2 * 3 + 1
    assert "4.0 is four times as fast" in found["ratio_means"]


def test_results_name_no_machine_no_user_and_no_folder(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "r.json"
    assert run(["--model", model, *SHORT, "--json", str(file)], capsys)[0] == 0
    text = file.read_text()
    for private in (platform.node(), str(tmp_path), str(Path.home()), str(Path.cwd())):
        assert private not in text, private
    assert f'"{getpass.getuser()}"' not in text


def test_reports_and_a_comparison_come_with_it(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, report, plot = (tmp_path / name for name in ("old.json", "r.md", "p.png"))
    assert run(["--model", model, *SHORT, "--json", str(old)], capsys)[0] == 0
    more = ["--compare", str(old), "--markdown", str(report), "--plot", str(plot)]
    code, out, _ = run(["--model", model, *SHORT, "--rounds", "4", *more], capsys)
    assert code == 0
    assert "New over old: below 1 is faster" in out
    assert "settings.rounds differs: 3 before, 4 now" in out
    assert "| cpu-fp32 |" in report.read_text()
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_baselines_can_be_left_out(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "r.json"
    given = ["--model", model, *SHORT, "--no-baselines", "--json", str(file)]
    assert run(given, capsys)[0] == 0
    found = json.loads(file.read_text())
    assert found["baselines"] == found["not_loaded"] == []
    assert found["backends"][0]["ratio_vs_onnxruntime_fp32"] is None


def test_an_incomplete_file_is_refused_before_the_measurement(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps({"format": "linescan-benchmark/1", "complete": True}))
    monkeypatch.setattr("linescan.benchmark.command.Benchmark", None)  # not even begun
    given = ["--model", model, *SHORT, "--compare", str(old), "--json", str(new)]
    code, _, err = run(given, capsys)
    assert code == 2
    assert "old.json: incomplete: settings is missing" in err


def test_files_are_written_before_the_comparison(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "r.json"
    assert run(["--model", model, *SHORT, "--json", str(file)], capsys)[0] == 0
    new = tmp_path / "new.json"

    def fail(*_: object) -> None:
        raise KeyError("what a comparison may lack")

    monkeypatch.setattr("linescan.benchmark.command.print_comparison", fail)
    with pytest.raises(KeyError):
        main(["--model", model, *SHORT, "--compare", str(file), "--json", str(new)])
    assert json.loads(new.read_text())["complete"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--model nobody", "unknown depth model 'nobody'"),
        ("--model there/is/none.onnx", "no such model file"),
        ("--backend vulkan", "--backend vulkan: expected"),
        ("--compare none.json", "none.json: cannot be read"),
        ("--resize-in-model", "--resize-in-model exports a model anew"),
        ("--int8 none.onnx", "no such model file"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    given: str, words: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = given.split()
    base = [] if "--model" in arguments else ["--model", model]
    code, _, err = run([*base, *SHORT, *arguments], capsys)
    assert code == 2
    assert err.startswith("error: ")
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_damaged_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write_model(tmp_path / "whole.onnx")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(whole.read_bytes()[:100])
    code, _, err = run(["--model", str(cut), *SHORT], capsys)
    assert code == 2
    assert "not an ONNX model, or a damaged one" in err


def test_a_pipeline_that_failed_is_no_success(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BenchmarkError("the subscriber was killed by SIGKILL: it gave no reason")

    monkeypatch.setattr("linescan.benchmark.measure.run_stream", fail)
    file = tmp_path / "r.json"
    given = ["--model", model, *SHORT, "--frames", "2", "--no-baselines", "--json", str(file)]
    code, _, err = run(given, capsys)
    assert code == 1
    assert err == (
        "error: the pipeline was not measured: the subscriber was killed by SIGKILL: it gave no "
        "reason\n"
    )
    assert json.loads(file.read_text())["pipeline"]["missing"].startswith("the subscriber")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_ended_run_prints_what_is_there_and_leaves_nothing(
    ending: signal.Signals, model: str, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    file = tmp_path / "r.json"
    command = [sys.executable, str(SCRIPT), "--model", model, *SHORT, "--rounds", "10000"]
    command += ["--json", str(file)]
    child = subprocess.Popen(
        [sys.executable, "-c", WAIT_FOR_ROUNDS, *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(SCRIPT.parents[1]),
            "TMPDIR": str(temporary),
        },
    )
    try:
        assert child.stderr is not None
        for line in child.stderr:
            if line.strip() == "five rounds":
                break
        child.send_signal(ending)
        out, err = child.communicate(timeout=30)
    finally:
        child.kill()
    assert child.returncode == 130, err
    assert "cpu-fp32" in out
    assert "The run was interrupted" in " ".join(out.split())
    found: dict[str, Any] = json.loads(file.read_text())
    assert not found["complete"]
    assert 1 <= found["backends"][0]["rounds"] < 10000
    assert not list(temporary.glob("linescan-*"))


WAIT_FOR_ROUNDS = """
import runpy, sys
from linescan.benchmark import measure

original = measure.race

def race(*args, progress, **kwargs):
    def told(done):
        if done == 5:
            print("five rounds", file=sys.stderr, flush=True)
        progress(done)
    original(*args, progress=told, **kwargs)

measure.race = race
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_checkpoint_is_measured_with_both_baselines_and_the_whole_pipeline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = save_checkpoint(tmp_path / "checkpoint")
    file = tmp_path / "r.json"
    given = f"--model {checkpoint} --size 70 --quick --frame 256x256 --threads 1 --json {file}"
    code, out, _ = run([*given.split(), "--backend", "cpu", "--backend", "openvino-fp32"], capsys)
    assert code == 0, out
    found = json.loads(file.read_text())
    assert {row["name"] for row in found["backends"]} == {"cpu-fp32", "openvino-fp32"}
    medians = {row["name"]: row["median_ms"] for row in found["baselines"]}
    assert set(medians) == {"transformers", "onnxruntime-fp32"}
    for row in found["backends"]:
        for key, name in (
            ("ratio_vs_transformers", "transformers"),
            ("ratio_vs_onnxruntime_fp32", "onnxruntime-fp32"),
        ):
            assert row[key] == pytest.approx(medians[name] / row["median_ms"], abs=1e-3)
        assert row["deviation"] < 1e-3
        assert row["gflops"] == pytest.approx(
            found["model"]["gflop"] / row["model_ms"] * 1e3, rel=0.02, abs=0.1
        )
    pipeline = found["pipeline"]
    assert pipeline["throughput"]["frames"] == 6
    assert pipeline["paced"]["offered_lines_per_s"] == pytest.approx(
        0.7 * pipeline["throughput"]["lines_per_s"], rel=1e-3
    )
    mean = sum(pipeline["bare_engine_frames_per_s"]) / 2
    share = pipeline["throughput"]["frames_per_s"] / mean
    assert pipeline["share_of_bare_engine"] == pytest.approx(share, abs=2e-3)
    assert found["stages"] == pipeline["paced"]["stages"]
    stitch, infer = pipeline["throughput"]["stages"]["stitch"], found["stages"]["infer"]
    assert stitch["bytes_per_frame"] == 2 * math.prod(found["settings"]["frame"])
    assert stitch["share_of_copy"] == pytest.approx(
        stitch["gb_s"] / found["limits"]["copy_gb_s"], rel=1e-2
    )
    assert infer["bytes_per_frame"] is None
    assert found["stages"]["infer"]["items"] >= 1
    assert "not in this pipeline" in out
