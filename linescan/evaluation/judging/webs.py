"""The figures of frames together: along the web, masks, objects, false alarms."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from linescan.evaluation.datasets import MM_PER, HeightUnit, TrueFrame
from linescan.evaluation.datasets.grid import labels_on
from linescan.evaluation.detection import Box
from linescan.evaluation.figures.continuity import SeamStep, Spread, drift, flicker
from linescan.evaluation.figures.error import Reference
from linescan.evaluation.figures.masks import Overlap, mask_iou, object_free, overlaps
from linescan.evaluation.figures.objects import LINES, ObjectTally, Thing, false_alarms, fates
from linescan.evaluation.judging.alignments import Aligned, pixel_size
from linescan.evaluation.judging.catalogue import Absent, Value
from linescan.evaluation.judging.frames import NO_UNIT
from linescan.records import DepthMap, FloatArray, Interval, LabelArray, Segmentation

SIGMAS = 3.0
"""Objects so many standard deviations of the belt noise high must be found."""
ALIGNED_APART = Absent("each frame is aligned to its own truth: nothing is said of their borders")
NO_SEQUENCE = Absent("no two frames follow each other on one web")
NO_LABELS = Absent("the data set does not say where objects are")
NO_OBJECTS = Absent("the data set has no objects")


@dataclass(slots=True)
class _Web:
    """What is kept of one web: its noise, and the objects on it, each time that a frame saw one."""

    noise: Spread = field(default_factory=Spread)
    seen: list[tuple[float, Overlap]] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    low: float = math.inf
    high: float = -math.inf


class Webs:
    """Takes frames in order; keeps numbers, and of each map the one before."""

    def __init__(self, unit: HeightUnit, *, per_frame: bool) -> None:
        """Begin with nothing.

        Args:
            unit: of the truth.
            per_frame: frames are aligned one by one.
        """
        self._unit = unit
        self._per_frame = per_frame
        self._webs: dict[int, _Web] = {}
        self._seam, self._true_seam = SeamStep(), SeamStep()
        self._comparable = True
        self._labelled = False
        self._objects = 0
        self._alarms = self._lines = 0
        self.tally = ObjectTally()

    def add(
        self,
        frame: TrueFrame,
        depth: DepthMap,
        aligned: Aligned,
        truth: FloatArray,
        error: float | None,
        found: Segmentation,
    ) -> None:
        """Take the next frame."""
        web = self._webs.setdefault(frame.web, _Web())
        self._comparable = self._comparable and aligned.comparable
        self._seam.add(frame.web, aligned.values, depth.web)
        self._true_seam.add(frame.web, truth, depth.web)
        self._lines += int(np.count_nonzero(frame.frame.valid[frame.frame.overlap :]))
        if error is not None:
            web.errors.append(error)
            span = Reference.of(truth[np.isfinite(truth)])
            web.low, web.high = min(web.low, span.low), max(web.high, span.low + span.span)
        if frame.labels is not None:
            self._labelled = True
            labels = labels_on(frame.labels, frame.frame.first_line, truth.shape, depth.web)
            self._add_masks(web, frame, aligned, labels, found)
            self._add_objects(frame, depth, aligned, found)

    def finish(self) -> dict[str, Value]:
        """All frames have come: the figures."""
        self._seam.finish()
        self._true_seam.finish()
        return {**self._along(), **self._masks(), **self._rates()}

    def _add_masks(
        self, web: _Web, frame: TrueFrame, aligned: Aligned, labels: LabelArray, found: Segmentation
    ) -> None:
        known = np.isfinite(aligned.values)
        bare = aligned.values[known & object_free(labels)]
        web.noise.add(bare)
        if bare.size:
            web.means.append(float(bare.mean(dtype=np.float64)))
        peaks = {each.id: abs(each.peak_mm) / MM_PER[self._unit] for each in frame.objects}
        web.seen += [
            (peaks.get(each.id, math.nan), each) for each in overlaps(found.labels, labels, known)
        ]

    def _add_objects(
        self, frame: TrueFrame, depth: DepthMap, aligned: Aligned, found: Segmentation
    ) -> None:
        rows, width = frame.frame.pixels.shape
        whole = Box(Interval(frame.frame.first_line, rows), Interval(0, width))
        self._objects += len(frame.objects)
        boxes = [
            Box(Interval(o.first_line, o.line_count), Interval(o.first_column, o.column_count))
            for o in found.objects
        ]
        self._alarms += false_alarms(boxes, whole, frame.frame.overlap)
        area = depth.web.line_step * depth.web.column_step
        pixel = pixel_size(depth.web, self._unit)
        tall = pixel if aligned.comparable else None
        mine = [
            Thing(box, math.sqrt(o.area_px / area), abs(o.max_height) / tall if tall else None)
            for box, o in zip(boxes, found.objects, strict=True)
        ]
        per = MM_PER[self._unit]
        theirs = [
            Thing(
                Box(
                    Interval(o.first_line, o.last_line + 1 - o.first_line),
                    Interval(o.first_column, o.last_column + 1 - o.first_column),
                ),
                math.sqrt(o.area_px / area),
                abs(o.peak_mm) / per / pixel if pixel else None,
            )
            for o in frame.objects
        ]
        self.tally.add(fates(mine, theirs, whole))

    def _along(self) -> dict[str, Value]:
        keys = ("seam_step", "seam_step_truth", "flicker", "drift")
        if not self._seam.borders:
            return dict.fromkeys(keys, NO_SEQUENCE)
        if self._per_frame:
            return dict.fromkeys(keys, ALIGNED_APART)
        found: dict[str, Value] = {}
        still = Absent("nothing changes from row to row inside frames")
        for key, seam in (("seam_step", self._seam), ("seam_step_truth", self._true_seam)):
            found[key] = still if seam.ratio is None else seam.ratio
        webs = list(self._webs.values())
        flickers = [f for w in webs if (f := flicker(w.means, w.noise.sigma)) is not None]
        drifts = [d for w in webs if (d := drift(w.errors, w.high - w.low)) is not None]
        no_flicker = Absent("no noise on object-free web") if self._labelled else NO_LABELS
        found["flicker"] = float(np.mean(flickers)) if flickers else no_flicker
        no_drift = Absent("drift needs heights in the truth's unit, and three frames of one web")
        found["drift"] = float(np.mean(drifts)) if drifts else no_drift
        return found

    def _masks(self) -> dict[str, Value]:
        keys = ("belt_noise", "mask_iou", "mask_iou_3sigma")
        if not self._labelled:
            return dict.fromkeys(keys, NO_LABELS)
        webs = list(self._webs.values())
        sigmas = [web.noise.sigma for web in webs if web.noise.count]
        found: dict[str, Value] = {
            "belt_noise": float(np.median(sigmas)) if sigmas else Absent("no object-free web")
        }
        if not self._comparable:
            found["belt_noise"] = NO_UNIT
        if not self._objects:
            return found | dict.fromkeys(keys[1:], NO_OBJECTS)
        every = mask_iou(each for web in webs for _, each in web.seen)
        found["mask_iou"] = NO_OBJECTS if every is None else every
        if not self._comparable:
            reason = "heights of objects and belt noise have no common unit: align the output"
            return found | {"mask_iou_3sigma": Absent(reason)}
        high = mask_iou(
            each
            for web in webs
            for peak, each in web.seen
            if not each.id or peak > SIGMAS * web.noise.sigma
        )
        found["mask_iou_3sigma"] = Absent("no object is so high") if high is None else high
        return found

    def _rates(self) -> dict[str, Value]:
        if not self._labelled:
            keys = ("object_precision", "object_recall", "false_alarms")
            return dict.fromkeys(keys, NO_LABELS)
        if not self._objects:
            found: dict[str, Value] = dict.fromkeys(
                ("object_precision", "object_recall"), NO_OBJECTS
            )
            return found | {"false_alarms": self._alarms / max(self._lines, 1) * LINES}
        there = self.tally.all
        return {
            "object_precision": _or_absent(there.precision, "nothing was found"),
            "object_recall": _or_absent(there.recall, "no object lies half in a frame"),
            "false_alarms": Absent("there are true objects: see precision"),
        }


def _or_absent(value: float | None, reason: str) -> Value:
    return Absent(reason) if value is None else value
