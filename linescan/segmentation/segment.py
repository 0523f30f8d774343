"""Segmentation of depth maps, one after the other: belt and open objects are remembered."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linescan.config import SegmentationSection
from linescan.records import (
    BoolArray,
    Completed,
    Convention,
    DepthMap,
    FloatArray,
    Segmentation,
    WebMap,
)
from linescan.segmentation.background import fit_background, take_sample
from linescan.segmentation.belt import Belt, BeltState
from linescan.segmentation.complete import has_shape, is_object, whole_objects
from linescan.segmentation.finding import find_regions
from linescan.segmentation.follow import Tracks
from linescan.segmentation.objects import Numbers, label_objects
from linescan.segmentation.pieces import row_edges
from linescan.segmentation.thresholds import Thresholds, choose_thresholds
from linescan.segmentation.tracks import Part, Track, TracksState, pieces_of
from linescan.whole import Cut, WholeObject


@dataclass(frozen=True, slots=True)
class SegmenterState:
    """What is remembered from frame to frame.

    Attributes:
        belt: what is known of the belt.
        tracks: open objects.
        end: web line after the last one seen; None before the first frame.
        web: where the last frame lay.
        unit: of its heights.
    """

    belt: BeltState | None
    tracks: TracksState
    end: float | None
    web: WebMap | None
    unit: str


@dataclass(frozen=True, slots=True)
class Heights:
    """One frame above its background.

    Attributes:
        values: (h, w) height, towards the camera positive.
        known: (h, w) pixels that may belong to an object.
        thresholds: where objects begin.
    """

    values: FloatArray
    known: BoolArray
    thresholds: Thresholds


def segment_depth(depth: DepthMap, section: SegmentationSection) -> Segmentation:
    """Find the objects of one depth map, taken for itself; the same input gives the same bits."""
    tracks = section.tracks.model_copy(update={"enabled": False})
    return Segmenter(section.model_copy(update={"tracks": tracks})).take(depth)


class Segmenter:
    """Finds objects in the depth maps of a run, given in order.

    Rows that are not valid and values that are not finite are never part of an object. The same
    depth maps give the same bits.

    Args:
        section: the configuration of segmentation.
        overlap: web lines that a frame shares with the next one at most.
        aligned: relative depth means the same in every frame, too.
    """

    def __init__(
        self, section: SegmentationSection, overlap: int = 0, *, aligned: bool = False
    ) -> None:
        self._section, self._aligned = section, aligned
        self._belt = Belt(section.belt.memory_lines)
        self._tracks = Tracks(section.tracks, overlap)
        self._end: float | None = None
        self._web: WebMap | None = None
        self._unit = "relative"

    @property
    def state(self) -> SegmenterState:
        """What is remembered; nothing in it is ever written to."""
        return SegmenterState(
            self._belt.state, self._tracks.state, self._end, self._web, self._unit
        )

    @state.setter
    def state(self, state: SegmenterState) -> None:
        self._belt.state, self._tracks.state = state.belt, state.tracks
        self._end, self._web, self._unit = state.end, state.web, state.unit

    def take(self, depth: DepthMap) -> Segmentation:
        """The objects of the next frame, and those that it completes.

        Without a single usable pixel there are no objects and no thresholds.
        """
        heights = self._heights(depth)
        if heights is None:
            return Segmentation(np.zeros(depth.values.shape, np.uint16), {}, ())
        self._web, self._unit = depth.web, depth.unit
        if self._section.tracks.enabled:
            inner = self._tracks.inner(depth.web, depth.valid)
        else:
            inner = slice(None)
        regions = find_regions(
            heights.values, heights.known, heights.thresholds, self._section, inner
        )
        part = Part(regions, depth.valid, depth.web)
        shown, tracks, completed = self._follow(part)
        labels, objects = label_objects(
            regions.only(shown), tracks[shown], depth.valid, self._section.max_objects, depth.web
        )
        named = heights.thresholds.named(self._section.hysteresis)
        return Segmentation(labels, named, objects, completed)

    def close(self) -> Completed:
        """The objects that are still open when the run ends."""
        return Completed(self._whole(self._tracks.close(Cut.END)), self._unit)

    def _heights(self, depth: DepthMap) -> Heights | None:
        """One frame above its background; None without a usable pixel."""
        section = self._section
        values = np.asarray(depth.values, np.float32)
        known = np.isfinite(values)
        known &= depth.valid[:, None]
        sample = take_sample(values, known)
        if sample is None:
            return None
        noise = None
        if section.background == "belt":
            steady = self._aligned or depth.unit != "relative"
            new = self._new_lines(depth)
            background, above, noise = self._belt.take(sample, new, steady=steady)
        else:
            background, above = fit_background(sample, section.background)
        sign = -1 if depth.convention is Convention.DEPTH else 1
        pixels = int(np.count_nonzero(known))
        thresholds = choose_thresholds(
            sign * above,
            pixels,
            section.threshold,
            sample.resolution,
            noise if section.threshold.method == "belt" else None,
        )
        return Heights(background.above(values, sign), known, thresholds)

    def _new_lines(self, depth: DepthMap) -> float:
        """Web lines that this frame shows and none before."""
        low, high = row_edges(depth.web, depth.valid.size)
        start, end = float(low[0]), float(high[-1])
        new = end - max(start, min(self._end, end) if self._end is not None else start)
        self._end = end
        return new

    def _follow(self, part: Part) -> tuple[BoolArray, Numbers, tuple[WholeObject, ...]]:
        """Which regions are objects of this frame, their identities, and what is complete."""
        regions, section = part.regions, self._section
        shown = regions.high & regions.large
        if not section.tracks.enabled:
            return self._shaped(part, shown), np.zeros(regions.count, np.int64), ()
        followed = self._tracks.follow(part)
        for n, (track, alone) in enumerate(zip(followed.tracks, followed.alone, strict=True)):
            if not shown[n]:
                shown[n] = not alone and is_object(track, section)
            elif alone and track.piece is not None:
                shown[n] = has_shape(track.piece, section.shape, part.web)
        tracks = np.array([track.number for track in followed.tracks], np.int64)
        return shown, tracks, self._whole(followed.complete)

    def _shaped(self, part: Part, shown: BoolArray) -> BoolArray:
        """Those of the regions that have the shape asked for, or are cut by the frame's border."""
        rows = np.flatnonzero(part.valid)
        top, bottom = part.regions.boxes[:, 0], part.regions.boxes[:, 2]
        judged = shown & (top > rows[0]) & (bottom < rows[-1])
        for n, piece in pieces_of(part, judged, -math.inf).items():
            shown[n] = has_shape(piece, self._section.shape, part.web)
        return shown

    def _whole(self, tracks: list[Track]) -> tuple[WholeObject, ...]:
        if self._web is None or not tracks:
            return ()
        return whole_objects(tracks, self._section, self._web, self._unit)
