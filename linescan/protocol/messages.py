"""Messages as they arrive: arrays are read-only views of the bytes received."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from linescan.protocol.topics import Kind
from linescan.records import (
    BoolArray,
    DepthMap,
    FloatArray,
    GrayArray,
    Interval,
    LabelArray,
    ModelTag,
    Segmentation,
    WebMap,
    WebObject,
)
from linescan.whole import WholeObject

MaskArray = npt.NDArray[np.uint8]
"""(h, w) uint8: 255 where an object is, else 0."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one message from all others.

    Attributes:
        camera: name of the camera.
        epoch: a UUID for each start of the publisher.
        seq: from 0: one numbering for inspections and all kinds derived from them, one for events.
        published_ns: host time of publication.
    """

    camera: str
    epoch: str
    seq: int
    published_ns: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Message:
    """What all messages share. ``header`` is the JSON header as it came."""

    stamp: Stamp
    kind: Kind
    header: Mapping[str, Any] = field(repr=False)

    @property
    def camera(self) -> str:
        """Name of the camera."""
        return self.stamp.camera

    @property
    def epoch(self) -> str:
        """A UUID for each start of the publisher."""
        return self.stamp.epoch

    @property
    def seq(self) -> int:
        """Sequence number within the epoch."""
        return self.stamp.seq

    @property
    def published_ns(self) -> int:
        """Host time of publication, ns."""
        return self.stamp.published_ns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameMessage(Message):
    """What an inspection and the kinds derived from it share: which part of the web this is.

    Attributes:
        first_line: absolute number of the first row's line.
        line_count: rows of the frame.
        valid: runs of lines that are image, as absolute lines.
        overlap: leading rows shared with the frame before.
        acquired_ns: host time at which the frame's last line arrived.
        encoder: first and last encoder tick, where known.
        stamps: host time in ns at which each stage was done with the frame, by stage name.
        web: where the pixels of this message's arrays lie on the web; None without arrays.
        model: which model made the depth, where one did.
        calibration_id: which calibration made heights of it, where one did.
        flat_field: id of the flat-field reference that corrected the lines, where one did.
        flags: what was noticed about the frame's lines, by name, such as ``travel_skipped``.
        camera_lines: runs of camera lines that the valid rows carry, where encoder resampling made
            rows of them; ``first_line`` and ``valid`` then count rows. Else None.
    """

    first_line: int
    line_count: int
    valid: tuple[Interval, ...]
    overlap: int
    acquired_ns: int
    encoder: tuple[int, int] | None
    stamps: Mapping[str, int]
    web: WebMap | None
    model: ModelTag | None
    calibration_id: str | None
    flat_field: str | None = None
    flags: tuple[str, ...] = ()
    camera_lines: tuple[Interval, ...] | None = None

    def lines(self) -> tuple[Interval, ...]:
        """The camera lines that this message stands for."""
        return self.valid if self.camera_lines is None else self.camera_lines


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthMessage(FrameMessage):
    """Depth of one frame."""

    depth_map: DepthMap

    @property
    def depth(self) -> FloatArray:
        """(h, w) float32, NaN in rows without valid lines."""
        return self.depth_map.values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InspectionMessage(FrameMessage):
    """Everything about one frame; parts that the configuration switches off are None."""

    depth_map: DepthMap | None
    segmentation: Segmentation | None

    @property
    def depth(self) -> FloatArray | None:
        """(h, w) float32, NaN in rows without valid lines."""
        return None if self.depth_map is None else self.depth_map.values

    @property
    def labels(self) -> LabelArray | None:
        """(h, w) uint16: 0 is background, n is the object with id n."""
        return None if self.segmentation is None else self.segmentation.labels

    @property
    def mask(self) -> MaskArray | None:
        """(h, w) uint8: 255 where an object is, else 0; made on each call."""
        return None if self.labels is None else mask_of(self.labels)

    @property
    def objects(self) -> Sequence[WebObject]:
        """The objects; none where segmentation is off."""
        return () if self.segmentation is None else self.segmentation.objects

    @property
    def completed(self) -> Sequence[WholeObject]:
        """Objects that became complete with this frame; none where segmentation is off."""
        return () if self.segmentation is None else self.segmentation.completed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskMessage(FrameMessage):
    """Where objects are on one frame."""

    mask: MaskArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ObjectsMessage(FrameMessage):
    """The objects of one frame, the thresholds used, and objects that it completes."""

    objects: Sequence[WebObject]
    thresholds: Mapping[str, float]
    completed: Sequence[WholeObject] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageMessage(FrameMessage):
    """One gray frame at full resolution; rows that are not valid are zero."""

    image: GrayArray

    def valid_rows(self) -> BoolArray:
        """(rows,) bool: the row is image."""
        rows = np.zeros(self.line_count, dtype=np.bool_)
        for run in self.valid:
            rows[run.first - self.first_line : run.end - self.first_line] = True
        return rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventMessage(Message):
    """An event; of this very class where its type is not known to this version."""

    type: ClassVar[str | None] = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StartEvent(EventMessage):
    """A run begins.

    Attributes:
        software: name and version of the publisher.
        settings: a summary of the configuration.
        settings_sha256: digest of the summary, to tell configurations apart.
    """

    type: ClassVar[str | None] = "start"
    software: str
    settings: Mapping[str, Any]
    settings_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LossEvent(EventMessage):
    """Lines that were captured and stand in no inspection, and why.

    ``cause`` is one of ``linescan.records.Cause``, or a newer one. ``estimated`` says that
    ``count`` is not known exactly.
    """

    type: ClassVar[str | None] = "loss"
    first_line: int
    count: int
    cause: str
    estimated: bool

    def lines(self) -> tuple[Interval, ...]:
        """The camera lines that this message stands for."""
        return (Interval(self.first_line, self.count),)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompletedEvent(EventMessage):
    """Objects that became complete without a frame: the last ones of a run, for example.

    ``unit`` is that of their heights.
    """

    type: ClassVar[str | None] = "completed"
    unit: str
    completed: Sequence[WholeObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTotals:
    """The publisher's account of camera lines, see ``linescan.ledger.Totals``."""

    captured: int
    published: int
    lost: Mapping[str, int]
    unaccounted: int
    phantom: int
    estimated: int

    @property
    def balanced(self) -> bool:
        """Every captured line was published or reported lost, and no other line was."""
        lost = sum(self.lost.values())
        even = self.captured == self.published + lost
        return even and self.unaccounted == 0 and self.phantom == 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EndEvent(EventMessage):
    """A run has ended.

    Attributes:
        reason: ``finished``, or what stopped the run.
        last_seq: sequence number of the last inspection; None where there was none.
        totals: the account of camera lines.
    """

    type: ClassVar[str | None] = "end"
    reason: str
    last_seq: int | None
    totals: EndTotals


def mask_of(labels: LabelArray) -> MaskArray:
    """255 where a label is not 0, else 0; (h, w) uint8."""
    mask: MaskArray = (labels != 0).view(np.uint8)
    return np.multiply(mask, 255, out=mask)
