"""Judging models on simulated frames, and the script that does it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from typer.testing import CliRunner

from linescan.evaluation.shape_from_shading import LightDirection
from linescan.evaluation.surface import SurfaceReport, judge
from linescan.simulation import HELD_OUT_SEEDS
from linescan.training.data import simulated_frame
from scripts.evaluate_surface import app
from tests.depth.checkpoints import save_checkpoint
from tests.depth.onnx_files import write_model

SEEDS = HELD_OUT_SEEDS[:4]
FRAMES = [simulated_frame(seed, 112) for seed in SEEDS]
PAIRS = [(f.image, f.height) for f in FRAMES]


def judged(error: float, sign: float = 1.0) -> SurfaceReport:
    """Judge an oracle that errs by ``error`` times the truth's deviation."""
    heights = iter([f.height for f in FRAMES])
    rng = np.random.default_rng(1)

    def predict(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        height = next(heights)
        noise = error * height.std() * rng.standard_normal(height.shape)
        return (sign * height + noise + 3.75).astype(np.float32)

    return judge(predict, SEEDS, PAIRS, metric=True)


def test_a_perfect_model_scores_zero_and_the_flat_web_one() -> None:
    report = judged(0.0)
    assert report.mean("model") < 1e-4
    assert report.mean("unaligned") < 1e-4
    assert report.mean("constant") == pytest.approx(1.0)
    assert report.ratio < 1e-4
    assert report.right_sign == 1.0


def test_a_worse_model_scores_worse() -> None:
    better, worse = judged(0.3), judged(0.9)
    assert better.mean("model") == pytest.approx(0.3 / np.sqrt(1.09), rel=0.02)
    assert better.mean("model") < worse.mean("model") < 1.0
    assert worse.summary()["mean"]["model"] == worse.mean("model")


def test_a_model_with_the_wrong_sign_is_found_out() -> None:
    report = judged(0.1, sign=-1.0)
    assert report.right_sign == 0.0
    assert report.mean("unaligned") > 1.5


def test_brightness_is_a_poor_height() -> None:
    """The light is no cheat: were brightness height, nothing would have to be learnt."""
    assert judged(0.0).mean("blurred") > 0.8


def test_the_light_makes_shape_from_shading_a_baseline() -> None:
    lights = [LightDirection(0.0, 40.0)] * len(PAIRS)
    report = judge(lambda image: image * np.float32(1), SEEDS, PAIRS, metric=False, lights=lights)
    assert report.baselines == ("constant", "blurred", "shading")
    assert report.shading is not None
    assert 0.2 < report.mean("shading") <= 1.0
    assert report.summary()["shading"]["reach_px"] == report.shading.reach_px
    best = min(report.mean(name) for name in report.baselines)
    assert report.ratio == pytest.approx(report.mean("model") / best)


def test_script_judges_an_exported_file(tmp_path: Path) -> None:
    model, figures = write_model(tmp_path / "gray.onnx"), tmp_path / "figures.json"
    options = [str(model), "--frames", "3", "--size", "112", "--json", str(figures)]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    assert "flat web" in result.output
    written = json.loads(figures.read_text())
    assert [f["seed"] for f in written["frames"]] == list(HELD_OUT_SEEDS[:3])
    assert written["summary"]["frames"] == 3
    # A quarter of the brightness: as good as the baseline without its blur, so not better.
    assert written["summary"]["ratio"] >= 1.0 - 1e-9


def test_script_refuses_what_it_cannot_judge(tmp_path: Path) -> None:
    wrong = str(write_model(tmp_path / "float.onnx", input_type=TensorProto.FLOAT))
    right = str(write_model(tmp_path / "gray.onnx"))
    for given, said in (
        ([str(tmp_path / "none.onnx")], "no such model file"),
        ([wrong], "expected one input"),
        ([right, "--backend", "abacus"], "expected auto"),
        ([right, "--precision", "fp8"], "expected auto"),
        ([right, "--size", "100"], "multiples of 14"),
    ):
        result = CliRunner().invoke(app, given, env={"COLUMNS": "400"})
        assert result.exit_code == 2
        assert said in " ".join(result.output.split())


def test_script_judges_a_checkpoint_as_torch_runs_it(tmp_path: Path) -> None:
    folder, figures = save_checkpoint(tmp_path / "random"), tmp_path / "figures.json"
    options = [str(folder), "--frames", "1", "--size", "56", "--json", str(figures)]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    (frame,) = json.loads(figures.read_text())["frames"]
    assert 0.0 < frame["model"] <= 1.0
    assert frame["unaligned"] > 1.0
