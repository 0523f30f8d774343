"""The data that travels through the pipeline.

All records are frozen and slotted; arrays are C-contiguous and never written to once they are part
of a record. *Line* numbers are absolute: they count camera lines from the start of a run and never
repeat within it. Times are nanoseconds; host times are since the epoch (``time.time_ns``).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.whole import WholeObject

GrayArray = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Gray pixels, (rows, width), uint8 or uint16."""
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A run of camera lines: ``count`` lines starting at ``first``."""

    first: int
    count: int

    @property
    def end(self) -> int:
        """The line after the last one."""
        return self.first + self.count


class Cause(enum.StrEnum):
    """Why camera lines were lost."""

    CAMERA_GAP = "camera_gap"
    INCOMPLETE_BLOCK = "incomplete_block"
    UNDER_RUN = "under_run"
    RING_OVERFLOW = "ring_overflow"
    RECONNECT = "reconnect"
    BAD_BLOCK = "bad_block"
    FORMAT_CHANGE = "format_change"
    QUEUE_OVERFLOW = "queue_overflow"
    PARTIAL_FRAME = "partial_frame"
    CORRECTION_FAILURE = "correction_failure"
    REVERSED_TRAVEL = "reversed_travel"
    STITCHING_FAILURE = "stitching_failure"
    INFERENCE_FAILURE = "inference_failure"
    SEGMENTATION_FAILURE = "segmentation_failure"
    PUBLISHING_FAILURE = "publishing_failure"
    SHUTDOWN = "shutdown"


class Convention(enum.StrEnum):
    """What larger values of a depth map mean."""

    DISPARITY = "disparity"
    """Larger is nearer to the camera, known up to scale and shift."""
    DEPTH = "depth"
    """Larger is farther from the camera."""
    HEIGHT = "height"
    """Larger stands higher above the web."""


class BlockFlag(enum.Flag):
    """What the source noticed about a block."""

    NONE = 0
    ENCODER_REVERSED = enum.auto()
    OVER_TRIGGER = enum.auto()
    TRAVEL_SKIPPED = enum.auto()
    """The web moved on without lines: rows are missing before the block."""
    ENCODER_RESTARTED = enum.auto()
    """The encoder counts anew: how far the web moved before the block is not known."""


@dataclass(frozen=True, slots=True)
class LineBlock:
    """What one camera buffer, or one recorded block, holds.

    Attributes:
        pixels: (rows, width) uint8 or uint16; only the first ``valid_rows`` rows are image.
        first_line: absolute number of the first row's line.
        valid_rows: rows that the camera really delivered.
        host_time_ns: when the last line was in the host's hands.
        device_time_ns: the camera's own time stamp, where it has one.
        exposed_ns: that time stamp on the host's clock, where the camera has one.
        encoder: (rows,) int64 encoder ticks of each line, where the camera gives them.
        flags: what the source noticed.
        flat_field: id of the reference that the pixels were corrected by, where they were.
        encoder_ends: ticks of the first and last valid line, where the camera gives no more.
        carried: (n, 3) int64, only where rows are not camera lines (encoder resampling): first
            camera line, number of lines, and the row that carries them, in order. ``first_line``
            then counts rows.
    """

    pixels: GrayArray
    first_line: int
    valid_rows: int
    host_time_ns: int
    device_time_ns: int | None = None
    encoder: npt.NDArray[np.int64] | None = None
    flags: BlockFlag = BlockFlag.NONE
    flat_field: str | None = None
    encoder_ends: tuple[int, int] | None = None
    carried: npt.NDArray[np.int64] | None = None
    exposed_ns: int | None = None

    def rows(self) -> Interval:
        """The valid rows; they are camera lines unless the block was resampled."""
        return Interval(self.first_line, self.valid_rows)

    def lines(self) -> tuple[Interval, ...]:
        """The camera lines that this record stands for."""
        return (self.rows(),) if self.carried is None else carried_lines(self.carried)


@dataclass(frozen=True, slots=True)
class Loss:
    """Camera lines that were captured and will not be published, and why.

    Losses travel in band, in order, with the data; every stage passes them on or adds to them.
    ``estimated`` says that ``count`` is not known exactly.
    """

    first_line: int
    count: int
    cause: Cause
    estimated: bool = False

    def lines(self) -> tuple[Interval, ...]:
        """The camera lines that this record stands for."""
        return (Interval(self.first_line, self.count),)


@dataclass(frozen=True, slots=True)
class Frame:
    """Consecutive lines of the web, as the stitcher cut them.

    Attributes:
        pixels: (rows, width) uint8 or uint16; rows that are not valid are zero.
        first_line: absolute number of the first row's line.
        valid: (rows,) bool; a row without a line (lost, or padding) is False.
        overlap: leading rows shared with the frame before.
        acquired_ns: host time at which the frame's last line arrived.
        encoder: (first, last) encoder ticks of the frame's lines, where known.
        stamps: host time in ns at which each stage was done with the frame, by stage name.
        flags: what was noticed about any block of the frame.
        flat_field: id of the reference that the pixels were corrected by, where they were.
        camera_lines: runs of camera lines that the valid rows carry, only where rows are not camera
            lines (encoder resampling); ``first_line`` then counts rows.
    """

    pixels: GrayArray
    first_line: int
    valid: BoolArray
    overlap: int
    acquired_ns: int
    encoder: tuple[int, int] | None = None
    stamps: Mapping[str, int] = field(default_factory=dict)
    flags: BlockFlag = BlockFlag.NONE
    flat_field: str | None = None
    camera_lines: tuple[Interval, ...] | None = None

    def lines(self) -> tuple[Interval, ...]:
        """The camera lines that this record stands for, as runs."""
        if self.camera_lines is not None:
            return self.camera_lines
        return tuple(
            Interval(self.first_line + run.first, run.count) for run in true_runs(self.valid)
        )


@dataclass(frozen=True, slots=True)
class WebMap:
    """The affine map from array pixels to the web.

    The centre of array pixel (row, column) lies at web line ``line_offset + row * line_step`` and
    web column ``column_offset + column * column_step``. The pitches, where known, are in mm.
    """

    line_offset: float
    line_step: float
    column_offset: float
    column_step: float
    mm_per_line: float | None = None
    mm_per_column: float | None = None


@dataclass(frozen=True, slots=True)
class DepthMap:
    """Depth of one frame at the model's resolution.

    Attributes:
        values: (h, w) float32, NaN in rows without valid lines.
        convention: what larger values mean.
        unit: ``"relative"`` (up to scale and shift), ``"um"`` or ``"mm"``.
        scale: factor that was applied to the model's output.
        shift: offset that was added after the factor.
        confidence: of scale and shift, 0 to 1; None where nothing was aligned.
        valid: (h,) bool: every camera line under this row is valid.
        web: where each array pixel lies on the web.
    """

    values: FloatArray
    convention: Convention
    unit: str
    scale: float
    shift: float
    confidence: float | None
    valid: BoolArray
    web: WebMap


@dataclass(frozen=True, slots=True)
class WebObject:
    """One object on the web, in web coordinates (absolute lines, pixels across).

    ``area_px`` is in camera pixels; heights are in the unit of the depth map, above the local
    background, positive towards the camera; ``max_height`` is the signed extreme (negative for a
    dent). ``touches_start`` and ``touches_end`` say that the frame's first or last row cuts it.
    ``track`` is its identity along the web, from 1 and unique within a run: what other frames show
    of the same thing has the same; 0 where objects are not followed from frame to frame.
    """

    id: int
    first_line: int
    line_count: int
    first_column: int
    column_count: int
    area_px: float
    mean_height: float
    max_height: float
    touches_start: bool
    touches_end: bool
    area_mm2: float | None = None
    track: int = 0


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The objects of one frame, and those that it completes.

    Attributes:
        labels: (h, w) uint16 at the depth map's resolution; 0 is background, n is object id n.
        thresholds: the thresholds used, in the depth map's unit, by name.
        objects: one entry a label.
        completed: objects that have become complete with this frame, over all frames that show
            them; each stands in one frame of a run only, or in a ``Completed`` of its own.
    """

    labels: LabelArray
    thresholds: Mapping[str, float]
    objects: Sequence[WebObject]
    completed: Sequence[WholeObject] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """Objects that became complete and travel without a frame.

    These are the last ones of a run, and those whose frame was dropped. As losses, they travel in
    band, in order, and are never dropped. ``unit`` is that of the depth map they were found in.
    """

    objects: Sequence[WholeObject]
    unit: str

    def lines(self) -> tuple[Interval, ...]:
        """None: the camera lines of the objects are those of frames, or lost."""
        return ()


@dataclass(frozen=True, slots=True)
class ModelTag:
    """Which model made a depth map: registry name, SHA-256 of its file, engine that ran it."""

    name: str
    sha256: str
    engine: str


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A frame and what the model sees of it.

    Attributes:
        frame: the frame.
        image: (h, w) uint8, contiguous, at the depth map's resolution; or the whole frame, where
            the model resizes it itself.
        valid: (h,) bool, rows of the depth map: every camera line under the row is valid.
        web: where each pixel of the depth map lies on the web.
    """

    frame: Frame
    image: npt.NDArray[np.uint8]
    valid: BoolArray
    web: WebMap

    def lines(self) -> tuple[Interval, ...]:
        """The camera lines that this record stands for."""
        return self.frame.lines()


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything known about one frame; what is published.

    ``depth``, ``model`` and ``segmentation`` are None until their stage has run, or for good where
    the configuration switches it off.
    """

    frame: Frame
    depth: DepthMap | None = None
    model: ModelTag | None = None
    segmentation: Segmentation | None = None
    calibration_id: str | None = None

    @property
    def stamps(self) -> Mapping[str, int]:
        """Host time in ns at which each stage was done with the frame, by stage name."""
        return self.frame.stamps

    def lines(self) -> tuple[Interval, ...]:
        """The camera lines that this record stands for."""
        return self.frame.lines()


def remains(item: object) -> Completed | None:
    """What is left of an item whose lines are lost: objects that it completes, if it does."""
    if not isinstance(item, Inspection) or item.segmentation is None or item.depth is None:
        return None
    completed = item.segmentation.completed
    return Completed(completed, item.depth.unit) if completed else None


def carried_lines(carried: npt.NDArray[np.int64]) -> tuple[Interval, ...]:
    """The camera lines of (n, 3) carried runs (first line, count, row), neighbours merged."""
    if not len(carried):
        return ()
    first, end = carried[:, 0], carried[:, 0] + carried[:, 1]
    apart = np.flatnonzero(first[1:] != end[:-1])
    firsts = first[np.concatenate(([0], apart + 1))].tolist()
    ends = end[np.concatenate((apart, [len(end) - 1]))].tolist()
    return tuple(Interval(a, b - a) for a, b in zip(firsts, ends, strict=True))


def true_runs(mask: npt.NDArray[Any]) -> list[Interval]:
    """Runs of true values in a 1-D bool array, as intervals of its indices."""
    if mask.all():
        return [Interval(0, mask.size)] if mask.size else []
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return [Interval(int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
