"""Masks as runs, stretches of set pixels of one row, and the connected regions they make up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from linescan.records import BoolArray

Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Connected:
    """The connected regions of a mask as runs, (runs,) each, in the order of the mask's pixels.

    Attributes:
        width: columns of the mask.
        count: regions, each of which has a run, in the order of their first pixels.
        start: flat index of the run's first pixel.
        length: pixels of the run.
        owner: the region that the run belongs to, from 0.
    """

    width: int
    count: int
    start: Indices
    length: Indices
    owner: Indices

    def only(self, chosen: BoolArray) -> Connected:
        """The chosen regions, (count,), numbered anew without gaps."""
        kept = chosen[self.owner]
        return Connected(
            self.width,
            int(np.count_nonzero(chosen)),
            self.start[kept],
            self.length[kept],
            (np.cumsum(chosen) - 1)[self.owner[kept]],
        )

    def by_region(self) -> Connected:
        """The same with the runs region by region."""
        order = np.argsort(self.owner, kind="stable")
        return replace(
            self, start=self.start[order], length=self.length[order], owner=self.owner[order]
        )

    def at(self, pixels: Indices) -> Indices:
        """Regions that have these pixels, given by flat index; the runs are in order."""
        return self.owner[np.searchsorted(self.start, pixels, side="right") - 1]

    def areas(self) -> Indices:
        """(count,) pixels of each region."""
        area = np.zeros(self.count, np.intp)
        np.add.at(area, self.owner, self.length)
        return area

    def boxes(self) -> Indices:
        """(count, 4): first row, first column, last row, last column of each region."""
        row, column = np.divmod(self.start, self.width)
        boxes = np.empty((self.count, 4), np.intp)
        boxes[:, :2], boxes[:, 2:] = np.iinfo(np.intp).max, -1
        for side, (extend, edge) in enumerate(
            (
                (np.minimum, row),
                (np.minimum, column),
                (np.maximum, row),
                (np.maximum, column + self.length - 1),
            )
        ):
            extend.at(boxes[:, side], self.owner, edge)
        return boxes

    def pixels(self) -> Indices:
        """Flat index of every pixel, run by run."""
        return pixels_of(self.start, self.length)


def connected(mask: Mask) -> Connected:
    """The connected regions of a mask; pixels that touch, diagonally too, are one."""
    import cv2

    # The statistics that OpenCV offers beside the labels cost several times what the labels do.
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    start, length = _runs(mask)
    named = labels.ravel()[start] - 1
    first = np.empty(count - 1, np.intp)
    first[named[::-1]] = np.arange(named.size)[::-1]
    place = np.empty_like(first)  # the labelling numbers them as its threads come
    place[np.argsort(first)] = np.arange(first.size)
    return Connected(mask.shape[1], first.size, start, length, place[named])


def open_mask(mask: Mask, diameter: int) -> Mask:
    """Morphological opening by a disc; the result lies inside ``mask``, for even diameters too."""
    import cv2

    if diameter <= 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    anchor = diameter // 2
    eroded = cv2.erode(mask, disc, anchor=(anchor, anchor))
    mirrored = np.ascontiguousarray(disc[::-1, ::-1])
    back = diameter - 1 - anchor
    return np.asarray(cv2.dilate(eroded, mirrored, anchor=(back, back)), np.uint8)


def pixels_of(start: Indices, length: Indices) -> Indices:
    """Flat index of every pixel of runs, run by run."""
    end = np.cumsum(length)
    total = int(end[-1]) if end.size else 0
    return np.arange(total) + np.repeat(start - end + length, length)


def _runs(mask: Mask) -> tuple[Indices, Indices]:
    """Runs of the mask in each row: flat index of the first pixel, and length."""
    height, width = mask.shape
    changes = np.empty((height, width + 1), np.bool_)
    changes[:, 0], changes[:, -1] = mask[:, 0], mask[:, -1]
    np.not_equal(mask[:, 1:], mask[:, :-1], out=changes[:, 1:-1])
    edges = np.flatnonzero(changes)
    first, end = edges[::2], edges[1::2]
    return first - first // (width + 1), end - first
