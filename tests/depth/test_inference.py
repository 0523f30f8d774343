from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from linescan.config import DepthSection
from linescan.depth import Engine, depth_stages, open_engine, read_card
from linescan.depth.inference import Inference
from linescan.depth.resize import web_map
from linescan.errors import ModelError
from linescan.records import (
    BoolArray,
    Cause,
    Convention,
    Frame,
    Inspection,
    Interval,
    ModelInput,
)
from tests.depth.onnx_files import write_model

SIZE = (28, 42)


def model_input(valid: BoolArray | None = None) -> ModelInput:
    rng = np.random.default_rng(5)
    lines = np.ones(56, np.bool_)
    frame = Frame(np.zeros((56, 84), np.uint8), 1000, lines, 4, 123, stamps={"stitch": 9})
    image = rng.integers(0, 256, SIZE, dtype=np.uint8)
    valid = np.ones(SIZE[0], np.bool_) if valid is None else valid
    return ModelInput(frame, image, valid, web_map((56, 84), SIZE, 1000))


def infer(stage: Inference, item: ModelInput) -> Inspection:
    (result,) = stage.process(item)
    assert isinstance(result, Inspection)
    return result


def test_scale_and_shift_are_applied_and_everything_is_tagged(handmade: Path) -> None:
    stage = Inference(partial(open_engine, handmade, "cpu"))
    stage.setup()
    item = model_input()
    result = infer(stage, item)
    stage.teardown()
    assert result.depth is not None
    np.testing.assert_allclose(result.depth.values, item.image / 4 * 2.0 - 1.5, rtol=1e-6)
    assert result.depth.values.dtype == np.float32
    assert result.depth.values.flags.c_contiguous
    assert (result.depth.scale, result.depth.shift) == (2.0, -1.5)
    assert (result.depth.convention, result.depth.unit) == (Convention.HEIGHT, "relative")
    assert result.depth.confidence is None
    assert result.depth.web is item.web
    assert result.model is not None
    assert (result.model.name, result.model.engine) == ("handmade", "cpu-fp32")
    assert result.model.sha256 == read_card(handmade).sha256
    assert result.frame is item.frame
    assert result.stamps == {"stitch": 9}
    assert result.lines() == (Interval(1000, 56),)
    assert result.segmentation is None


def test_rows_without_valid_lines_are_nan(handmade: Path) -> None:
    valid = np.ones(SIZE[0], np.bool_)
    valid[[0, 5, 6]] = False
    stage = Inference(partial(open_engine, handmade, "cpu"))
    stage.setup()
    depth = infer(stage, model_input(valid)).depth
    assert depth is not None
    assert np.isnan(depth.values[~valid]).all()
    assert np.isfinite(depth.values[valid]).all()
    np.testing.assert_array_equal(depth.valid, valid)
    nothing = infer(stage, model_input(np.zeros(SIZE[0], np.bool_))).depth
    stage.teardown()
    assert nothing is not None
    assert nothing.values.shape == SIZE
    assert np.isnan(nothing.values).all()


def test_a_restarted_stage_opens_a_new_engine_and_closes_the_old_one(handmade: Path) -> None:
    opened: list[Engine] = []

    def opening() -> Engine:
        opened.append(open_engine(handmade, "cpu"))
        return opened[-1]

    stage = Inference(opening)
    with pytest.raises(ModelError, match="not set up"):
        infer(stage, model_input())
    stage.setup()
    stage.setup()
    infer(stage, model_input())
    stage.teardown()
    stage.teardown()
    assert len(opened) == 2
    for engine in opened:
        with pytest.raises(ModelError, match="closed"):
            engine.infer(model_input().image)


def test_what_cannot_be_opened_is_an_error_of_setup(tmp_path: Path) -> None:
    path = write_model(tmp_path / "broken.onnx", divide_by=0.0)
    stage = Inference(partial(open_engine, path, "cpu"))
    with pytest.raises(ModelError, match="not finite"):
        stage.setup()
    stage.teardown()


def test_the_factory_follows_the_configuration(handmade: Path) -> None:
    section = DepthSection(model=str(handmade), backend="cpu", size=(42, 28), threads=1)
    card = read_card(handmade)
    resize, inference = depth_stages(section, card, pitch_mm=(0.2, 0.1), bits=12)
    assert (resize.name, inference.name) == ("resize", "infer")
    assert resize.failure is inference.failure is Cause.INFERENCE_FAILURE
    inference.setup()
    pixels = np.full((200, 100), 1600, np.uint16)
    (item,) = resize.process(Frame(pixels, 50, np.ones(200, np.bool_), 0, 1))
    assert isinstance(item, ModelInput)
    result = infer(inference, item)
    inference.teardown()
    assert result.depth is not None
    np.testing.assert_array_equal(result.depth.values, np.full((42, 28), 100 / 4 * 2 - 1.5))
    assert (result.depth.web.mm_per_line, result.depth.web.mm_per_column) == (0.2, 0.1)
    assert result.depth.web.line_offset == pytest.approx(50 + 0.5 * 200 / 42 - 0.5)


def test_the_factory_says_early_what_is_wrong(tmp_path: Path, model_folder: Path) -> None:
    with pytest.raises(ModelError, match="linescan model export small"):
        read_card("small")
    static = write_model(tmp_path / "static.onnx", (28, 42))
    with pytest.raises(ModelError, match="exported for 28x42 only"):
        depth_stages(DepthSection(size=(56, 56)), read_card(static))
