"""Wide webs through real sources, stages and the embedded model."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from linescan import depth as depth_package
from linescan.config import Config, GenicamSource, ImagesSource, Source, parse
from linescan.config.source import Rate
from linescan.depth.fallback import FallbackEngine
from linescan.depth.inference import Inference
from linescan.errors import ConfigError, ModelError, PublishError
from linescan.evaluation.detection import Box, Score, score_frame
from linescan.pipeline.chain import set_up
from linescan.pipeline.factory import (
    build_pipeline,
    correction_stages,
    line_rate,
    processing_stages,
)
from linescan.protocol.encode import encode
from linescan.protocol.messages import Stamp
from linescan.protocol.topics import Kind
from linescan.publishing import Publish
from linescan.publishing.budget import MOST_MARK
from linescan.records import Inspection, Interval, WebMap
from linescan.simulation import SimulatedWeb, preset
from linescan.sources.base import SourceInfo
from tests.depth.onnx_files import write_model
from tests.segmentation import frames

NARROW = 512


@pytest.fixture
def handmade(tmp_path: Path) -> Path:
    """A dynamic model that gives gray / 4."""
    return write_model(tmp_path / "handmade.onnx")


def settings(source: Source, overrides: Sequence[str]) -> Config:
    always = ["publish.enabled=false", "overload.policy=block", "frame.overlap=0"]
    return parse("", "test", [*always, *overrides], source=source)


def run(config: Config) -> list[Inspection]:
    found: list[Inspection] = []
    pipeline, _ = build_pipeline(
        config, on_result=lambda r: found.append(r) if isinstance(r, Inspection) else None
    )
    outcome = pipeline.run()
    assert outcome.error is None
    assert outcome.totals.balanced
    assert outcome.totals.lost_total == 0
    return found


def side_by_side(webs: int, lines: int) -> tuple[np.ndarray, list[Box]]:
    """A wide web of narrow ones: its objects are small against its width."""
    pixels, truth = [], []
    for k in range(webs):
        web = SimulatedWeb(preset("parts", seed=40 + k, width=NARROW))
        pixels.append(web.lines(0, lines).pixels)
        truth += [
            Box(
                Interval(o.first_line, o.last_line + 1 - o.first_line),
                Interval(k * NARROW + o.first_column, o.last_column + 1 - o.first_column),
            )
            for o in web.objects(0, lines)
        ]
    return np.hstack(pixels), truth


def score(found: list[Inspection], truth: list[Box], width: int) -> Score:
    total = Score()
    for each in found:
        assert each.segmentation is not None
        boxes = [
            Box(Interval(o.first_line, o.line_count), Interval(o.first_column, o.column_count))
            for o in each.segmentation.objects
        ]
        frame = Box(Interval(each.frame.first_line, len(each.frame.pixels)), Interval(0, width))
        total += score_frame(boxes, truth, frame)
    return total


@pytest.mark.parametrize("aligned", [True, False])
def test_segmentation_knows_whether_depth_was_aligned(aligned: bool, tmp_path: Path) -> None:
    """Tiles have a confidence, too: a frame that lies higher is all object only where it cannot."""
    keys = [f"alignment.enabled={aligned}", "depth.mode=tile", "depth.tile=504"]
    keys += ["segmentation.background=belt", "segmentation.threshold.method=belt"]
    config = settings(ImagesSource(path=tmp_path), keys)
    *_, segment = processing_stages(config, SourceInfo("images", width=1008))
    rng = np.random.default_rng(0)
    for n in range(12):
        values = rng.normal(5.0 * (n == 11), 0.1, (96, 120)).astype(np.float32)
        depth = frames.depth_map(values, web=WebMap(96.0 * n, 1.0, 0.0, 1.0))
        depth = dataclasses.replace(depth, unit="relative", confidence=0.9)
        (last,) = segment.process(frames.inspection(depth))
    assert isinstance(last, Inspection)
    assert last.segmentation is not None
    assert bool(last.segmentation.objects) == aligned


@pytest.mark.slow
def test_tiles_find_the_small_objects_of_a_wide_web(tmp_path: Path) -> None:
    """4096 pixels across, 40-pixel objects: stretched to the model's 252 they are gone."""
    pixels, truth = side_by_side(8, 512)
    cv2.imwrite(str(tmp_path / "web.png"), pixels)
    source = ImagesSource(path=tmp_path / "web.png")
    scores = {}
    for mode in ("resize", "tile"):
        keys = [f"depth.mode={mode}", "depth.tile=504", "frame.lines=512", "depth.backend=cpu"]
        found = run(settings(source, keys))
        scores[mode] = score(found, truth, 4096)
        depths = [each.depth for each in found if each.depth is not None]
        assert all(np.isfinite(depth.values).all() for depth in depths)
    assert scores["tile"].wanted > 40
    assert scores["tile"].recall >= 0.9
    assert scores["tile"].precision >= 0.9
    assert scores["resize"].recall <= 0.3
    (depth,) = depths
    assert depth.values.shape == (256, 2048)
    assert depth.confidence is not None
    assert depth.confidence > 0.5


@pytest.mark.parametrize("width", [512, 1001, 4095, 16384])
@pytest.mark.parametrize("mode", ["resize", "letterbox", "tile"])
def test_frames_of_any_width_run_and_lie_where_they_were(
    handmade: Path, tmp_path: Path, width: int, mode: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (300, width)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "web.png"), pixels)
    keys = [f"depth.model={handmade}", "depth.backend=cpu", f"depth.mode={mode}"]
    keys += ["frame.lines=128", "frame.last=short", "segmentation.enabled=false"]
    found = run(settings(ImagesSource(path=tmp_path / "web.png"), keys))
    assert [len(i.frame.pixels) for i in found] == [128, 128, 44]
    for inspection in found:
        depth = inspection.depth
        assert depth is not None
        assert np.isfinite(depth.values).all()
        rows, columns = depth.values.shape
        web, first, lines = depth.web, inspection.frame.first_line, len(inspection.frame.pixels)
        assert web.line_offset - web.line_step / 2 == pytest.approx(first - 0.5)
        assert web.line_step * rows == pytest.approx(lines)
        assert web.column_step * columns == pytest.approx(width)


def test_a_run_that_cannot_keep_up_says_so_before_it_begins(
    handmade: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cv2.imwrite(str(tmp_path / "web.png"), np.full((64, 64), 90, np.uint8))
    keys = [f"depth.model={handmade}", "depth.backend=cpu", "frame.lines=64"]
    rates: tuple[tuple[Rate, bool], ...] = ((1e9, True), ("max", False))
    for rate, warned in rates:
        caplog.clear()
        with caplog.at_level(logging.INFO, "linescan"):
            run(settings(ImagesSource(path=tmp_path / "web.png", rate=rate), keys))
        warnings = [r.message for r in caplog.records if "cannot keep up" in r.message]
        assert len(warnings) == warned
        assert sum("depth of a frame: 1 x 28x42" in r.message for r in caplog.records) == 1
        assert not warned or "a source of at most " in warnings[0]


def test_engines_that_were_replaced_during_a_run_are_among_its_failures(
    handmade: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (256, 64)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "web.png"), pixels)
    keys = [f"depth.model={handmade}", "depth.backend=openvino", "depth.precision=fp32"]
    keys += [f"depth.cache={tmp_path / 'cache'}", "frame.lines=64", "segmentation.enabled=false"]
    found: list[Inspection] = []
    config = settings(ImagesSource(path=tmp_path / "web.png"), keys)
    pipeline, _ = build_pipeline(
        config, on_result=lambda r: found.append(r) if isinstance(r, Inspection) else None
    )
    (stage,) = [w.stage for w in pipeline._workers if isinstance(w.stage, Inference)]
    whole = stage.setup

    def setup() -> None:
        whole()
        for engine in stage._engines.values():
            assert isinstance(engine, FallbackEngine)
            engine._engine.close()

    monkeypatch.setattr(stage, "setup", setup)
    outcome = pipeline.run()
    assert outcome.totals.balanced
    assert outcome.totals.lost_total == 0
    assert [i.model.engine for i in found if i.model is not None] == ["cpu-fp32"] * 4
    assert (outcome.failures["infer"], outcome.failures["infer.fallback"]) == (0, 1)


@pytest.mark.parametrize("segmentation", [True, False])
@pytest.mark.parametrize("mode", ["resize", "tile"])
def test_a_slow_subscriber_may_hold_half_of_the_memory_with_depth_and_labels(
    handmade: Path, tmp_path: Path, mode: str, segmentation: bool
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "web.png"), pixels)
    keys = [f"depth.model={handmade}", "depth.backend=cpu", f"depth.mode={mode}", "depth.tile=64"]
    keys += ["frame.lines=256", f"segmentation.enabled={str(segmentation).lower()}"]
    source = ImagesSource(path=tmp_path / "web.png")
    (found,) = run(settings(source, keys))
    assert found.depth is not None
    size = found.depth.values.nbytes
    if segmentation:
        assert found.segmentation is not None
        size += found.segmentation.labels.nbytes
    keys += ["publish.enabled=true", "publish.data=tcp://127.0.0.1:*", "publish.memory_mb=32"]
    pipeline, _ = build_pipeline(settings(source, keys))
    (delivery,) = [w.stage for w in pipeline._workers if isinstance(w.stage, Publish)]
    budget = delivery.publisher._budget
    pipeline._source.close()
    _, _, *arrays = encode(found, Kind.INSPECTION, Stamp("web-1", "", 1, 1)) or []
    assert sum(memoryview(part).nbytes for part in arrays) == size
    assert budget.limit_bytes == 28 << 20, "an eighth is for replies"
    largest = max(size, found.frame.pixels.nbytes)
    assert budget.mark == min(MOST_MARK, budget.limit_bytes // 2 // largest)


def test_memory_without_room_for_one_frame_is_refused_at_once(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "web.png"), np.zeros((2048, 1024), np.uint8))
    keys = ["depth.enabled=false", "segmentation.enabled=false", "frame.lines=2048"]
    keys += ["publish.enabled=true", "publish.data=tcp://127.0.0.1:*", "publish.memory_mb=1"]
    with pytest.raises(PublishError, match=r"^publish.memory_mb: 1 has no room .* of 2 MB: set it"):
        build_pipeline(settings(ImagesSource(path=tmp_path / "web.png"), keys))


def test_the_rate_is_that_at_which_lines_come() -> None:
    taken = SourceInfo("test", 512, line_rate_hz=777.0)
    images = ImagesSource(path=Path("web.png"), rate=5000.0)
    assert line_rate(images, taken) == 5000.0
    assert line_rate(images.model_copy(update={"rate": "max"}), taken) is None
    camera = GenicamSource(producer=Path("a.cti"))
    assert line_rate(camera, taken) == 777.0
    assert line_rate(camera.model_copy(update={"line_rate_hz": 9000.0}), taken) == 9000.0


@pytest.mark.parametrize(
    ("along_mm", "rate", "said"),
    [
        (0.05, "10000", "the source gives 2500"),
        (None, "10000", "the source gives as many as the web's speed makes"),
        (0.05, "max", "the source gives as many as are taken"),
    ],
)
def test_advice_goes_by_the_rows_that_resampling_makes(
    handmade: Path, caplog: pytest.LogCaptureFixture, along_mm: float | None, rate: str, said: str
) -> None:
    """A line is 0.05 mm of the web, a row 0.2 mm: a quarter as many rows come."""
    resampling = "{enabled: true, mm_per_tick: 0.05, row_mm: 0.2}"
    keys = [
        f"depth.model={handmade}",
        "depth.backend=cpu",
        "frame.lines=512",
        f"source.rate={rate}",
    ]
    config = settings(
        ImagesSource(path=Path("web.png")),
        [*keys, f"correction.encoder_resampling={resampling}"],
    )
    stages, info = correction_stages(config, SourceInfo("test", 256, along_mm=along_mm))
    assert len(stages) == 1
    assert info.along_mm == 0.2
    with caplog.at_level(logging.INFO), set_up(processing_stages(config, info)):
        pass
    assert f"; {said}\n" in caplog.text


def test_frames_that_a_resizing_model_does_not_take_are_refused_at_once(
    handmade: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = dataclasses.replace(
        depth_package.read_card(handmade), frame_size=(512, 640), dynamic=False
    )
    monkeypatch.setattr(depth_package, "read_card", lambda _: card)
    source = ImagesSource(path=Path("web.png"))
    info = SourceInfo("test", 640)
    assert len(processing_stages(settings(source, ["frame.lines=512"]), info)) == 4
    with pytest.raises(ConfigError, match=r"short frames do not fit .* 512x640"):
        processing_stages(settings(source, ["frame.lines=512", "frame.last=short"]), info)
    with pytest.raises(ModelError, match=r"takes frames of 512x640 .* got 256x640"):
        processing_stages(settings(source, ["frame.lines=256"]), info)
