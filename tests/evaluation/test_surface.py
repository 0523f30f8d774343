"""Judging models on simulated frames, and the script that does it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from linescan.errors import ModelError
from linescan.evaluation.surface import SurfaceReport, judge, onnx_predictor
from linescan.simulation import HELD_OUT_SEEDS
from linescan.training.data import simulated_frame
from scripts.evaluate_surface import app

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


def write_onnx(path: Path, kind: int) -> None:
    """Write a model that returns its input as float32."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    shape = [1, 1, 112, 112]
    node = helper.make_node("Cast", ["x"], ["y"], to=onnx.TensorProto.FLOAT)
    graph = helper.make_graph(
        [node],
        "identity",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)


def test_script_judges_an_onnx_file(tmp_path: Path) -> None:
    model, figures = tmp_path / "grey.onnx", tmp_path / "figures.json"
    write_onnx(model, 2)
    np.testing.assert_array_equal(onnx_predictor(model)(FRAMES[0].image), FRAMES[0].image)
    options = [str(model), "--frames", "3", "--size", "112", "--json", str(figures)]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    assert "flat web" in result.output
    written = json.loads(figures.read_text())
    assert [f["seed"] for f in written["frames"]] == list(HELD_OUT_SEEDS[:3])
    assert written["summary"]["frames"] == 3
    # Brightness itself: as good as the baseline without its blur, so not better than that.
    assert written["summary"]["ratio"] >= 1.0 - 1e-9


def test_script_refuses_what_it_cannot_judge(tmp_path: Path) -> None:
    missing = CliRunner().invoke(app, [str(tmp_path / "none.onnx")])
    assert missing.exit_code == 2
    assert "there is no" in missing.output
    model = tmp_path / "float.onnx"
    write_onnx(model, 1)
    with pytest.raises(ModelError, match="uint8"):
        onnx_predictor(model)
