"""From a configuration to a pipeline; only what the configuration uses is imported."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from linescan.config import Config, EncoderResamplingSection, GenicamSource
from linescan.config import Source as SourceSection
from linescan.errors import ConfigError
from linescan.ledger import Ledger
from linescan.pipeline.limits import LimitedSource
from linescan.pipeline.runner import Pipeline
from linescan.publishing import Deliver, Journal, Publish
from linescan.records import Cause, Frame, Inspection
from linescan.sources.base import Source, SourceInfo
from linescan.stages import MapStage, Stage
from linescan.stitching import Stitch


class WithoutDepth(MapStage[Frame, Inspection]):
    """Stands where depth is switched off: the frame alone is delivered."""

    name = "frames"
    failure = Cause.PUBLISHING_FAILURE

    def process(self, item: Frame) -> Iterable[Inspection]:
        """Wrap the frame."""
        return (Inspection(item),)


def build_pipeline(
    config: Config,
    *,
    lines: int | None = None,
    limit_s: float | None = None,
    on_result: Callable[[Any], None] = lambda _: None,
) -> tuple[Pipeline, SourceInfo]:
    """Open the source and join it with the stages that the configuration asks for.

    Args:
        config: the configuration.
        lines: end after so many lines.
        limit_s: end after so many seconds.
        on_result: called with each inspection and loss that leaves the last stage.

    Returns:
        The pipeline, ready to ``run``, and what is known of its source.

    Raises:
        LinescanError: the source cannot be opened, or a stage's settings do not fit it.
    """
    from linescan.sources import open_source

    ledger = Ledger()
    source: Source = open_source(config.source)
    if lines is not None:
        source = LimitedSource(source, lines)
    source.open(ledger.capture)
    try:
        info = source.description
        rows, overlap = _frame_shape(config, info)
        correction, info = correction_stages(config, info)
        stitch: Stage[Any, Any] = Stitch(rows, overlap, config.frame.last)
        processing = processing_stages(config, info)
        delivery = _delivery(config, ledger, _sizes(config, info, processing))
        stages = [*correction, stitch, *processing, delivery]
        pipeline = Pipeline(source, stages, ledger, config.overload, on_result, limit_s)
        if isinstance(delivery, Publish):
            delivery.end_reason = lambda: pipeline.reason
        return pipeline, info
    except BaseException:
        source.close()
        raise


def correction_stages(config: Config, info: SourceInfo) -> tuple[list[Stage[Any, Any]], SourceInfo]:
    """The stages from the source's lines to those that are stitched.

    Args:
        config: the configuration.
        info: what is known of the source.

    Returns:
        The stages, and what is known of the lines that leave them.

    Raises:
        LinescanError: the flat field cannot be read or is for other lines, there are no encoder
            ticks, or the length of a row is not known.
    """
    path, resampling = config.correction.flat_field, config.correction.encoder_resampling
    stages: list[Stage[Any, Any]] = []
    if path is not None:
        from linescan.correction.correct import Correct
        from linescan.correction.flat_field import load_flat_field

        reference = load_flat_field(path)
        reference.check_fits(info.width, info.bits, f"'correction.flat_field': {path}")
        stages.append(Correct(reference, path))
    if resampling.enabled:
        from linescan.correction.resample import Resample

        if not info.encoder:
            raise ConfigError(
                f"'correction.encoder_resampling': {info.name} gives no encoder ticks with its "
                "lines; leave it out"
            )
        row_mm = _row_mm(resampling, info)
        ticks = row_mm / (resampling.mm_per_tick or 1.0)
        ticks = ticks if resampling.counts == "up" else -ticks
        stages.append(Resample(ticks, resampling.max_gap_rows, resampling.jitter_rows))
        rate = _row_rate(line_rate(config.source, info), info, row_mm)
        info = replace(info, along_mm=row_mm, line_rate_hz=rate, resampled=True)
    return stages, info


def _row_mm(resampling: EncoderResamplingSection, info: SourceInfo) -> float:
    """Travel of one row in mm; that of a square pixel where it is not given."""
    row_mm = info.across_mm if resampling.row_mm == "auto" else resampling.row_mm
    if row_mm is None:
        raise ConfigError(
            "'correction.encoder_resampling.row_mm': the source does not say how large a pixel is "
            "across; give the travel of one row in mm, or source.pitch.across_mm"
        )
    return row_mm


def _row_rate(lines_hz: float | None, info: SourceInfo, row_mm: float) -> float | None:
    """Rows per second of a web at the speed that line rate and pitch tell; None where unknown."""
    if lines_hz is None or info.along_mm is None:
        return None
    return lines_hz * info.along_mm / row_mm


def processing_stages(
    config: Config, info: SourceInfo, *, streaming: bool = True
) -> list[Stage[Any, Any]]:
    """The stages from frames to inspections.

    Args:
        config: the configuration.
        info: what is known of the source.
        streaming: lines come one after the other; frames are aligned and objects followed from
            frame to frame, and at set-up the cost of a frame is measured and held against the line
            rate.

    Raises:
        LinescanError: a stage's settings do not fit the source or the model.
    """
    if not config.depth.enabled:
        return [WithoutDepth()]
    from linescan.depth import depth_stages, read_card
    from linescan.depth.advice import Demand, report_cost
    from linescan.depth.heights import height_stages

    card = read_card(config.depth.model)
    rows, overlap = _frame_shape(config, info)
    if card.frame_size is not None and config.frame.last == "short":
        raise ConfigError(
            f"'frame.last': short frames do not fit {card.path}, which takes whole frames of "
            f"{card.frame_size[0]}x{card.frame_size[1]}: set it to pad or drop"
        )
    frame, pitch = (rows, info.width), (info.along_mm, info.across_mm)
    demand = Demand(rows, overlap, line_rate(config.source, info), paced(config.source))
    report = partial(report_cost, demand, config.depth, card, frame) if streaming else None
    resize, inference = depth_stages(config.depth, card, frame, pitch, info.bits, report)
    steps = (rows / resize.canvas[0], info.width / resize.canvas[1])
    heights, factor = height_stages(
        config.alignment, config.calibration, card, steps, streaming=streaming
    )
    stages: list[Stage[Any, Any]] = [resize, inference, *heights]
    if config.segmentation.enabled:
        from linescan.segmentation import Segment

        if config.segmentation.shape.needs_pitch and None in pitch:
            raise ConfigError(
                "'segmentation.shape': areas in mm2 need the size of a pixel, and the source does "
                "not say it: give source.pitch, or areas in pixels"
            )
        floor = factor * card.noise_floor
        alone, aligned = not streaming, config.alignment.enabled
        stages.append(Segment(config.segmentation, floor, overlap, alone=alone, aligned=aligned))
    return stages


def line_rate(source: SourceSection, info: SourceInfo) -> float | None:
    """Lines, or rows after resampling, that come in a second.

    None where it is not known, or where as many come as are taken. A recording or images come at
    the configured rate, whatever they were taken at.
    """
    if info.resampled:
        return info.line_rate_hz
    if isinstance(source, GenicamSource):
        return source.line_rate_hz or info.line_rate_hz
    return None if source.rate == "max" else source.rate


def paced(source: SourceSection) -> bool:
    """Whether lines come at a rate of the source's own, not as fast as they are taken."""
    return isinstance(source, GenicamSource) or source.rate != "max"


def _frame_shape(config: Config, info: SourceInfo) -> tuple[int, int]:
    """Rows and overlap of a frame."""
    try:
        return config.frame.resolve(info.width)
    except ValueError as error:
        raise ConfigError(f"'frame': {error}, for a web of {info.width} pixels") from error


def _sizes(config: Config, info: SourceInfo, stages: Sequence[Stage[Any, Any]]) -> tuple[int, int]:
    """Bytes of the arrays of a whole frame's inspection, and of its image.

    Without depth the image is all there is to fetch, and stands for both.
    """
    rows, _ = _frame_shape(config, info)
    image = rows * info.width * np.dtype(info.dtype).itemsize
    if not config.depth.enabled:
        return image, image
    from linescan.depth.resize import Resize

    (resize,) = [stage for stage in stages if isinstance(stage, Resize)]
    each = np.dtype(np.float32).itemsize  # depth
    if config.segmentation.enabled:
        each += np.dtype(np.uint16).itemsize  # labels
    return math.prod(resize.canvas) * each, image


def _delivery(config: Config, ledger: Ledger, sizes: tuple[int, int]) -> Publish | Deliver:
    if not config.publish.enabled:
        if config.journal.enabled:
            raise ConfigError(
                "'journal.enabled': the journal keeps what is published, and nothing is: set "
                "publish.enabled: true"
            )
        return Deliver(ledger)
    settings = config.model_dump(mode="json")
    journal: Journal | None = None
    if config.journal.enabled:
        from linescan.pipeline.keeping import Keeping

        journal = Keeping(config.journal)
    return Publish(
        config.publish,
        config.camera,
        ledger,
        settings,
        *sizes,
        journal=journal,
        sync_s=config.journal.sync_ms / 1000,
    )
