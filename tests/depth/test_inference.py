from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from linescan.config import DepthSection
from linescan.depth import Engine, depth_stages, open_engine, read_card
from linescan.depth.framing import Framing, Plan, Size
from linescan.depth.inference import Inference
from linescan.depth.warm_up import FrameCost
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
    web = Plan((56, 84), SIZE, SIZE).web_map(1000)
    return ModelInput(frame, image, valid, web)


def stage_of(path: Path, **section: object) -> Inference:
    framing = Framing(DepthSection.model_validate(section), read_card(path), (56, 84))
    return Inference(lambda size: open_engine(path, "cpu", size=size), framing)


def infer(stage: Inference, item: ModelInput) -> Inspection:
    (result,) = stage.process(item)
    assert isinstance(result, Inspection)
    return result


def test_scale_and_shift_are_applied_and_everything_is_tagged(handmade: Path) -> None:
    stage = stage_of(handmade)
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
    stage = stage_of(handmade)
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

    def opening(size: Size) -> Engine:
        opened.append(open_engine(handmade, "cpu", size=size))
        return opened[-1]

    stage = Inference(opening, Framing(DepthSection(), read_card(handmade), (56, 84)))
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
    stage = stage_of(path)
    with pytest.raises(ModelError, match="not finite"):
        stage.setup()
    stage.teardown()


def test_the_factory_follows_the_configuration(handmade: Path) -> None:
    section = DepthSection(model=str(handmade), backend="cpu", size=(42, 28), threads=1)
    card = read_card(handmade)
    resize, inference = depth_stages(section, card, (200, 100), pitch_mm=(0.2, 0.1), bits=12)
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
        depth_stages(DepthSection(size=(56, 56)), read_card(static), (56, 56))


@pytest.mark.parametrize("mode", ["resize", "letterbox", "tile"])
def test_every_mode_gives_the_models_depth_at_the_right_place(handmade: Path, mode: str) -> None:
    """A ramp across the web comes out as that ramp, in the model's unit, wherever it is cut."""
    section = DepthSection.model_validate(
        {"model": str(handmade), "backend": "cpu", "mode": mode, "tile": 60, "size": (28, 42)}
    )
    pixels = np.tile(np.linspace(10, 240, 500), (100, 1)).astype(np.uint8)
    pixels[::7] = pixels[::7] // 2  # stripes, so that every tile has structure
    costs: list[FrameCost] = []
    resize, inference = depth_stages(section, read_card(handmade), (100, 500), report=costs.append)
    inference.setup()
    (item,) = resize.process(Frame(pixels, 0, np.ones(100, np.bool_), 0, 1))
    assert isinstance(item, ModelInput)
    began = time.perf_counter_ns()
    depth = infer(inference, item).depth
    took = time.perf_counter_ns() - began
    inference.teardown()
    steps = inference.steps
    assert list(steps) == (["infer", "align"] if mode == "tile" else [])
    assert all(step.count == 1 and step.total_ns > 0 for step in steps.values())
    assert sum(step.total_ns for step in steps.values()) <= took
    assert depth is not None
    assert depth.values.shape == item.image.shape
    expected = item.image / 4 * 2.0 - 1.5
    assert np.abs(depth.values - expected).max() <= 0.02 * expected.std()
    assert (depth.confidence is None) == (mode != "tile")
    (cost,) = costs
    assert cost.ms > cost.align_ms
    assert (cost.align_ms > 0) == (mode == "tile")
    assert cost.gflop is None  # its weights have no names that tell
    assert cost.tokens == sum(r * c // 196 + 1 for r, c in cost.passes)
    assert (len(cost.passes) > 4) == (mode == "tile")


def test_a_short_last_frame_is_tiled_like_the_others(handmade: Path) -> None:
    section = DepthSection(model=str(handmade), backend="cpu", mode="tile", tile=60)
    resize, inference = depth_stages(section, read_card(handmade), (100, 500))
    inference.setup()
    pixels = np.random.default_rng(0).integers(0, 255, (33, 500)).astype(np.uint8)
    (item,) = resize.process(Frame(pixels, 900, np.ones(33, np.bool_), 0, 1))
    assert isinstance(item, ModelInput)
    depth = infer(inference, item).depth
    inference.teardown()
    assert depth is not None
    assert depth.values.shape == (15, 233)
    assert depth.web.line_offset + 14 * depth.web.line_step == pytest.approx(900 + 32 - 0.6)
    assert np.isfinite(depth.values).all()


def test_the_engine_is_named_as_it_is_when_the_frame_is_done(handmade: Path) -> None:
    """An engine may be replaced by another while it runs."""
    stage = stage_of(handmade)
    stage.setup()
    assert infer(stage, model_input()).model is not None
    (engine,) = stage._engines.values()
    engine.precision = "bf16"
    tag = infer(stage, model_input()).model
    stage.teardown()
    assert tag is not None
    assert tag.engine == "cpu-bf16"
