"""What is remembered of objects from one frame to the next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from linescan.records import BoolArray, WebMap
from linescan.segmentation.matching import (
    Labels,
    Pairs,
    labels_of,
    overlapping,
    row_pairs,
    touching,
)
from linescan.segmentation.pieces import Piece, add, measure, row_edges
from linescan.segmentation.regions import Regions
from linescan.whole import Cut

MOST_MERGED: Final = 64
"""Identities that an object remembers to have absorbed."""


@dataclass(frozen=True, slots=True)
class Track:
    """One object, as far as it is known.

    Attributes:
        number: its identity.
        piece: what was measured so far; None where that lies on lines that do not count.
        high: it has a pixel beyond the threshold.
        cut: why it may be a part only.
        merged: identities of what it has absorbed, ascending.
    """

    number: int
    piece: Piece | None = None
    high: bool = False
    cut: Cut = Cut.NONE
    merged: tuple[int, ...] = ()

    def joined(self, other: Track) -> Track:
        """One of both, under the older identity."""
        merged = {*self.merged, *other.merged, self.number, other.number}
        number = min(self.number, other.number)
        return Track(
            number,
            add(self.piece, other.piece),
            self.high or other.high,
            self.cut | other.cut,
            tuple(sorted(merged - {number})[:MOST_MERGED]),
        )


@dataclass(frozen=True, slots=True)
class Part:
    """The regions of one frame, and where it lies.

    Attributes:
        regions: in array pixels.
        valid: (rows,) array rows that have depth; at least one.
        web: where array pixels lie on the web.
    """

    regions: Regions
    valid: BoolArray
    web: WebMap

    @property
    def rows(self) -> int:
        """Rows of the array."""
        return self.valid.size

    @property
    def last_row(self) -> int:
        """The last row that has depth."""
        return int(np.flatnonzero(self.valid)[-1])

    @property
    def lines(self) -> tuple[float, float]:
        """Where it begins and ends on the web; line n reaches from n to n + 1."""
        low, high = row_edges(self.web, self.rows)
        return float(low[0]), float(high[-1])

    def cuts(self, edge: Cut) -> list[Cut]:
        """For each region, whether lines are missing right before or after it.

        Args:
            edge: why a region on the first row is cut there.
        """
        top, bottom = self.regions.boxes[:, 0], self.regions.boxes[:, 2]
        missing = np.concatenate(([False], ~self.valid, [False]))
        gap = missing[top] | (missing[bottom + 2] & (bottom < self.last_row))
        return [
            (Cut.GAP if lost else Cut.NONE) | (edge if first else Cut.NONE)
            for lost, first in zip(gap.tolist(), (top == 0).tolist(), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Tail:
    """Regions of the last frame that the next one may go on with.

    Attributes:
        part: the frame, with these regions alone.
        first_row: first array row that the next frame may show.
        seam: web line from which the frame's rows count.
        tracks: what the regions belong to.
        owner: for each region, the place of its track in ``tracks``; -1 where a bound closed it.
        closed: for each region, which bound did.
    """

    part: Part
    first_row: int
    seam: float
    tracks: tuple[Track, ...] = ()
    owner: tuple[int, ...] = ()
    closed: tuple[Cut, ...] = ()

    def settled(self, upto: float, at_end: Cut) -> list[Track]:
        """The tracks, measured up to a web line.

        Args:
            upto: the line after the last one that counts.
            at_end: why what lies on the last row is cut there.
        """
        tracks, regions = list(self.tracks), self.part.regions
        everything = np.ones(regions.count, np.bool_)
        span = (self.seam, upto)
        pieces = measure(regions, everything, self.part.web, self.part.rows, span)
        last = self.part.last_row
        for region, place in enumerate(self.owner):
            if place < 0:
                continue
            track = tracks[place]
            cut = at_end if regions.boxes[region, 2] >= last else Cut.NONE
            tracks[place] = replace(
                track, piece=add(track.piece, pieces.get(region)), cut=track.cut | cut
            )
        return tracks

    def match(self, part: Part) -> Pairs:
        """Pairs of regions, of this frame and of the next, that are one."""
        rows = row_pairs((self.part.web, self.first_row, self.part.rows), (part.web, part.rows))
        if rows:
            earlier, later = np.array(rows).T
            old = self._labels()[earlier - self.first_row]
            new = labels_of(part.regions, 0, int(later.max()) + 1)[later]
            pairs = overlapping(old, new)
        else:
            pairs = touching(self._labels()[-1], labels_of(part.regions, 0, 1)[0])
        mine, its = self.part.regions.sign, part.regions.sign
        return [(a, b) for a, b in pairs if mine[a] == its[b]]

    def _labels(self) -> Labels:
        return labels_of(self.part.regions, self.first_row, self.part.rows - self.first_row)


@dataclass(frozen=True, slots=True)
class TracksState:
    """What is remembered from frame to frame; nothing in it is ever written to."""

    next_number: int = 1
    begun: bool = False
    tail: Tail | None = None


def pieces_of(
    part: Part, chosen: npt.NDArray[np.bool_], seam: float, upto: float = math.inf
) -> dict[int, Piece]:
    """The chosen regions of a frame, measured on the web lines ``seam`` to ``upto``."""
    return measure(part.regions, chosen, part.web, part.rows, (seam, upto))


def join_all(tracks: Sequence[Track]) -> Track:
    """One of all."""
    joined = tracks[0]
    for track in tracks[1:]:
        joined = joined.joined(track)
    return joined
