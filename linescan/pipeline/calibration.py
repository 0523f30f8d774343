"""Reading a scan through correction, depth and alignment, to hold it against measured heights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linescan.config import CalibrationSection, Config
from linescan.depth import ModelCard, read_card
from linescan.depth.alignment import Align, Reference
from linescan.depth.calibration.points import MOST_POINTS, Measured, Points
from linescan.errors import CalibrationError, ConfigError
from linescan.ledger import Ledger
from linescan.pipeline.chain import set_up, through
from linescan.pipeline.factory import correction_stages, processing_stages
from linescan.pipeline.limits import LimitedSource
from linescan.records import Inspection
from linescan.sources import open_source
from linescan.stages import Stage
from linescan.stitching import Stitch

if TYPE_CHECKING:
    from linescan.sources.base import Source

SEED = 0


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan gave at measured places.

    Attributes:
        points: the places.
        card: of the model.
        name: of the source.
        width: camera pixels across the web.
        steps: camera lines and pixels per value, (along, across).
        reference: what frames were held against; None without alignment.
        frames: frames that were run.
    """

    points: Points
    card: ModelCard
    name: str
    width: int
    steps: tuple[float, float]
    reference: Reference | None
    frames: int


def scan_points(
    config: Config,
    measured: Callable[[int], Measured],
    lines: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Scan:
    """Run the source of a configuration up to alignment and collect what was measured.

    Args:
        config: source, correction, frame, depth and alignment are taken from it.
        measured: called with the camera pixels across; heights of places on the web.
        lines: take so many; all of a source that ends where None.
        progress: told the number of lines done, after each block.

    Raises:
        LinescanError: the source, the model or a stage cannot be had, or no frame came.
    """
    if not config.depth.enabled:
        raise ConfigError("'depth.enabled': height is calibrated from depth; set it to true")
    source: Source = open_source(config.source)
    if lines is not None:
        source = LimitedSource(source, lines)
    source.open(Ledger().capture)
    try:
        info = source.description
        config = _upto_alignment(config)
        correction, info = correction_stages(config, info)
        rows, overlap = config.frame.resolve(info.width)
        stages = [*correction, Stitch(rows, overlap, "pad"), *processing_stages(config, info)]
        collected = _Collected(measured(info.width))
        with set_up(stages):
            for inspection in _inspections(source, stages, progress):
                collected.add(inspection)
    finally:
        source.stop()
        source.close()
    if collected.steps is None:
        raise CalibrationError(f"{info.name}: no frame came: it has no valid lines")
    held = [stage.reference for stage in stages if isinstance(stage, Align)]
    return Scan(
        points=collected.points(),
        card=read_card(config.depth.model),
        name=info.name,
        width=info.width,
        steps=collected.steps,
        reference=held[0] if held else None,
        frames=collected.frames,
    )


class _Collected:
    """Points of frames as they come; of too many, an even random share is kept."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self._parts: list[Points] = []
        self._share = 1.0
        self._rng = np.random.default_rng(SEED)
        self.frames = 0
        self.steps: tuple[float, float] | None = None

    def add(self, inspection: Inspection) -> None:
        """Take what was measured of a frame's new rows."""
        depth = inspection.depth
        if depth is None:
            return
        self.frames += 1
        self.steps = self.steps or (depth.web.line_step, depth.web.column_step)
        skip = int(np.ceil(inspection.frame.overlap / depth.web.line_step))
        self._parts.append(self._thinned(self._measured.points(depth, skip), self._share))
        while sum(map(len, self._parts)) > MOST_POINTS:
            self._share /= 2
            self._parts = [self._thinned(part, 0.5) for part in self._parts]

    def points(self) -> Points:
        """All that was kept."""
        return Points.join(self._parts)

    def _thinned(self, points: Points, share: float) -> Points:
        if share >= 1.0:
            return points
        return points.at(self._rng.random(len(points)) < share)


def _upto_alignment(config: Config) -> Config:
    """The same without what follows alignment; a short last frame would have other steps."""
    return config.model_copy(
        update={
            "frame": config.frame.model_copy(update={"last": "pad"}),
            "calibration": CalibrationSection(),
            "segmentation": config.segmentation.model_copy(update={"enabled": False}),
        }
    )


def _inspections(
    source: Source, stages: Sequence[Stage[Any, Any]], progress: Callable[[int], None]
) -> Iterator[Inspection]:
    """What the stages make of the source's lines, in order; losses are left out."""
    done = 0
    for item in source.items():
        yield from _kept(through(stages, item))
        done += sum(run.count for run in item.lines())
        progress(done)
    for place, stage in enumerate(stages):
        for last in stage.finish():
            yield from _kept(through(stages[place + 1 :], last))


def _kept(items: Sequence[Any]) -> Iterator[Inspection]:
    return (item for item in items if isinstance(item, Inspection))
