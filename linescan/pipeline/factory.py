"""From a configuration to a pipeline; only what the configuration uses is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from linescan.config import Config
from linescan.errors import ConfigError
from linescan.ledger import Ledger
from linescan.pipeline.limits import LimitedSource
from linescan.pipeline.runner import Pipeline
from linescan.publishing import Deliver, Publish
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
        frame_bytes = rows * info.width * np.dtype(info.dtype).itemsize
        delivery = _delivery(config, ledger, frame_bytes)
        stitch: Stage[Any, Any] = Stitch(rows, overlap, config.frame.last)
        stages = [stitch, *processing_stages(config, info), delivery]
        pipeline = Pipeline(source, stages, ledger, config.overload, on_result, limit_s)
        if isinstance(delivery, Publish):
            delivery.end_reason = lambda: pipeline.reason
        return pipeline, info
    except BaseException:
        source.close()
        raise


def processing_stages(config: Config, info: SourceInfo) -> list[Stage[Any, Any]]:
    """The stages from frames to inspections."""
    if not config.depth.enabled:
        return [WithoutDepth()]
    from linescan.depth import depth_stages, read_card

    card = read_card(config.depth.model)
    stages: list[Stage[Any, Any]] = [
        *depth_stages(config.depth, card, (info.along_mm, info.across_mm), info.bits)
    ]
    if config.segmentation.enabled:
        from linescan.segmentation import Segment

        stages.append(Segment(config.segmentation, card.noise_floor))
    return stages


def _frame_shape(config: Config, info: SourceInfo) -> tuple[int, int]:
    """Rows and overlap of a frame."""
    try:
        return config.frame.resolve(info.width)
    except ValueError as error:
        raise ConfigError(f"'frame': {error}, for a web of {info.width} pixels") from error


def _delivery(config: Config, ledger: Ledger, frame_bytes: int) -> Publish | Deliver:
    if not config.publish.enabled:
        return Deliver(ledger)
    settings = config.model_dump(mode="json")
    return Publish(config.publish, config.camera, ledger, settings, frame_bytes)
