"""Objects across frame borders: one identity each, reported once, when complete.

Frames overlap, so the web between two of them is seen twice. Each web line counts once: up to the
middle of what both show it is the earlier frame's, from there on the later one's. Regions of both
that share a pixel there, or touch where frames only meet, are one object; what joins several open
objects makes one of them. An object is complete when no region of it reaches into lines that the
next frame may show.

What is remembered is bounded: of finished parts the sums, of the last frame the regions that may
go on, of which at most ``tracks.max_open`` objects; and no object grows beyond
``tracks.max_lines`` by more than a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

import numpy as np

from linescan.config import TracksSection
from linescan.records import BoolArray, WebMap
from linescan.segmentation.groups import Groups
from linescan.segmentation.matching import TOLERANCE, same_columns
from linescan.segmentation.pieces import add, row_edges
from linescan.segmentation.runs import Indices
from linescan.segmentation.tracks import (
    Part,
    Tail,
    Track,
    TracksState,
    join_all,
    pieces_of,
)
from linescan.whole import Cut

SEAM: Final = 0.5
"""Where in the stretch that two frames show the later one takes over."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of one frame's regions.

    Attributes:
        tracks: for each region, the object that it belongs to, as far as it is known.
        alone: for each region, that object is complete and has no other part.
        complete: objects that are complete now.
    """

    tracks: list[Track]
    alone: list[bool]
    complete: list[Track]


@dataclass(slots=True)
class _Open:
    """An object that the next frame may go on with, and its regions in this one."""

    track: Track
    regions: list[int]
    closed: Cut = Cut.NONE


class Tracks:
    """Follows objects from frame to frame.

    Args:
        section: the bounds.
        overlap: lines that a frame shares with the next one at most.

    Attributes:
        state: what is remembered; may be kept, and put back.
    """

    def __init__(self, section: TracksSection, overlap: int) -> None:
        self._section = section
        self._overlap = overlap
        self.state = TracksState()

    def inner(self, web: WebMap, valid: BoolArray) -> slice:
        """Array rows of a frame that neither neighbour can show; (rows,) valid has a true one."""
        low, high = row_edges(web, valid.size)
        first = int(np.searchsorted(low, low[0] + self._overlap - TOLERANCE))
        shared = int(np.searchsorted(high, high[-1] - self._overlap + TOLERANCE))
        return slice(max(first, 1), min(shared, int(np.flatnonzero(valid)[-1])))

    def follow(self, part: Part) -> Followed:
        """Take the next frame."""
        complete = [] if self._goes_on(part) else self.close(Cut.GAP)
        tail, edge = self.state.tail, Cut.GAP if self.state.begun else Cut.START
        seam = part.lines[0]
        before: list[Track] = []
        if tail is not None:
            edge, end = Cut.NONE, tail.part.lines[1]
            seam = max(seam + SEAM * (end - seam), end - self._overlap)
            before = tail.settled(seam, Cut.NONE if tail.part.valid[-1] else Cut.GAP)
        groups, cuts = self._group(part, tail, edge)
        shared = part.regions.boxes[:, 2] >= self.inner(part.web, part.valid).stop
        pieces = pieces_of(part, ~shared, seam)
        followed = Followed([], [False] * part.regions.count, complete)
        of_region: dict[int, Track] = {}
        waiting: list[_Open] = []
        for members in groups.members():
            news = [m - len(before) for m in members if m >= len(before)]
            olds = [before[m] for m in members if m < len(before)]
            track = join_all(olds or [Track(self._new_number())])
            for n in news:
                high = track.high or bool(part.regions.high[n])
                piece = add(track.piece, pieces.get(n))
                track = replace(track, piece=piece, high=high, cut=track.cut | cuts[n])
            of_region |= dict.fromkeys(news, track)
            goes_on = [n for n in news if shared[n]]
            if goes_on:
                waiting.append(_Open(track, goes_on))
                continue
            complete.append(track)
            if len(members) == len(news) == 1:
                followed.alone[news[0]] = True
        followed.tracks.extend(of_region[n] for n in range(part.regions.count))
        complete += self._bound(part, seam, waiting)
        self._remember(part, seam, waiting)
        return followed

    def close(self, cut: Cut) -> list[Track]:
        """Complete everything: no frame goes on with it. What lies at the end is cut there."""
        tail = self.state.tail
        self.state = replace(self.state, tail=None)
        return [] if tail is None else tail.settled(tail.part.lines[1], cut)

    def _goes_on(self, part: Part) -> bool:
        """Whether a frame begins on or before the end of the last one, if there is one."""
        if self.state.tail is None:
            return True
        before = self.state.tail.part
        fits = before.regions.width == part.regions.width and same_columns(before.web, part.web)
        (first, end), (start, _) = before.lines, part.lines
        return fits and first < start <= end + TOLERANCE

    def _group(self, part: Part, tail: Tail | None, edge: Cut) -> tuple[Groups, list[Cut]]:
        """What belongs together of the open tracks and, after them, this frame's regions.

        And for each region why it may be a part only.
        """
        cuts = part.cuts(edge)
        if tail is None:
            return Groups(part.regions.count), cuts
        groups = Groups(len(tail.tracks) + part.regions.count)
        for earlier, later in tail.match(part):
            if tail.owner[earlier] >= 0:
                groups.join(tail.owner[earlier], len(tail.tracks) + later)
            else:
                cuts[later] |= tail.closed[earlier]
        return groups, cuts

    def _bound(self, part: Part, seam: float, waiting: list[_Open]) -> list[Track]:
        """Mark what is too long or too much as closed, and give it, measured up to the seam."""
        regions = part.regions
        end = part.lines[1] - (1 - SEAM) * self._overlap
        low, _ = row_edges(part.web, part.rows)
        for item in waiting:
            first = max(seam, float(low[regions.boxes[item.regions, 0]].min()))
            if item.track.piece is not None:
                first = min(first, item.track.piece.low_line)
            if end - first >= self._section.max_lines:
                item.closed = Cut.LENGTH
        rest = [item for item in waiting if not item.closed]
        rest.sort(key=lambda item: (-_size(item, regions.area), item.track.number))
        for item in rest[self._section.max_open :]:
            item.closed = Cut.COUNT
        closed = [item for item in waiting if item.closed]
        chosen = np.zeros(regions.count, np.bool_)
        chosen[[n for item in closed for n in item.regions]] = True
        pieces = pieces_of(part, chosen, seam, end)
        return [
            replace(
                item.track,
                piece=reduce(add, map(pieces.get, item.regions), item.track.piece),
                cut=item.track.cut | item.closed,
            )
            for item in closed
        ]

    def _remember(self, part: Part, seam: float, waiting: Sequence[_Open]) -> None:
        """Keep what the next frame may go on with."""
        regions = part.regions
        kept = np.zeros(regions.count, np.bool_)
        owner, closed = {}, {}
        tracks = [item.track for item in waiting if not item.closed]
        places = {track.number: place for place, track in enumerate(tracks)}
        for item in waiting:
            for n in item.regions:
                kept[n] = True
                owner[n] = places.get(item.track.number, -1)
                closed[n] = item.closed
        tail = Tail(
            part=replace(part, regions=regions.only(kept)),
            first_row=self.inner(part.web, part.valid).stop,
            seam=seam,
            tracks=tuple(tracks),
            owner=tuple(owner[n] for n in sorted(owner)),
            closed=tuple(closed[n] for n in sorted(closed)),
        )
        self.state = replace(self.state, begun=True, tail=tail)

    def _new_number(self) -> int:
        """An identity that nothing has had yet."""
        number = self.state.next_number
        self.state = replace(self.state, next_number=number + 1)
        return number


def _size(item: _Open, area: Indices) -> float:
    cells = 0.0 if item.track.piece is None else item.track.piece.cells
    return cells + float(area[item.regions].sum())
